// A relying party of WS-Federation: what an app of that kind does. Thread-safe.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>

#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "simulator/apps/wsfed_token.h"

namespace devicetrust::simulator {

struct RelyingPartyConfig {
  std::string id;         // Of the app in the org: "office".
  std::string label;      // "Office".
  std::string realm;      // "urn:example:office"
  std::string reply_url;  // Where tokens are posted to.
};

class RelyingParty {
 public:
  // `clock` outlives this object.
  RelyingParty(RelyingPartyConfig config, const Clock& clock)
      : config_(std::move(config)), clock_(clock) {}

  const RelyingPartyConfig& config() const { return config_; }

  // Must be called before the others.
  void SetIssuer(IssuerMetadata issuer) { issuer_ = std::move(issuer); }

  // Where a browser asks for a token, or for the end of the session; `context` comes back.
  std::string SignInUrl(std::string_view context) const;
  std::string SignOutUrl() const;

  // Takes the wresult of the form that comes back. Errors: those of VerifyToken(); kUnauthenticated
  // for a token that was taken before.
  absl::StatusOr<Token> TakeToken(std::string_view wresult);

 private:
  const RelyingPartyConfig config_;
  const Clock& clock_;
  IssuerMetadata issuer_;
  Mutex mutex_;
  std::map<std::string, WallTime> taken_ ABSL_GUARDED_BY(mutex_);  // Ids of tokens, and when.
};

}  // namespace devicetrust::simulator
