#include "simulator/gateway/saml/saml_front_end.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

#include "libs/base/encoding.h"
#include "libs/http/form.h"
#include "libs/rpc/error.h"
#include "libs/saml/error.h"
#include "libs/saml/metadata.h"
#include "simulator/gateway/sso/packing.h"
#include "simulator/gateway/sso/pages.h"

namespace devicetrust::gateway {

const pki::Identity& SignerFor(const RequestContext& context, const org::v1::App& app) {
  return context.keys->SamlSigner(app.saml().settings().signing_key());
}

namespace {

constexpr std::uint8_t kStateVersion = 2;
constexpr std::string_view kAppPrefix = "/app/";
constexpr std::string_view kSsoPath = "/sso/saml";

// ID of /app/ID/sso/saml.
std::optional<std::string> AppOfPath(std::string_view path) {
  if (!path.starts_with(kAppPrefix) || !path.ends_with(kSsoPath) ||
      path.size() <= kAppPrefix.size() + kSsoPath.size()) {
    return std::nullopt;
  }
  const std::string_view id =
      path.substr(kAppPrefix.size(), path.size() - kAppPrefix.size() - kSsoPath.size());
  if (id.find('/') != std::string_view::npos) return std::nullopt;
  return std::string(id);
}

std::string FormatFor(const RequestContext& context, std::string_view asked,
                      const org::v1::App& app) {
  return saml::NameIdFormatFor(asked, app.saml(), context.apps->default_name_id_format());
}

saml::Failure InSaml(SsoFailure failure) {
  switch (failure) {
    case SsoFailure::kInteractionNeeded:
      return saml::Failure::kNoPassive;
    case SsoFailure::kOtherUserExpected:
      return saml::Failure::kUnknownPrincipal;
    case SsoFailure::kDenied:
      break;
  }
  return saml::Failure::kRequestDenied;
}

}  // namespace

struct SamlFrontEnd::State {
  std::string acs_url;
  std::string request_id;  // Empty: no app asked (IdP-initiated).
  std::string relay_state;
  std::string name_id_format;
  std::string subject_hash;  // HashName() of the NameID that was asked for; empty: none was.
  bool password = false;  // The app named a way to sign in, which a password is and a ticket not.

  absl::StatusOr<std::string> Pack() const {
    Packer packer(kStateVersion);
    packer.Text(acs_url).Text(request_id).Text(relay_state).Text(name_id_format).Text(subject_hash);
    packer.Flag(password);
    std::string packed = ToString(packer.Take());
    if (packed.size() <= kProtocolStateBytesMax) return packed;
    return saml::Error(reason::v1::REASON_SAML_REQUEST_MALFORMED, "the request is too long");
  }

  // Of what Pack() made, which a seal protects.
  static State Unpack(const std::string& packed) {
    Unpacker unpacker(AsBytes(packed), kStateVersion);
    State state;
    state.acs_url = unpacker.Text();
    state.request_id = unpacker.Text();
    state.relay_state = unpacker.Text();
    state.name_id_format = unpacker.Text();
    state.subject_hash = unpacker.Text();
    state.password = unpacker.Flag();
    return unpacker.Done() ? state : State();
  }
};

http::Response SamlFrontEnd::PostPage(const State& state, const org::v1::App& app,
                                      const std::string& xml) const {
  const std::string encoded = Base64Encode(AsBytes(xml));
  const std::array<std::pair<std::string_view, std::string_view>, 2> fields = {
      {{"SAMLResponse", encoded}, {"RelayState", state.relay_state}}};
  return RenderAutoPost(site_,
                        {.url = state.acs_url,
                         .fields = std::span(fields).first(state.relay_state.empty() ? 1 : 2),
                         .app_label = app.label()});
}

std::string SamlFrontEnd::SsoUrl(std::string_view path) const {
  return fmt::format("{}{}", site_.org_origin, path);
}

http::Response SamlFrontEnd::Metadata(const RequestContext& context) const {
  const bool curves = std::ranges::any_of(context.apps->all(), [](const auto& each) {
    return each.second.saml().settings().signing_key() == org::v1::SAML_KEY_KIND_ECDSA;
  });
  http::Response response;
  response.fields.Set("content-type", "application/samlmetadata+xml; charset=utf-8");
  response.body = saml::BuildIdpMetadata({EntityId(), SsoUrl(kSsoPath), SloUrl(),
                                          context.keys->SamlCertificates(curves), context.now});
  return response;
}

bool SamlFrontEnd::Serves(std::string_view path) const {
  return path == kSsoPath || AppOfPath(path).has_value();
}

std::string SamlFrontEnd::StartUrl(const org::v1::App& app) const {
  return app.has_saml() ? fmt::format("{}{}{}", kAppPrefix, app.id(), kSsoPath) : "";
}

absl::StatusOr<SamlFrontEnd::Begun> SamlFrontEnd::Begin(const RequestContext& context,
                                                        std::string& app_id) const {
  const http::Request& request = context.request;
  const std::optional<std::string> named = AppOfPath(request.path);
  const org::v1::App* app = named ? context.apps->Find(*named) : nullptr;
  if (named && (app == nullptr || !app->has_saml())) {
    return rpc::MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_APP_UNKNOWN,
                          "no SAML app of this id", *named);
  }
  if (app != nullptr) app_id = app->id();
  const bool post = request.method == "POST";
  DT_ASSIGN_OR_RETURN(const http::Parameters parameters,
                      saml::Typed(post ? request.FormParameters() : request.QueryParameters()));
  DT_ASSIGN_OR_RETURN(const std::optional<http::Parameter> given,
                      saml::Typed(parameters.Optional("SAMLRequest")));
  if (!given && app != nullptr && !post) {
    DT_ASSIGN_OR_RETURN(std::string relay_state, saml::RelayStateOf(parameters));
    return BeginUnsolicited(context, *app, std::move(relay_state));
  }

  DT_ASSIGN_OR_RETURN(saml::Message message, post
                                                 ? saml::DecodePost(parameters, "SAMLRequest")
                                                 : saml::DecodeRedirect(parameters, "SAMLRequest"));
  DT_ASSIGN_OR_RETURN(const saml::ReceivedMessage received,
                      saml::ReceivedMessage::Parse(std::move(message)));
  if (app != nullptr) return BeginRequested(context, *app, received, SsoUrl(request.path));
  app = context.apps->FindByEntityId(received.issuer());
  if (app == nullptr) {
    return saml::Error(reason::v1::REASON_SAML_UNKNOWN_SERVICE_PROVIDER,
                       "no app is registered with the entity id that the request has as its Issuer",
                       received.issuer());
  }
  app_id = app->id();
  return BeginRequested(context, *app, received, SsoUrl(kSsoPath));
}

absl::StatusOr<SamlFrontEnd::Begun> SamlFrontEnd::BeginRequested(
    const RequestContext& context, const org::v1::App& app, const saml::ReceivedMessage& request,
    const std::string& sso_url) const {
  DT_ASSIGN_OR_RETURN(
      const saml::SignOnRequest checked,
      saml::CheckSignOnRequest(request, app.saml(), {EntityId(), sso_url}, context.now));
  const State state{checked.acs_url,
                    checked.id,
                    request.message().relay_state,
                    FormatFor(context, checked.name_id_format, app),
                    checked.subject ? HashName(*checked.subject) : "",
                    checked.wants_context};
  if (checked.failure) return PostFailure(context, state, app, *checked.failure);
  DT_ASSIGN_OR_RETURN(Transaction transaction, NewTransaction(context.now, random_));
  transaction.protocol = Protocol::kSaml;
  transaction.app_id = app.id();
  transaction.fresh_sign_in = checked.force_authn;
  transaction.passive = checked.is_passive;
  DT_ASSIGN_OR_RETURN(transaction.protocol_state, state.Pack());
  return transaction;
}

absl::StatusOr<SamlFrontEnd::Begun> SamlFrontEnd::BeginUnsolicited(const RequestContext& context,
                                                                   const org::v1::App& app,
                                                                   std::string relay_state) const {
  State state;
  state.name_id_format = FormatFor(context, "", app);
  DT_ASSIGN_OR_RETURN(state.acs_url, saml::DefaultAcs(app.saml()));
  state.relay_state =
      !relay_state.empty() ? std::move(relay_state) : app.saml().default_relay_state();
  DT_ASSIGN_OR_RETURN(Transaction transaction, NewTransaction(context.now, random_));
  transaction.protocol = Protocol::kSaml;
  transaction.app_id = app.id();
  DT_ASSIGN_OR_RETURN(transaction.protocol_state, state.Pack());
  return transaction;
}

bool SamlFrontEnd::IsStillRegistered(const Transaction& transaction,
                                     const org::v1::App& app) const {
  return app.has_saml() &&
         saml::IsRegisteredAcs(app.saml(), State::Unpack(transaction.protocol_state).acs_url);
}

saml::NameId SamlFrontEnd::NameOf(const State& state, const org::v1::App& app,
                                  const org::v1::User& user, const Session& session) const {
  return saml::NameIdOf(user, state.name_id_format, {EntityId(), app.saml(), session.id});
}

bool SamlFrontEnd::IsExpectedUser(const State& state, const org::v1::App& app,
                                  const org::v1::User& user, const Session& session) const {
  return state.subject_hash.empty() ||
         HashName(NameOf(state, app, user, session).value) == state.subject_hash;
}

bool SamlFrontEnd::WantsFresherSignIn(const Transaction& transaction, const Session& session,
                                      WallTime /*now*/) const {
  return session.by_ticket && State::Unpack(transaction.protocol_state).password;
}

bool SamlFrontEnd::ExpectsOtherUser(const Transaction& transaction, const org::v1::App& app,
                                    const Session& session) const {
  const State state = State::Unpack(transaction.protocol_state);
  const std::string& format = state.name_id_format;
  // The session knows no more of its user, and a name may be made of that.
  const bool known = format == saml::kNameIdPersistent || format == saml::kNameIdTransient ||
                     (format == saml::kNameIdUnspecified &&
                      app.saml().settings().name_id_field() == org::v1::USER_FIELD_UNSPECIFIED);
  org::v1::User user;
  user.set_id(session.user_id);
  user.set_principal(session.principal);
  return known && !IsExpectedUser(state, app, user, session);
}

saml::Answer SamlFrontEnd::AnswerTo(const State& state, const org::v1::App& app,
                                    WallTime now) const {
  return {EntityId(), app.saml().entity_id(), state.acs_url, state.request_id, now};
}

absl::StatusOr<http::Response> SamlFrontEnd::ReplyAllowed(const RequestContext& context,
                                                          const Transaction& transaction,
                                                          const org::v1::App& app,
                                                          const org::v1::User& user) const {
  const State state = State::Unpack(transaction.protocol_state);
  const Session& session = *transaction.session;
  if (!IsExpectedUser(state, app, user, session)) {
    return PostFailure(context, state, app, saml::Failure::kUnknownPrincipal);
  }
  const saml::Answer answer = AnswerTo(state, app, context.now);
  saml::Subject subject;
  subject.user = user;
  subject.name_id = NameOf(state, app, user, session);
  subject.session_index = saml::SessionIndexOf(session.id, answer.sp_entity_id);
  subject.authenticated_at = session.authenticated_at;
  subject.session_ends_at = session.expires_at;
  subject.by_ticket = session.by_ticket;
  DT_ASSIGN_OR_RETURN(const std::string xml, saml::BuildResponse(answer, subject, app.saml(),
                                                                 SignerFor(context, app), random_));
  return PostPage(state, app, xml);
}

std::optional<std::string> SamlFrontEnd::ParticipationOf(const Transaction& transaction,
                                                         const org::v1::App& app,
                                                         const org::v1::User& user) const {
  const State state = State::Unpack(transaction.protocol_state);
  if (!IsExpectedUser(state, app, user, *transaction.session)) return std::nullopt;
  return PackName(NameOf(state, app, user, *transaction.session));
}

absl::StatusOr<http::Response> SamlFrontEnd::ReplyFailure(const RequestContext& context,
                                                          const Transaction& transaction,
                                                          const org::v1::App& app,
                                                          SsoFailure failure) const {
  const State state = State::Unpack(transaction.protocol_state);
  if (state.request_id.empty()) {
    return rpc::MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_SESSION_EXPIRED,
                          "no app asked for this sign-on");
  }
  return PostFailure(context, state, app, InSaml(failure));
}

absl::StatusOr<http::Response> SamlFrontEnd::PostFailure(const RequestContext& context,
                                                         const State& state,
                                                         const org::v1::App& app,
                                                         saml::Failure failure) const {
  DT_ASSIGN_OR_RETURN(const std::string xml,
                      saml::BuildFailure(AnswerTo(state, app, context.now), failure,
                                         SignerFor(context, app), random_));
  return PostPage(state, app, xml);
}

}  // namespace devicetrust::gateway
