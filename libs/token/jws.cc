#include "libs/token/jws.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "libs/base/encoding.h"
#include "libs/rpc/error.h"
#include "libs/token/json.h"

namespace devicetrust::token {
namespace {

struct Parts {
  std::string_view header;
  std::string_view payload;
  std::string_view signature;
  std::string_view signed_text;  // Header and payload with the dot between.
};

std::optional<Parts> Split(std::string_view compact) {
  const std::size_t first = compact.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = compact.find('.', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  if (compact.find('.', second + 1) != std::string_view::npos) return std::nullopt;
  return Parts{compact.substr(0, first), compact.substr(first + 1, second - first - 1),
               compact.substr(second + 1), compact.substr(0, second)};
}

// kid of an acceptable header.
absl::StatusOr<std::string> CheckHeader(std::string_view text, std::string_view typ) {
  const absl::StatusOr<nlohmann::json> header = ParseObject(text);
  if (!header.ok())
    return Refuse(reason::v1::REASON_TOKEN_MALFORMED, "token header is not a strict JSON object");
  for (const auto& [name, value] : header->items()) {
    if (name != "alg" && name != "kid" && name != "typ") {
      return Refuse(reason::v1::REASON_TOKEN_MALFORMED,
                    "token header has a member other than alg, kid and typ");
    }
  }
  // The algorithm is ours to choose: a header that names another is not negotiated with.
  const absl::StatusOr<std::string> algorithm = StringMember(*header, "alg");
  if (!algorithm.ok() || *algorithm != "ES256") {
    return Refuse(reason::v1::REASON_TOKEN_MALFORMED, "token algorithm is not ES256");
  }
  if (header->contains("typ") != !typ.empty()) {
    return Refuse(reason::v1::REASON_TOKEN_WRONG_TYPE,
                  "token has no type, or one that is not expected");
  }
  if (!typ.empty()) {
    const absl::StatusOr<std::string> found = StringMember(*header, "typ");
    if (!found.ok() || *found != typ) {
      return Refuse(reason::v1::REASON_TOKEN_WRONG_TYPE,
                    fmt::format("token is not of type {}", typ));
    }
  }
  absl::StatusOr<std::string> kid = StringMember(*header, "kid");
  if (!kid.ok()) return Refuse(reason::v1::REASON_TOKEN_MALFORMED, "token header names no key");
  return kid;
}

}  // namespace

absl::Status Refuse(reason::v1::Reason reason, std::string message) {
  const auto code = reason == reason::v1::REASON_TOKEN_MALFORMED
                        ? absl::StatusCode::kInvalidArgument
                        : absl::StatusCode::kUnauthenticated;
  return rpc::MakeError(code, reason, std::move(message));
}

absl::StatusOr<std::string> SignEs256(std::string_view payload, std::string_view typ,
                                      const SigningKey& key) {
  const std::string header = typ.empty()
                                 ? fmt::format(R"({{"alg":"ES256","kid":{}}})", JsonQuote(key.kid))
                                 : fmt::format(R"({{"alg":"ES256","kid":{},"typ":{}}})",
                                               JsonQuote(key.kid), JsonQuote(typ));
  std::string compact = Base64UrlEncode(AsBytes(header)) + "." + Base64UrlEncode(AsBytes(payload));
  DT_ASSIGN_OR_RETURN(const Bytes signature, key.key.SignEs256(compact));
  compact += "." + Base64UrlEncode(signature);
  if (compact.size() > kTokenBytesMax) {
    return absl::InvalidArgumentError("token would be longer than 8 KiB");
  }
  return compact;
}

absl::StatusOr<VerifiedJws> VerifyEs256(std::string_view compact, std::string_view typ,
                                        const KeySet& keys) {
  if (compact.size() > kTokenBytesMax) {
    return Refuse(reason::v1::REASON_TOKEN_MALFORMED, "token is longer than 8 KiB");
  }
  const std::optional<Parts> parts = Split(compact);
  if (!parts) return Refuse(reason::v1::REASON_TOKEN_MALFORMED, "token does not have three parts");
  const absl::StatusOr<Bytes> header = Base64UrlDecode(parts->header);
  const absl::StatusOr<Bytes> payload = Base64UrlDecode(parts->payload);
  const absl::StatusOr<Bytes> signature = Base64UrlDecode(parts->signature);
  if (!header.ok() || !payload.ok() || !signature.ok()) {
    return Refuse(reason::v1::REASON_TOKEN_MALFORMED, "token is not canonical base64url");
  }
  DT_ASSIGN_OR_RETURN(const std::string kid, CheckHeader(ToString(*header), typ));
  if (signature->size() != pki::kEs256Bytes) {
    return Refuse(reason::v1::REASON_TOKEN_MALFORMED, "token signature does not have 64 bytes");
  }
  const KeySet::Entry* signer = keys.Find(kid);
  if (signer == nullptr) {
    return Refuse(reason::v1::REASON_TOKEN_UNKNOWN_KEY,
                  "token is signed with a key that is not registered");
  }
  if (!signer->key.VerifyEs256(parts->signed_text, *signature)) {
    return Refuse(reason::v1::REASON_TOKEN_SIGNATURE_INVALID, "token signature does not verify");
  }
  return VerifiedJws{ToString(*payload), *signer};
}

}  // namespace devicetrust::token
