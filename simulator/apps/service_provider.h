// A SAML 2.0 service provider: what an app that people sign in to does. Thread-safe.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <unordered_map>

#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "simulator/apps/idp_metadata.h"
#include "simulator/apps/saml_response.h"

namespace devicetrust::simulator {

struct ServiceProviderConfig {
  std::string id;         // Of the app in the org: "mail".
  std::string label;      // "Mail".
  std::string entity_id;  // "urn:example:mail"
  std::string acs_url;    // Where responses are posted to.
};

class ServiceProvider {
 public:
  enum class Binding { kRedirect, kPost };

  // How a sign-in begins: a request to the identity provider that a browser carries.
  struct SignOn {
    Binding binding = Binding::kRedirect;
    std::string request_id;
    std::string relay_state;
    std::string url;        // Redirect: the whole address. Post: where the form goes.
    std::string form_body;  // Post: the form, urlencoded.
  };

  // `clock` and `random` outlive this object.
  ServiceProvider(ServiceProviderConfig config, const Clock& clock, Random& random);

  // Its SAML metadata, for registration with an identity provider.
  std::string Metadata() const;
  const ServiceProviderConfig& config() const { return config_; }

  // Must be called before the two below.
  void SetIdp(IdpMetadata idp) { idp_ = std::move(idp); }

  // Sends an AuthnRequest, unsigned; it can be answered once, within ten minutes.
  // Errors: those of the random source; kFailedPrecondition: the identity provider has no
  // address of that binding; kResourceExhausted: too many requests wait for an answer.
  absl::StatusOr<SignOn> StartSignOn(Binding binding, std::string relay_state);

  // Takes the two fields of the form that the identity provider sends. Errors: those of
  // VerifyResponse(); kUnauthenticated when no waiting request had this RelayState, which is
  // how a replay or an unsolicited response ends.
  absl::StatusOr<Assertion> FinishSignOn(std::string_view saml_response_base64,
                                         const std::string& relay_state);

 private:
  struct Pending {
    std::string request_id;
    WallTime expires_at;
  };

  const ServiceProviderConfig config_;
  const Clock& clock_;
  Random& random_;
  IdpMetadata idp_;
  Mutex mutex_;
  std::unordered_map<std::string, Pending> pending_ ABSL_GUARDED_BY(mutex_);  // By RelayState.
};

}  // namespace devicetrust::simulator
