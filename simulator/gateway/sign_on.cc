// How a sign-on begins (a SAML request, or none) and what the service provider gets.
#include <fmt/format.h>

#include "libs/base/encoding.h"
#include "libs/http/form.h"
#include "libs/rpc/error.h"
#include "libs/saml/error.h"
#include "libs/saml/request.h"
#include "simulator/gateway/org_host.h"
#include "simulator/gateway/pages.h"

namespace devicetrust::gateway {
namespace {

// From a link, and not from a service provider that may know better (SAML bindings, 3.4.3).
constexpr std::size_t kUnsolicitedRelayBytesMax = 80;

std::string FormatFor(const Transaction& transaction, const org::v1::App& app) {
  if (!transaction.name_id_format.empty()) return transaction.name_id_format;
  for (const std::string& format : app.saml().name_id_formats()) {
    if (saml::IsSupportedNameId(format)) return format;
  }
  return std::string(saml::kNameIdUnspecified);
}

}  // namespace

http::Response OrgHost::SamlProblem(const absl::Status& status) const {
  return RenderProblem(
      400, "The app's request can't be answered",
      fmt::format("{}. Go back to the app and try again, or tell its administrator.",
                  std::string(status.message())),
      rpc::ReasonName(saml::Typed(status)));
}

Task<http::Response> OrgHost::BeginSaml(Turn& turn, const std::string& app_id) {
  const bool post = turn.request.method == "POST";
  const absl::StatusOr<http::Parameters> parameters =
      post ? turn.request.FormParameters() : turn.request.QueryParameters();
  if (!parameters.ok()) co_return SamlProblem(parameters.status());
  const org::v1::App* app = app_id.empty() ? nullptr : turn.apps->Find(app_id);
  if (!app_id.empty() && (app == nullptr || !app->has_saml())) {
    co_return RenderProblem(404, "No such app",
                            "No app is registered at this address. Check the app's sign-on URL.",
                            "APP_UNKNOWN");
  }
  const absl::StatusOr<std::optional<http::Parameter>> given = parameters->Optional("SAMLRequest");
  if (!given.ok()) co_return SamlProblem(given.status());
  if (!*given && app != nullptr && !post) {
    absl::StatusOr<std::string> relay_state = parameters->SingleOr("RelayState", "");
    if (!relay_state.ok()) co_return SamlProblem(relay_state.status());
    co_return co_await BeginUnsolicited(turn, *app, *std::move(relay_state));
  }

  const absl::StatusOr<saml::Message> message =
      post ? saml::DecodePost(*parameters, "SAMLRequest")
           : saml::DecodeRedirect(*parameters, "SAMLRequest");
  if (!message.ok()) co_return SamlProblem(message.status());
  if (app == nullptr) {
    const absl::StatusOr<std::string> issuer = saml::IssuerOf(*message);
    if (!issuer.ok()) co_return SamlProblem(issuer.status());
    app = turn.apps->FindByEntityId(*issuer);
    if (app == nullptr) {
      co_return SamlProblem(saml::Error(
          reason::v1::REASON_SAML_UNKNOWN_SERVICE_PROVIDER,
          fmt::format("No app with the entity id \"{}\" is registered", issuer->substr(0, 256))));
    }
  }
  const std::string url = app_id.empty() ? site_.SignOnUrl() : site_.AppSignOnUrl(app_id);
  co_return co_await CheckedSaml(turn, *app, *message, url);
}

Task<http::Response> OrgHost::CheckedSaml(Turn& turn, const org::v1::App& app,
                                          const saml::Message& message, const std::string& url) {
  const absl::StatusOr<saml::SignOnRequest> checked =
      saml::CheckSignOnRequest(message, app.saml(), url, turn.now);
  if (!checked.ok()) co_return SamlProblem(checked.status());
  const absl::StatusOr<std::string> id = NewId();
  Transaction transaction;
  if (!id.ok()) co_return Unavailable(id.status(), transaction);
  transaction.id = *id;
  transaction.app_id = app.id();
  transaction.acs_url = checked->acs_url;
  transaction.request_id = checked->id;
  transaction.relay_state = message.relay_state;
  transaction.name_id_format = checked->name_id_format;
  if (checked->subject) transaction.subject_hash = HashName(*checked->subject);
  transaction.force_authn = checked->force_authn;
  transaction.is_passive = checked->is_passive;
  transaction.started_at = turn.now;
  turn.app_label = app.label();
  if (checked->failure) co_return Fail(turn, transaction, *checked->failure);
  if (!checked->subject_qualifier.empty() && checked->subject_qualifier != site_.MetadataUrl()) {
    co_return Fail(turn, transaction, saml::Failure::kUnknownPrincipal);
  }
  if (message.redirect) co_return co_await Advance(turn, std::move(transaction));
  // The POST came from another site, so SameSite=Lax cookies stayed home: come back by GET.
  http::Response response = http::SeeOther("/continue?t=" + transaction.id);
  Keep(turn, transaction, response);
  co_return response;
}

Task<http::Response> OrgHost::BeginUnsolicited(Turn& turn, const org::v1::App& app,
                                               std::string relay_state) {
  Transaction transaction;
  const absl::StatusOr<std::string> id = NewId();
  if (!id.ok()) co_return Unavailable(id.status(), transaction);
  const absl::StatusOr<std::string> acs = saml::DefaultAcs(app.saml());
  if (!acs.ok()) co_return SamlProblem(acs.status());
  transaction.id = *id;
  transaction.app_id = app.id();
  transaction.acs_url = *acs;
  const bool given = !relay_state.empty() && relay_state.size() <= kUnsolicitedRelayBytesMax;
  transaction.relay_state =
      given ? std::move(relay_state)
            : app.saml().default_relay_state().substr(0, saml::kRelayStateBytesMax);
  transaction.started_at = turn.now;
  turn.app_label = app.label();
  co_return co_await Advance(turn, std::move(transaction));
}

bool OrgHost::IsSubject(const Transaction& transaction, const org::v1::App& app,
                        const org::v1::User& user) const {
  if (transaction.subject_hash.empty()) return true;
  const absl::StatusOr<std::string> name_id =
      saml::NameIdOf(user, FormatFor(transaction, app),
                     {site_.MetadataUrl(), app.saml().entity_id(), {}, {}, {}}, random_);
  return name_id.ok() && HashName(*name_id) == transaction.subject_hash;
}

bool OrgHost::IsOtherSubject(const Transaction& transaction, const org::v1::App& app) const {
  if (FormatFor(transaction, app) == saml::kNameIdEmail) return false;
  org::v1::User user;
  user.set_id(transaction.session->user_id);
  user.set_principal(transaction.session->principal);
  return !IsSubject(transaction, app, user);
}

http::Response OrgHost::Answer(Turn& turn, const Transaction& transaction, const org::v1::App& app,
                               const org::v1::User& user) {
  const Session& session = *transaction.session;
  const saml::Answer answer{site_.MetadataUrl(), app.saml().entity_id(), transaction.acs_url,
                            transaction.request_id, turn.now};
  saml::Subject subject;
  subject.user = user;
  subject.name_id_format = FormatFor(transaction, app);
  if (!IsSubject(transaction, app, user)) {
    return Fail(turn, transaction, saml::Failure::kUnknownPrincipal);
  }
  subject.session_index = saml::SessionIndexOf(session.id, answer.sp_entity_id);
  subject.authenticated_at = session.authenticated_at;
  subject.session_ends_at = session.authenticated_at + kSessionLifetime;
  return PostToProvider(turn, transaction,
                        saml::BuildResponse(answer, subject, turn.keys->saml_signer, random_));
}

http::Response OrgHost::Fail(Turn& turn, const Transaction& transaction, saml::Failure failure) {
  const org::v1::App* app = turn.apps->Find(transaction.app_id);
  if (app == nullptr || transaction.request_id.empty()) return TransactionGone();
  const saml::Answer answer{site_.MetadataUrl(), app->saml().entity_id(), transaction.acs_url,
                            transaction.request_id, turn.now};
  return PostToProvider(turn, transaction,
                        saml::BuildFailure(answer, failure, turn.keys->saml_signer, random_));
}

http::Response OrgHost::PostToProvider(Turn& turn, const Transaction& transaction,
                                       const absl::StatusOr<std::string>& xml) {
  if (!xml.ok()) return Unavailable(xml.status(), transaction);
  const std::string encoded = Base64Encode(AsBytes(*xml));
  http::Response response = RenderSamlPost({.acs_url = transaction.acs_url,
                                            .saml_response = encoded,
                                            .relay_state = transaction.relay_state,
                                            .app_label = turn.app_label});
  Drop(transaction, response);
  return response;
}

}  // namespace devicetrust::gateway
