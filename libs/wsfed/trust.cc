#include "libs/wsfed/trust.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "libs/base/utc_time.h"
#include "libs/saml/xml.h"
#include "libs/wsfed/error.h"
#include "libs/wsfed/names.h"

namespace devicetrust::wsfed {
namespace {

using saml::XmlElement;

constexpr std::string_view kPasswordText =
    "http://docs.oasis-open.org/wss/2004/01/"
    "oasis-200401-wss-username-token-profile-1.0#PasswordText";
constexpr std::size_t kFieldBytesMax = 1024;
constexpr std::array<std::string_view, 2> kAddressing = {
    kAddressingNs, "http://schemas.xmlsoap.org/ws/2004/08/addressing"};

absl::Status BadEnvelope(std::string why) {
  return Error(reason::v1::REASON_WSFED_REQUEST_MALFORMED, std::move(why));
}

absl::StatusOr<XmlElement> Only(XmlElement parent, std::string_view ns, std::string_view name) {
  const auto child = Typed(parent.Child(ns, name));
  if (!child.ok()) return child.status();
  if (!*child) return BadEnvelope(fmt::format("the envelope has no {}", name));
  return **child;
}

absl::StatusOr<std::string> TextOf(XmlElement parent, std::string_view ns, std::string_view name) {
  DT_ASSIGN_OR_RETURN(const XmlElement element, Only(parent, ns, name));
  std::string text = element.Text();
  if (text.empty() || text.size() > kFieldBytesMax) {
    return BadEnvelope(fmt::format("{} must be 1 to {} bytes", name, kFieldBytesMax));
  }
  return text;
}

absl::Status CheckTimestamp(XmlElement security, WallTime now) {
  const auto timestamp = Typed(security.Child(kUtilityNs, "Timestamp"));
  if (!timestamp.ok()) return timestamp.status();
  if (!*timestamp) return absl::OkStatus();
  for (const bool end : {false, true}) {
    const auto element = Typed((*timestamp)->Child(kUtilityNs, end ? "Expires" : "Created"));
    if (!element.ok()) return element.status();
    if (!*element) continue;
    const absl::StatusOr<WallTime> time = ParseUtc((*element)->Text());
    if (!time.ok()) return BadEnvelope("a time stamp is not like 2026-01-02T03:04:05Z");
    if (end ? *time + kEnvelopeSkewMax < now : now + kEnvelopeSkewMax < *time) {
      return BadEnvelope(
          end ? "the message's time stamp is over; check the sender's clock"
              : "the message's time stamp is of the future; check the sender's clock");
    }
  }
  return absl::OkStatus();
}

absl::Status ReadSecurity(XmlElement security, WallTime now, TokenRequest& request) {
  DT_RETURN_IF_ERROR(CheckTimestamp(security, now));
  DT_ASSIGN_OR_RETURN(const XmlElement token, Only(security, kSecurityNs, "UsernameToken"));
  DT_ASSIGN_OR_RETURN(request.user_name, TextOf(token, kSecurityNs, "Username"));
  DT_ASSIGN_OR_RETURN(const XmlElement password, Only(token, kSecurityNs, "Password"));
  if (password.TrimmedAttribute("Type").value_or(std::string(kPasswordText)) != kPasswordText) {
    return BadEnvelope("the password must be sent as text: a digest of it can't be checked");
  }
  request.password = password.ExactText();
  if (request.password.empty() || request.password.size() > kFieldBytesMax) {
    return BadEnvelope(fmt::format("Password must be 1 to {} bytes", kFieldBytesMax));
  }
  return absl::OkStatus();
}

// soap:Header (SOAP 1.2, part 1, section 5.2).
absl::Status ReadHeader(XmlElement header, WallTime now, TokenRequest& request) {
  std::optional<XmlElement> security;
  for (const XmlElement& block : header.Children()) {
    const bool addressing = std::ranges::any_of(
        kAddressing, [&block](std::string_view ns) { return block.Is(ns, block.Name()); });
    if (addressing) {
      if (block.Name() == "MessageID") request.message_id = block.Text();
      continue;
    }
    if (block.Is(kSecurityNs, "Security")) {
      if (security) return BadEnvelope("the envelope has more than one Security header");
      security = block;
      continue;
    }
    const std::string must = block.AttributeOf(kSoap12Ns, "mustUnderstand").value_or("0");
    if (must != "0" && must != "false") {
      return BadEnvelope("a header that must be understood is not");
    }
  }
  if (request.message_id.size() > kFieldBytesMax) return BadEnvelope("MessageID is too long");
  if (!security) return BadEnvelope("the envelope has no Security header with a UsernameToken");
  return ReadSecurity(*security, now, request);
}

absl::Status ReadToken(XmlElement token, TokenRequest& request) {
  const std::string_view ns = request.trust_ns;
  DT_ASSIGN_OR_RETURN(const std::string type, TextOf(token, ns, "RequestType"));
  if (type != fmt::format("{}/Issue", ns)) {
    return BadEnvelope("RequestType is not Issue: tokens are neither renewed nor validated here");
  }
  const auto key_type = Typed(token.Child(ns, "KeyType"));
  if (!key_type.ok()) return key_type.status();
  const std::string key = *key_type ? (*key_type)->Text() : "";
  if (!key.empty() && key != fmt::format("{}/Bearer", ns) &&
      key != "http://schemas.xmlsoap.org/ws/2005/05/identity/NoProofKey") {
    return BadEnvelope("KeyType is neither Bearer nor NoProofKey");
  }
  const auto token_type = Typed(token.Child(ns, "TokenType"));
  if (!token_type.ok()) return token_type.status();
  if (*token_type) {
    DT_ASSIGN_OR_RETURN(request.token_type, TokenTypeOf((*token_type)->Text()));
  }
  for (const std::string_view policy :
       {kPolicyNs, std::string_view("http://www.w3.org/ns/ws-policy")}) {
    const auto applies_to = Typed(token.Child(policy, "AppliesTo"));
    if (!applies_to.ok()) return applies_to.status();
    if (!*applies_to) continue;
    for (const std::string_view addressing : kAddressing) {
      const auto reference = Typed((*applies_to)->Child(addressing, "EndpointReference"));
      if (!reference.ok()) return reference.status();
      if (!*reference) continue;
      DT_ASSIGN_OR_RETURN(request.realm, TextOf(**reference, addressing, "Address"));
      return absl::OkStatus();
    }
  }
  return BadEnvelope("the request has no AppliesTo with an address: whom the token is for");
}

}  // namespace

absl::StatusOr<TokenRequest> ParseTokenRequest(std::string_view envelope, WallTime now) {
  const auto document = Typed(saml::XmlDocument::Parse(envelope, {.bytes_max = kEnvelopeBytesMax}));
  if (!document.ok()) return document.status();
  const XmlElement root = document->root();
  if (!root.Is(kSoap12Ns, "Envelope")) return BadEnvelope("the body is no SOAP 1.2 envelope");
  DT_ASSIGN_OR_RETURN(const XmlElement body, Only(root, kSoap12Ns, "Body"));
  TokenRequest request;
  std::optional<XmlElement> token;
  for (const std::string_view ns : {kTrust2005Ns, kTrust13Ns}) {
    const auto found = Typed(body.Child(ns, "RequestSecurityToken"));
    if (!found.ok()) return found.status();
    if (!*found) continue;
    if (token) return BadEnvelope("the body has more than one RequestSecurityToken");
    token = **found;
    request.trust_ns = ns;
  }
  if (!token) return BadEnvelope("the body has no RequestSecurityToken of WS-Trust");
  DT_ASSIGN_OR_RETURN(const XmlElement header, Only(root, kSoap12Ns, "Header"));
  DT_RETURN_IF_ERROR(ReadHeader(header, now, request));
  DT_RETURN_IF_ERROR(ReadToken(*token, request));
  return request;
}

std::string BuildTokenEnvelope(const TokenRequest& request, std::string_view response) {
  const bool trust13 = request.trust_ns == kTrust13Ns;
  std::string related;
  if (!request.message_id.empty()) {
    related = fmt::format("<a:RelatesTo>{}</a:RelatesTo>", saml::EscapeXmlText(request.message_id));
  }
  std::string body(response);
  if (trust13) {
    body = fmt::format(
        "<trust:RequestSecurityTokenResponseCollection xmlns:trust=\"{}\">{}"
        "</trust:RequestSecurityTokenResponseCollection>",
        kTrust13Ns, response);
  }
  return fmt::format(
      "<s:Envelope xmlns:s=\"{}\" xmlns:a=\"{}\"><s:Header><a:Action s:mustUnderstand=\"1\">{}"
      "</a:Action>{}</s:Header><s:Body>{}</s:Body></s:Envelope>",
      kSoap12Ns, kAddressingNs,
      fmt::format("{}/{}", request.trust_ns, trust13 ? "RSTRC/IssueFinal" : "RSTR/Issue"), related,
      body);
}

std::string BuildFault(Fault fault, std::string_view text) {
  struct Words {
    std::string_view code, subcode_ns, subcode;
  };
  const Words words = [fault]() -> Words {
    switch (fault) {
      case Fault::kInvalidRequest:
        return {"Sender", kTrust2005Ns, "InvalidRequest"};
      case Fault::kFailedAuthentication:
        return {"Sender", kSecurityNs, "FailedAuthentication"};
      case Fault::kRequestFailed:
        return {"Sender", kTrust2005Ns, "RequestFailed"};
      case Fault::kUnavailable:
        break;
    }
    return {"Receiver", kTrust2005Ns, "RequestFailed"};
  }();
  return fmt::format(
      "<s:Envelope xmlns:s=\"{}\"><s:Body><s:Fault><s:Code><s:Value>s:{}</s:Value><s:Subcode>"
      "<s:Value xmlns:c=\"{}\">c:{}</s:Value></s:Subcode></s:Code><s:Reason>"
      "<s:Text xml:lang=\"en\">{}</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>",
      kSoap12Ns, words.code, words.subcode_ns, words.subcode, saml::EscapeXmlText(text));
}

}  // namespace devicetrust::wsfed
