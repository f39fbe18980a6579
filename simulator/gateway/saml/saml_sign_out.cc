// Single logout (SAML profiles, section 4.4) as a front end of sso/sign_out_flow.h.
#include <fmt/format.h>

#include <array>
#include <optional>
#include <utility>

#include "libs/base/encoding.h"
#include "libs/http/form.h"
#include "libs/rpc/error.h"
#include "libs/saml/error.h"
#include "simulator/gateway/saml/saml_front_end.h"
#include "simulator/gateway/sso/packing.h"
#include "simulator/gateway/sso/pages.h"

namespace devicetrust::gateway {
namespace {

constexpr std::string_view kSloPath = "/signout/saml";
constexpr std::uint8_t kNameVersion = 1;
constexpr std::uint8_t kAskedVersion = 1;
// SAML says 80; it comes back to the app in its answer. All of it has to fit into one cookie.
constexpr std::size_t kLogoutRelayStateBytesMax = 1024;

saml::NameId UnpackName(const std::string& packed) {
  Unpacker unpacker(AsBytes(packed), kNameVersion);
  saml::NameId name;
  name.format = unpacker.Text();
  name.value = unpacker.Text();
  return unpacker.Done() ? name : saml::NameId();
}

// What an app has asked.
struct Asked {
  saml::LogoutRequest request;
  std::string relay_state;

  std::string Pack() const {
    Packer packer(kAskedVersion);
    packer.Text(request.id).Text(request.name_id.format).Text(request.name_id.value);
    packer.Flag(request.asynchronous).Text(relay_state);
    packer.Number(static_cast<std::int64_t>(request.session_indexes.size()));
    for (const std::string& index : request.session_indexes) packer.Text(index);
    return ToString(packer.Take());
  }

  static Asked Unpack(const std::string& packed) {
    Unpacker unpacker(AsBytes(packed), kAskedVersion);
    Asked asked;
    asked.request.id = unpacker.Text();
    asked.request.name_id.format = unpacker.Text();
    asked.request.name_id.value = unpacker.Text();
    asked.request.asynchronous = unpacker.Flag();
    asked.relay_state = unpacker.Text();
    const std::int64_t indexes = unpacker.Number();
    for (std::int64_t i = 0; i < indexes; ++i) {
      asked.request.session_indexes.push_back(unpacker.Text());
    }
    return unpacker.Done() ? asked : Asked();
  }
};

absl::Status CheckSize(const Asked& asked) {
  if (asked.relay_state.size() <= kLogoutRelayStateBytesMax &&
      asked.Pack().size() <= 2 * kLogoutRelayStateBytesMax) {
    return absl::OkStatus();
  }
  return saml::Error(
      reason::v1::REASON_SAML_REQUEST_MALFORMED,
      fmt::format("the LogoutRequest is too long: RelayState has at most {} bytes, and all that is "
                  "kept of it {}",
                  kLogoutRelayStateBytesMax, 2 * kLogoutRelayStateBytesMax));
}

saml::LogoutOutcome InSaml(SignOutEnd end) {
  switch (end) {
    case SignOutEnd::kPartial:
      return saml::LogoutOutcome::kPartial;
    case SignOutEnd::kOtherSession:
      return saml::LogoutOutcome::kUnknownPrincipal;
    case SignOutEnd::kDone:
      break;
  }
  return saml::LogoutOutcome::kSuccess;
}

}  // namespace

std::string PackName(const saml::NameId& name) {
  Packer packer(kNameVersion);
  packer.Text(name.format).Text(name.value);
  std::string packed = ToString(packer.Take());
  return packed.size() <= kParticipationBytesMax ? packed : "";
}

std::string SamlFrontEnd::SloUrl() const { return fmt::format("{}{}", site_.org_origin, kSloPath); }

bool SamlFrontEnd::ServesSignOut(std::string_view path) const { return path == kSloPath; }

absl::StatusOr<SignOutMessage> SamlFrontEnd::ReadSignOut(const RequestContext& context) const {
  const bool post = context.request.method == "POST";
  DT_ASSIGN_OR_RETURN(
      const http::Parameters parameters,
      saml::Typed(post ? context.request.FormParameters() : context.request.QueryParameters()));
  DT_ASSIGN_OR_RETURN(const std::optional<http::Parameter> response,
                      saml::Typed(parameters.Optional("SAMLResponse")));
  const char* const field = response ? "SAMLResponse" : "SAMLRequest";
  DT_ASSIGN_OR_RETURN(saml::Message message, post ? saml::DecodePost(parameters, field)
                                                  : saml::DecodeRedirect(parameters, field));
  DT_ASSIGN_OR_RETURN(const saml::ReceivedMessage received,
                      saml::ReceivedMessage::Parse(std::move(message)));
  const org::v1::App* const app = context.apps->FindByEntityId(received.issuer());
  if (app == nullptr) {
    return saml::Error(reason::v1::REASON_SAML_UNKNOWN_SERVICE_PROVIDER,
                       "no app is registered with the entity id that the message has as its Issuer",
                       received.issuer());
  }
  SignOutMessage read;
  read.app_id = app->id();
  if (response) {
    DT_ASSIGN_OR_RETURN(const saml::LogoutAnswer answer,
                        saml::CheckLogoutResponse(received, app->saml(), SloUrl(), context.now));
    read.is_answer = true;
    read.in_response_to = answer.in_response_to;
    read.success = answer.success;
    return read;
  }
  Asked asked;
  DT_ASSIGN_OR_RETURN(asked.request,
                      saml::CheckLogoutRequest(received, app->saml(), SloUrl(), context.now));
  asked.relay_state = received.message().relay_state;
  DT_RETURN_IF_ERROR(CheckSize(asked));
  read.state = asked.Pack();
  return read;
}

bool SamlFrontEnd::MeansSession(const std::string& state, const org::v1::App& app,
                                const std::string& session_id, const std::string& detail) const {
  const saml::NameId name = UnpackName(detail);
  return !name.value.empty() && Asked::Unpack(state).request.Means(
                                    name, saml::SessionIndexOf(session_id, app.saml().entity_id()));
}

saml::LogoutSender SamlFrontEnd::SenderTo(const RequestContext& context,
                                          const org::v1::App& app) const {
  return {entity_id_, SignerFor(context, app), context.now};
}

http::Response SamlFrontEnd::Carry(const saml::OutgoingMessage& message,
                                   const org::v1::App& app) const {
  if (message.form.empty()) return http::SeeOther(message.url);
  const std::vector<std::pair<std::string_view, std::string_view>> fields(message.form.begin(),
                                                                          message.form.end());
  return RenderAutoPost(site_, {.url = message.url, .fields = fields, .app_label = app.label()});
}

absl::StatusOr<std::optional<SignOutQuestion>> SamlFrontEnd::AskToSignOut(
    const RequestContext& context, const org::v1::App& app, const std::string& session_id,
    const std::string& detail) const {
  const saml::NameId name = UnpackName(detail);
  if (!app.has_saml() || name.value.empty() || saml::LogoutServiceOf(app.saml()) == nullptr) {
    return std::nullopt;
  }
  DT_ASSIGN_OR_RETURN(std::string id, saml::NewLogoutId(random_));
  const std::string index = saml::SessionIndexOf(session_id, app.saml().entity_id());
  DT_ASSIGN_OR_RETURN(
      const saml::OutgoingMessage message,
      saml::BuildLogoutRequest(SenderTo(context, app), id, name, index, "", app.saml()));
  return SignOutQuestion{std::move(id), Carry(message, app)};
}

absl::StatusOr<std::optional<http::Response>> SamlFrontEnd::AnswerSignOut(
    const RequestContext& context, const org::v1::App& app, const std::string& state,
    SignOutEnd end) const {
  const Asked asked = Asked::Unpack(state);
  const bool possible = app.has_saml() && saml::LogoutServiceOf(app.saml()) != nullptr;
  if (!possible || asked.request.asynchronous) return std::nullopt;
  DT_ASSIGN_OR_RETURN(
      const saml::OutgoingMessage message,
      saml::BuildLogoutResponse(SenderTo(context, app), asked.request.id, InSaml(end),
                                asked.relay_state, random_, app.saml()));
  return Carry(message, app);
}

}  // namespace devicetrust::gateway
