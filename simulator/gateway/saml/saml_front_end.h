// SAML 2.0 as a protocol of the sign-on flow: the Web Browser SSO profile, with requests by
// Redirect or POST (or none, from a link) and answers by POST. The messages themselves are
// libs/saml's; this ties them to apps, transactions and pages.
#pragma once

#include <string>
#include <string_view>

#include "libs/base/random.h"
#include "libs/saml/request.h"
#include "libs/saml/response.h"
#include "simulator/gateway/sso/protocol_front_end.h"
#include "simulator/gateway/sso/site.h"

namespace devicetrust::gateway {

// Thread-safe.
class SamlFrontEnd final : public ProtocolFrontEnd {
 public:
  // Both outlive this.
  SamlFrontEnd(const Site& site, Random& random) : site_(site), random_(random) {}

  // GET /saml/metadata: us as an identity provider.
  http::Response Metadata(const RequestContext& context) const;

  Protocol protocol() const override { return Protocol::kSaml; }

  // /sso/saml finds the app by the request's Issuer; /app/ID/sso/saml names it, and without a
  // request in its query begins a sign-on that no app asked for (IdP-initiated).
  bool Serves(std::string_view path) const override;

  std::string StartUrl(const org::v1::App& app) const override;
  // Errors: APP_UNKNOWN and the SAML_* reasons; INTERNAL_ERROR when the random source fails.
  absl::StatusOr<Begun> Begin(const RequestContext& context, std::string& app_id) const override;
  bool IsStillRegistered(const Transaction& transaction, const org::v1::App& app) const override;
  bool ExpectsOtherUser(const Transaction& transaction, const org::v1::App& app,
                        const Session& session) const override;
  absl::StatusOr<http::Response> ReplyAllowed(const RequestContext& context,
                                              const Transaction& transaction,
                                              const org::v1::App& app,
                                              const org::v1::User& user) const override;
  absl::StatusOr<http::Response> ReplyFailure(const RequestContext& context,
                                              const Transaction& transaction,
                                              const org::v1::App& app,
                                              SsoFailure failure) const override;

 private:
  std::string EntityId() const;  // Ours: where our metadata is.
  std::string SsoUrl(std::string_view path) const;

  struct State;  // Of a transaction, packed in Transaction::protocol_state.

  absl::StatusOr<Begun> BeginRequested(const RequestContext& context, const org::v1::App& app,
                                       const saml::ReceivedRequest& request,
                                       const std::string& sso_url) const;
  absl::StatusOr<Begun> BeginUnsolicited(const RequestContext& context, const org::v1::App& app,
                                         std::string relay_state) const;
  bool IsExpectedUser(const State& state, const org::v1::App& app, const org::v1::User& user) const;
  saml::Answer AnswerTo(const State& state, const org::v1::App& app, WallTime now) const;
  absl::StatusOr<http::Response> PostFailure(const RequestContext& context, const State& state,
                                             const org::v1::App& app, saml::Failure failure) const;

  // The page that carries an answer to the app.
  http::Response PostPage(const State& state, const org::v1::App& app,
                          const std::string& xml) const;

  const Site& site_;
  Random& random_;
};

}  // namespace devicetrust::gateway
