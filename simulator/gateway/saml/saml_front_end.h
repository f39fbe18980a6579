// SAML 2.0 as a protocol of the sign-on flow: the Web Browser SSO profile, with requests by
// Redirect or POST (or none, from a link) and answers by POST. The messages themselves are
// libs/saml's; this ties them to apps, transactions and pages.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "libs/base/random.h"
#include "libs/saml/logout.h"
#include "libs/saml/request.h"
#include "libs/saml/response.h"
#include "simulator/gateway/sso/protocol_front_end.h"
#include "simulator/gateway/sso/site.h"

namespace devicetrust::gateway {

// Who signs what the app is sent.
const pki::Identity& SignerFor(const RequestContext& context, const org::v1::App& app);

// By what name an app knows a person, as a Participation keeps it; empty when it is too long.
std::string PackName(const saml::NameId& name);

// Thread-safe.
class SamlFrontEnd final : public ProtocolFrontEnd {
 public:
  // Both outlive this.
  SamlFrontEnd(const Site& site, Random& random)
      : site_(site), entity_id_(site.org_origin + "/saml/metadata"), random_(random) {}

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
  bool WantsFresherSignIn(const Transaction& transaction, const Session& session,
                          WallTime now) const override;
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

  // /signout/saml: saml_sign_out.cc.
  std::optional<std::string> ParticipationOf(const Transaction& transaction,
                                             const org::v1::App& app,
                                             const org::v1::User& user) const override;
  bool ServesSignOut(std::string_view path) const override;
  absl::StatusOr<SignOutMessage> ReadSignOut(const RequestContext& context) const override;
  bool MeansSession(const std::string& state, const org::v1::App& app,
                    const std::string& session_id, const std::string& detail) const override;
  absl::StatusOr<std::optional<SignOutQuestion>> AskToSignOut(
      const RequestContext& context, const org::v1::App& app, const std::string& session_id,
      const std::string& detail) const override;
  absl::StatusOr<std::optional<http::Response>> AnswerSignOut(const RequestContext& context,
                                                              const org::v1::App& app,
                                                              const std::string& state,
                                                              SignOutEnd end) const override;

 private:
  const std::string& EntityId() const { return entity_id_; }
  std::string SsoUrl(std::string_view path) const;
  std::string SloUrl() const;
  saml::LogoutSender SenderTo(const RequestContext& context, const org::v1::App& app) const;
  // Sends the browser on its way with a logout message.
  http::Response Carry(const saml::OutgoingMessage& message, const org::v1::App& app) const;

  struct State;  // Of a transaction, packed in Transaction::protocol_state.

  absl::StatusOr<Begun> BeginRequested(const RequestContext& context, const org::v1::App& app,
                                       const saml::ReceivedMessage& request,
                                       const std::string& sso_url) const;
  absl::StatusOr<Begun> BeginUnsolicited(const RequestContext& context, const org::v1::App& app,
                                         std::string relay_state) const;
  bool IsExpectedUser(const State& state, const org::v1::App& app, const org::v1::User& user,
                      const Session& session) const;
  saml::NameId NameOf(const State& state, const org::v1::App& app, const org::v1::User& user,
                      const Session& session) const;
  saml::Answer AnswerTo(const State& state, const org::v1::App& app, WallTime now) const;
  absl::StatusOr<http::Response> PostFailure(const RequestContext& context, const State& state,
                                             const org::v1::App& app, saml::Failure failure) const;

  // The page that carries an answer to the app.
  http::Response PostPage(const State& state, const org::v1::App& app,
                          const std::string& xml) const;

  const Site& site_;
  const std::string entity_id_;  // Ours: where our metadata is.
  Random& random_;
};

}  // namespace devicetrust::gateway
