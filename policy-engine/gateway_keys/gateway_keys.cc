#include "policy-engine/gateway_keys/gateway_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "libs/base/encoding.h"
#include "libs/base/random_id.h"
#include "libs/token/names.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr std::string_view kCookie = "cookie";
constexpr std::string_view kProof = "proof";
constexpr std::size_t kCookieKeysKept = 2;

v1::SigningKey SigningMessage(const std::string& kid, const Bytes& pem) {
  v1::SigningKey message;
  message.set_kid(kid);
  message.set_private_key_pem(ToString(pem));
  return message;
}

}  // namespace

absl::StatusOr<std::unique_ptr<GatewayKeys>> GatewayKeys::Create(db::Database& database,
                                                                 pki::AeadKey kek,
                                                                 std::string org_id,
                                                                 const Clock& clock,
                                                                 Random& random) {
  std::unique_ptr<GatewayKeys> keys(
      new GatewayKeys(database, std::move(kek), std::move(org_id), clock, random));
  const MutexLock lock(keys->mutex_);
  DT_RETURN_IF_ERROR(keys->Load());
  DT_RETURN_IF_ERROR(keys->MakeMissing());
  return keys;
}

std::string GatewayKeys::Purpose(std::string_view kind, std::string_view kid) const {
  return fmt::format("policy.gateway_key/{}/{}/{}", org_id_, kind, kid);
}

absl::Status GatewayKeys::Load() {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      database_.Read([](db::Transaction& txn) -> absl::StatusOr<std::vector<db::Row>> {
        return txn.Run(
            "SELECT kid, kind, created_at, sealed FROM gateway_keys WHERE kind IN ($1, $2)"
            " ORDER BY created_at DESC, kid",
            {std::string(kCookie), std::string(kProof)});
      }));
  for (const db::Row& row : rows) {
    const std::string& kid = db::Text(row[0]);
    const std::string& kind = db::Text(row[1]);
    absl::StatusOr<Bytes> secret = pki::Open(kek_, Purpose(kind, kid), db::Blob(row[3]));
    if (!secret.ok()) {
      return absl::Status(secret.status().code(),
                          fmt::format("the org's {} key '{}' does not open with this "
                                      "key-encryption key ({}): is --kek-file the one it was "
                                      "sealed with?",
                                      kind, kid, std::string(secret.status().message())));
    }
    if (kind == kCookie) {
      cookie_keys_.push_back({kid, *std::move(secret), AtUnixSeconds(db::Int(row[2]))});
      continue;
    }
    const v1::SigningKey message = SigningMessage(kid, *secret);
    DT_ASSIGN_OR_RETURN(const auto key, pki::PrivateKey::FromPem(message.private_key_pem()));
    proof_keys_.Add(kid, token::ProofIssuer(org_id_), key.public_key());
    proof_messages_.push_back(message);
  }
  return absl::OkStatus();
}

absl::Status GatewayKeys::MakeMissing() {
  if (cookie_keys_.empty()) DT_RETURN_IF_ERROR(MakeCookieKey());
  if (proof_messages_.empty()) DT_RETURN_IF_ERROR(MakeProofKey());
  return absl::OkStatus();
}

// Seals and stores a secret under a new random name, which it returns.
absl::StatusOr<std::string> GatewayKeys::Store(const std::string& kind,
                                               std::span<const std::uint8_t> secret) {
  DT_ASSIGN_OR_RETURN(const std::string random_id, NewRandomHex(12, random_));
  const std::string kid = fmt::format("{}-{}", kind, random_id);
  DT_ASSIGN_OR_RETURN(const Bytes sealed, pki::Seal(kek_, Purpose(kind, kid), secret, random_));
  const std::int64_t now = UnixSeconds(clock_.Now());
  DT_RETURN_IF_ERROR(database_.Write([&](db::Transaction& txn) {
    return txn
        .Run(
            "INSERT INTO gateway_keys (kid, kind, created_at, sealed, certificate_pem)"
            " VALUES ($1, $2, $3, $4, '')",
            {kid, kind, now, sealed})
        .status();
  }));
  return kid;
}

absl::Status GatewayKeys::MakeCookieKey() {
  Bytes secret(pki::kAeadKeyBytes);
  DT_RETURN_IF_ERROR(random_.Fill(secret));
  DT_ASSIGN_OR_RETURN(std::string kid, Store(std::string(kCookie), secret));
  cookie_keys_.insert(cookie_keys_.begin(), {std::move(kid), std::move(secret), clock_.Now()});
  return absl::OkStatus();
}

absl::Status GatewayKeys::MakeProofKey() {
  DT_ASSIGN_OR_RETURN(const auto key, pki::PrivateKey::Generate(pki::KeyType::kP256));
  const std::string pem = key.Pem();
  DT_ASSIGN_OR_RETURN(const std::string kid, Store(std::string(kProof), AsBytes(pem)));
  proof_keys_.Add(kid, token::ProofIssuer(org_id_), key.public_key());
  proof_messages_.push_back(SigningMessage(kid, Bytes(pem.begin(), pem.end())));
  return absl::OkStatus();
}

absl::StatusOr<v1::GetGatewayKeysResponse> GatewayKeys::Current() {
  v1::GetGatewayKeysResponse message;
  for (const v1::SigningKey& key : proof_messages_) *message.add_proof_keys() = key;

  const MutexLock lock(mutex_);
  const WallTime now = clock_.Now();
  if (now - cookie_keys_.front().created_at >= kCookieKeyLifetime) {
    DT_RETURN_IF_ERROR(MakeCookieKey());
  }
  std::vector<CookieKey> in_use(cookie_keys_.begin(),
                                cookie_keys_.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                           cookie_keys_.size(), kCookieKeysKept)));
  const bool newest_waits = in_use.size() > 1 && now - in_use.front().created_at < kCookieKeyLead;
  if (newest_waits) std::swap(in_use[0], in_use[1]);
  for (const CookieKey& key : in_use) {
    v1::SymmetricKey& out = *message.add_cookie_keys();
    out.set_kid(key.kid);
    out.set_key(ToString(key.secret));
  }
  return message;
}

}  // namespace devicetrust::policy
