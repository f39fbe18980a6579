#include "ca-service/iwa_keys.h"

#include "libs/base/log.h"
#include "libs/rpc/error.h"
#include "libs/token/names.h"

namespace devicetrust::ca {
namespace {

// A flood of forged tokens must not become a flood of calls to the org.
constexpr std::chrono::seconds kFetchEvery{1};

// What libs/token found, with the next step.
absl::Status TokenError(const absl::Status& status) {
  const reason::v1::Reason reason = rpc::ReasonOf(status);
  const bool is_about_time = reason == reason::v1::REASON_TOKEN_EXPIRED ||
                             reason == reason::v1::REASON_TOKEN_NOT_YET_VALID;
  return rpc::MakeError(status.code(), reason, "user token: " + std::string(status.message()), {},
                        is_about_time
                            ? "Compare the clocks of the IWA server and the certificate authority."
                            : "Get a new token from the IWA server.");
}

std::shared_ptr<const token::KeySet> KeysOf(const std::string& org_id,
                                            const org::v1::ListIwasResponse& list) {
  auto keys = std::make_shared<token::KeySet>();
  for (const org::v1::Iwa& iwa : list.iwas()) {
    for (const org::v1::IwaKey& key : iwa.keys()) {
      auto parsed = token::FromJwk(key.jwk());
      if (!parsed.ok() || parsed->first != key.kid()) {
        Log(LogLevel::kWarning, "ca.iwa_key.refused", {{"iwa", iwa.name()}, {"kid", key.kid()}});
        continue;
      }
      keys->Add(key.kid(), token::IwaUrn(org_id, iwa.name()), std::move(parsed->second));
    }
  }
  return keys;
}

}  // namespace

absl::StatusOr<token::UserToken> IwaKeys::Verify(std::string_view compact, WallTime now) {
  const std::string audience = token::CaUrn(org_id_);
  const auto keys = keys_.Get();
  auto verified = token::VerifyUserToken(compact, *keys, audience, now);
  if (rpc::ReasonOf(verified.status()) == reason::v1::REASON_TOKEN_UNKNOWN_KEY) {
    DT_ASSIGN_OR_RETURN(const auto fresh, Refetch(keys));
    if (fresh != keys) verified = token::VerifyUserToken(compact, *fresh, audience, now);
  }
  if (!verified.ok()) return TokenError(verified.status());
  return verified;
}

absl::StatusOr<std::shared_ptr<const token::KeySet>> IwaKeys::Refetch(
    const std::shared_ptr<const token::KeySet>& seen) {
  const MutexLock fetching(fetch_mutex_);
  auto current = keys_.Get();
  if (current != seen) return current;
  const auto now = std::chrono::steady_clock::now();
  if (fetched_at_ && now - *fetched_at_ < kFetchEvery) return current;
  DT_ASSIGN_OR_RETURN(const auto list, org_.ListIwas());
  fetched_at_ = now;
  std::shared_ptr<const token::KeySet> fresh = KeysOf(org_id_, list);
  keys_.Set(fresh);
  return fresh;
}

}  // namespace devicetrust::ca
