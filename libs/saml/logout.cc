#include "libs/saml/logout.h"

#include <fmt/format.h>

#include <algorithm>

#include "libs/base/encoding.h"
#include "libs/base/utc_time.h"
#include "libs/saml/error.h"
#include "libs/saml/message_writer.h"
#include "libs/saml/xml_signature.h"

namespace devicetrust::saml {
namespace {

constexpr std::string_view kRequestName = "LogoutRequest";
constexpr std::string_view kResponseName = "LogoutResponse";
constexpr std::string_view kAsyncNs = "urn:oasis:names:tc:SAML:2.0:protocol:ext:async-slo";
constexpr std::string_view kSuccessUri = "urn:oasis:names:tc:SAML:2.0:status:Success";
// How long an app may take to ask for it: the browser goes there at once.
constexpr std::chrono::minutes kRequestLifetime{5};

absl::StatusOr<bool> IsAsynchronous(XmlElement root) {
  DT_ASSIGN_OR_RETURN(const std::optional<XmlElement> extensions,
                      root.Child(kSamlpNs, "Extensions"));
  return extensions && !extensions->Children(kAsyncNs, "Asynchronous").empty();
}

absl::Status CheckNotOver(XmlElement root, WallTime now) {
  const std::optional<std::string> text = root.TrimmedAttribute("NotOnOrAfter");
  if (!text) return absl::OkStatus();
  const absl::StatusOr<WallTime> ends = ParseUtc(*text);
  if (!ends.ok()) return BadMessage(kRequestName, "NotOnOrAfter is malformed", *text);
  // The clocks may differ as for IssueInstant.
  if (now < *ends + kRequestAgeMax) return absl::OkStatus();
  return Error(reason::v1::REASON_SAML_REQUEST_EXPIRED, "the LogoutRequest is over", *text);
}

absl::StatusOr<LogoutRequest> ReadRequest(const ReceivedMessage& received,
                                          const org::v1::SamlServiceProvider& provider,
                                          std::string_view slo_url, WallTime now) {
  DT_RETURN_IF_ERROR(CheckEnvelope(received, kRequestName, provider, slo_url, now));
  DT_RETURN_IF_ERROR(CheckSignature(received, provider, /*demanded=*/true));
  const XmlElement root = received.document().root();
  DT_RETURN_IF_ERROR(CheckNotOver(root, now));
  LogoutRequest request;
  request.id = *root.Attribute("ID");
  DT_ASSIGN_OR_RETURN(const std::optional<XmlElement> name_id, root.Child(kSamlNs, "NameID"));
  if (!name_id) {
    return BadMessage(kRequestName,
                      "it has no NameID in clear; there is no key to encrypt one to us");
  }
  request.name_id = {name_id->TrimmedAttribute("Format").value_or(""), name_id->Text()};
  for (const XmlElement& index : root.Children(kSamlpNs, "SessionIndex")) {
    if (request.session_indexes.size() == kSessionIndexesMax) {
      return BadMessage(kRequestName,
                        fmt::format("more than {} SessionIndexes", kSessionIndexesMax));
    }
    request.session_indexes.push_back(index.Text());
  }
  DT_ASSIGN_OR_RETURN(request.asynchronous, IsAsynchronous(root));
  return request;
}

absl::StatusOr<LogoutAnswer> ReadResponse(const ReceivedMessage& received,
                                          const org::v1::SamlServiceProvider& provider,
                                          std::string_view slo_url, WallTime now) {
  DT_RETURN_IF_ERROR(CheckEnvelope(received, kResponseName, provider, slo_url, now));
  DT_RETURN_IF_ERROR(CheckSignature(received, provider, /*demanded=*/true));
  const XmlElement root = received.document().root();
  DT_ASSIGN_OR_RETURN(const std::optional<XmlElement> status, root.Child(kSamlpNs, "Status"));
  if (!status) return BadMessage(kResponseName, "Status is missing");
  DT_ASSIGN_OR_RETURN(const std::optional<XmlElement> code, status->Child(kSamlpNs, "StatusCode"));
  if (!code) return BadMessage(kResponseName, "StatusCode is missing");
  // What is inside tells of a part that has not ended.
  const bool whole = code->Children().empty();
  return LogoutAnswer{root.Attribute("InResponseTo").value_or(""),
                      whole && code->TrimmedAttribute("Value") == kSuccessUri};
}

// `url`: where it goes by `binding`.
absl::StatusOr<OutgoingMessage> Deliver(const LogoutSender& sender, MessageHead head,
                                        const std::string& content, std::string_view field,
                                        std::string_view relay_state,
                                        org::v1::SamlBinding binding) {
  if (binding == org::v1::SAML_BINDING_REDIRECT) {
    DT_ASSIGN_OR_RETURN(const std::string xml, ProtocolMessage(head, content, nullptr));
    DT_ASSIGN_OR_RETURN(std::string url,
                        EncodeRedirect(head.destination, field, xml, relay_state, sender.signer));
    return OutgoingMessage{std::move(url), {}};
  }
  DT_ASSIGN_OR_RETURN(const std::string xml, ProtocolMessage(head, content, &sender.signer));
  OutgoingMessage message{std::string(head.destination), {}};
  message.form.emplace_back(field, Base64Encode(AsBytes(xml)));
  if (!relay_state.empty()) message.form.emplace_back("RelayState", relay_state);
  return message;
}

absl::Status NoService() {
  return absl::FailedPreconditionError("the app has no SingleLogoutService");
}

}  // namespace

bool LogoutRequest::Means(const NameId& name, std::string_view session_index) const {
  const bool any_format = name_id.format.empty() || name_id.format == kNameIdUnspecified;
  if (name.value != name_id.value || (!any_format && name.format != name_id.format)) return false;
  return session_indexes.empty() || std::ranges::count(session_indexes, session_index) > 0;
}

absl::StatusOr<LogoutRequest> CheckLogoutRequest(const ReceivedMessage& received,
                                                 const org::v1::SamlServiceProvider& provider,
                                                 std::string_view slo_url, WallTime now) {
  return Typed(ReadRequest(received, provider, slo_url, now));
}

absl::StatusOr<LogoutAnswer> CheckLogoutResponse(const ReceivedMessage& received,
                                                 const org::v1::SamlServiceProvider& provider,
                                                 std::string_view slo_url, WallTime now) {
  return Typed(ReadResponse(received, provider, slo_url, now));
}

const org::v1::SingleLogoutService* LogoutServiceOf(const org::v1::SamlServiceProvider& provider) {
  for (const org::v1::SingleLogoutService& service : provider.single_logout()) {
    if (service.binding() == org::v1::SAML_BINDING_REDIRECT ||
        service.binding() == org::v1::SAML_BINDING_POST) {
      return &service;
    }
  }
  return nullptr;
}

absl::StatusOr<std::string> NewLogoutId(Random& random) { return NewXmlId(random); }

absl::StatusOr<OutgoingMessage> BuildLogoutRequest(const LogoutSender& sender, std::string_view id,
                                                   const NameId& name_id,
                                                   std::string_view session_index,
                                                   std::string_view relay_state,
                                                   const org::v1::SamlServiceProvider& provider) {
  const org::v1::SingleLogoutService* const service = LogoutServiceOf(provider);
  if (service == nullptr) return NoService();
  const std::string content =
      Element("saml:NameID", SamlDeclaration() + XmlAttribute("Format", name_id.format),
              EscapeXmlText(name_id.value)) +
      TextElement("samlp:SessionIndex", session_index);
  const std::string ends = XmlAttribute("NotOnOrAfter", FormatUtc(sender.now + kRequestLifetime));
  return Deliver(
      sender,
      {"samlp:LogoutRequest", id, sender.idp_entity_id, service->url(), "", sender.now, ends},
      content, "SAMLRequest", relay_state, service->binding());
}

absl::StatusOr<OutgoingMessage> BuildLogoutResponse(const LogoutSender& sender,
                                                    std::string_view in_response_to,
                                                    LogoutOutcome outcome,
                                                    std::string_view relay_state, Random& random,
                                                    const org::v1::SamlServiceProvider& provider) {
  const org::v1::SingleLogoutService* const service = LogoutServiceOf(provider);
  if (service == nullptr) return NoService();
  std::string status;
  switch (outcome) {
    case LogoutOutcome::kSuccess:
      status = StatusElement("Success", "");
      break;
    case LogoutOutcome::kPartial:
      status = StatusElement("Success", "PartialLogout");
      break;
    case LogoutOutcome::kUnknownPrincipal:
      status = StatusElement("Requester", "UnknownPrincipal");
      break;
  }
  DT_ASSIGN_OR_RETURN(const std::string id, NewXmlId(random));
  const std::string& url =
      service->response_url().empty() ? service->url() : service->response_url();
  return Deliver(
      sender, {"samlp:LogoutResponse", id, sender.idp_entity_id, url, in_response_to, sender.now},
      status, "SAMLResponse", relay_state, service->binding());
}

}  // namespace devicetrust::saml
