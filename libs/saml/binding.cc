#include "libs/saml/binding.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>

#include "libs/base/check.h"
#include "libs/base/encoding.h"
#include "libs/saml/error.h"
#include "libs/saml/xml_signature.h"

namespace devicetrust::saml {
namespace {

constexpr int kRawDeflate = -15;  // Negative window bits: no zlib header.

absl::StatusOr<std::string> DecodeMessageText(std::string_view name, std::string text) {
  // POST senders fold the base64 into lines; a query has none.
  std::erase_if(text, [](char c) { return c == '\r' || c == '\n'; });
  const absl::StatusOr<Bytes> octets = Base64Decode(text);
  if (!octets.ok() || octets->empty()) {
    return absl::InvalidArgumentError(fmt::format("{} is not base64", name));
  }
  return ToString(*octets);
}

absl::StatusOr<std::string> ReadRelayState(const http::Parameters& parameters) {
  DT_ASSIGN_OR_RETURN(std::string relay_state, parameters.SingleOr("RelayState", ""));
  if (relay_state.size() > kRelayStateBytesMax) {
    return absl::InvalidArgumentError(
        fmt::format("RelayState has {} bytes, and {} at most are carried", relay_state.size(),
                    kRelayStateBytesMax));
  }
  return relay_state;
}

// XML in an encoding that XmlDocument reads begins so.
bool LooksLikeXml(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return text.substr(std::min(first, text.size())).starts_with('<') ||
         text.starts_with("\xef\xbb\xbf") || text.starts_with("\xff\xfe") ||
         text.starts_with("\xfe\xff") || text.starts_with(std::string_view("\0<", 2));
}

absl::StatusOr<std::string> InflateMessage(std::string_view name, std::string_view deflated) {
  absl::StatusOr<std::string> xml = Inflate(deflated, kSamlMessageBytesMax);
  if (xml.ok()) return xml;
  if (absl::IsOutOfRange(xml.status())) {
    return absl::InvalidArgumentError(
        fmt::format("{} is longer than {} bytes", name, kSamlMessageBytesMax));
  }
  return absl::InvalidArgumentError(
      LooksLikeXml(deflated)
          ? fmt::format(
                "{} is not deflated, as a message in a query must be (SAML bindings, section "
                "3.4.4.1); send it by POST or deflate it",
                name)
          : fmt::format("{} is not deflated XML", name));
}

absl::StatusOr<Message> ReadRedirect(const http::Parameters& query, std::string_view name) {
  Message message;
  message.redirect = true;
  DT_ASSIGN_OR_RETURN(const std::optional<http::Parameter> text, query.Optional(name));
  DT_ASSIGN_OR_RETURN(const std::optional<http::Parameter> relay, query.Optional("RelayState"));
  DT_ASSIGN_OR_RETURN(const std::optional<http::Parameter> algorithm, query.Optional("SigAlg"));
  DT_ASSIGN_OR_RETURN(const std::optional<http::Parameter> signature, query.Optional("Signature"));
  DT_ASSIGN_OR_RETURN(
      const std::string encoding,
      query.SingleOr("SAMLEncoding", "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE"));
  if (!text) return absl::InvalidArgumentError(fmt::format("{} is missing", name));
  if (encoding != "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE") {
    return absl::InvalidArgumentError("SAMLEncoding must be DEFLATE");
  }
  DT_ASSIGN_OR_RETURN(message.relay_state, ReadRelayState(query));
  DT_ASSIGN_OR_RETURN(const std::string deflated, DecodeMessageText(name, text->value));
  DT_ASSIGN_OR_RETURN(message.xml, InflateMessage(name, deflated));
  if (algorithm.has_value() != signature.has_value()) {
    return absl::InvalidArgumentError("SigAlg and Signature must come together");
  }
  if (!signature) return message;
  message.query_signed = true;
  message.signed_octets = fmt::format("{}={}", name, text->raw_value);
  if (relay) message.signed_octets += "&RelayState=" + relay->raw_value;
  message.signed_octets += "&SigAlg=" + algorithm->raw_value;
  message.signature_algorithm = algorithm->value;
  DT_ASSIGN_OR_RETURN(message.signature, DecodeMessageText("Signature", signature->value));
  return message;
}

absl::StatusOr<Message> ReadPost(const http::Parameters& form, std::string_view name) {
  Message message;
  DT_ASSIGN_OR_RETURN(std::string text, form.Single(name));
  DT_ASSIGN_OR_RETURN(message.relay_state, ReadRelayState(form));
  DT_ASSIGN_OR_RETURN(message.xml, DecodeMessageText(name, std::move(text)));
  if (message.xml.size() > kSamlMessageBytesMax) {
    return absl::InvalidArgumentError(
        fmt::format("{} is longer than {} bytes", name, kSamlMessageBytesMax));
  }
  if (!LooksLikeXml(message.xml) && Inflate(message.xml, kSamlMessageBytesMax).ok()) {
    return absl::InvalidArgumentError(
        fmt::format("{} is deflated, as in a query; in a form it is base64 of the XML itself (SAML "
                    "bindings, section 3.5.4)",
                    name));
  }
  return message;
}

}  // namespace

absl::StatusOr<Message> DecodeRedirect(const http::Parameters& query, std::string_view name) {
  return Typed(ReadRedirect(query, name));
}

absl::StatusOr<Message> DecodePost(const http::Parameters& form, std::string_view name) {
  return Typed(ReadPost(form, name));
}

absl::StatusOr<std::string> RelayStateOf(const http::Parameters& parameters) {
  return Typed(ReadRelayState(parameters));
}

absl::Status VerifyQuerySignature(const Message& message,
                                  const std::vector<pki::Certificate>& certificates) {
  if (!message.query_signed) {
    return Error(reason::v1::REASON_SAML_SIGNATURE_INVALID, "the request is not signed");
  }
  return VerifySignature(certificates, message.signature_algorithm, message.signed_octets,
                         AsBytes(message.signature));
}

absl::StatusOr<std::string> EncodeRedirect(std::string_view url, std::string_view name,
                                           std::string_view xml, std::string_view relay_state,
                                           const pki::Identity& signer) {
  DT_ASSIGN_OR_RETURN(const std::string_view method, SignatureMethodOf(signer));
  std::string query =
      fmt::format("{}={}", name, http::PercentEncode(Base64Encode(AsBytes(Deflate(xml)))));
  if (!relay_state.empty()) query += "&RelayState=" + http::PercentEncode(relay_state);
  query += fmt::format("&SigAlg={}", http::PercentEncode(method));
  DT_ASSIGN_OR_RETURN(const Bytes value, SignRaw(query, signer));
  return fmt::format("{}{}{}&Signature={}", url, url.find('?') == url.npos ? "?" : "&", query,
                     http::PercentEncode(Base64Encode(value)));
}

absl::StatusOr<std::string> Inflate(std::string_view deflated, std::size_t bytes_max) {
  z_stream stream{};
  if (inflateInit2(&stream, kRawDeflate) != Z_OK) return absl::ResourceExhaustedError("inflate");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(deflated.data()));
  stream.avail_in = static_cast<uInt>(deflated.size());
  std::string text;
  std::array<char, 8192> piece;
  int result = Z_OK;
  while (result == Z_OK && text.size() <= bytes_max) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    result = inflate(&stream, Z_NO_FLUSH);
    text.append(piece.data(), piece.size() - stream.avail_out);
  }
  const bool whole = result == Z_STREAM_END && stream.avail_in == 0;
  inflateEnd(&stream);
  if (text.size() > bytes_max) {
    return absl::OutOfRangeError(fmt::format("more than {} bytes", bytes_max));
  }
  if (!whole) return absl::InvalidArgumentError("not DEFLATE data");
  return text;
}

std::string Deflate(std::string_view text) {
  z_stream stream{};
  const int started =
      deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kRawDeflate, 8, Z_DEFAULT_STRATEGY);
  DT_CHECK(started == Z_OK);  // Fails only when memory is gone.
  std::string deflated(deflateBound(&stream, static_cast<uLong>(text.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(deflated.data());
  stream.avail_out = static_cast<uInt>(deflated.size());
  const int done = deflate(&stream, Z_FINISH);
  deflated.resize(deflated.size() - stream.avail_out);
  deflateEnd(&stream);
  DT_CHECK(done == Z_STREAM_END);  // The bound was asked for.
  return deflated;
}

}  // namespace devicetrust::saml
