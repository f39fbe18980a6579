#include "simulator/apps/relying_party.h"

#include <fmt/format.h>

#include "libs/http/form.h"

namespace devicetrust::simulator {
namespace {

// Longer than any token is valid.
constexpr std::chrono::minutes kRememberedFor{30};

}  // namespace

std::string RelyingParty::SignInUrl(std::string_view context) const {
  return fmt::format("{}?{}", issuer_.passive_url,
                     http::EncodeParameters({{"wa", "wsignin1.0"},
                                             {"wtrealm", config_.realm},
                                             {"wreply", config_.reply_url},
                                             {"wctx", context}}));
}

std::string RelyingParty::SignOutUrl() const {
  return fmt::format(
      "{}?{}", issuer_.passive_url,
      http::EncodeParameters(
          {{"wa", "wsignout1.0"}, {"wtrealm", config_.realm}, {"wreply", config_.reply_url}}));
}

absl::StatusOr<Token> RelyingParty::TakeToken(std::string_view wresult) {
  const WallTime now = clock_.Now();
  DT_ASSIGN_OR_RETURN(Token token, VerifyToken(wresult, {issuer_.entity_id, issuer_.signing_keys,
                                                         config_.realm, config_.reply_url, now}));
  const MutexLock lock(mutex_);
  std::erase_if(taken_, [now](const auto& each) { return each.second + kRememberedFor < now; });
  if (!taken_.emplace(token.id, now).second) {
    return absl::UnauthenticatedError("the token was taken before");
  }
  return token;
}

}  // namespace devicetrust::simulator
