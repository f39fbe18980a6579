#include "libs/token/key_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "libs/base/encoding.h"
#include "libs/token/json.h"

namespace devicetrust::token {
namespace {

constexpr std::size_t kJwkBytesMax = 2 * 1024;

absl::StatusOr<Bytes> Coordinate(const nlohmann::json& jwk, const char* name) {
  DT_ASSIGN_OR_RETURN(const std::string text, StringMember(jwk, name));
  return Base64UrlDecode(text);
}

bool Is(const nlohmann::json& jwk, const char* name, std::string_view value) {
  const absl::StatusOr<std::string> text = StringMember(jwk, name);
  return text.ok() && *text == value;
}

// Members that narrow what a key is for may be absent, and must agree when they are there.
bool IsForSignatures(const nlohmann::json& jwk) {
  if (jwk.contains("use") && !Is(jwk, "use", "sig")) return false;
  if (jwk.contains("alg") && !Is(jwk, "alg", "ES256")) return false;
  const auto operations = jwk.find("key_ops");
  if (operations == jwk.end()) return true;
  return operations->is_array() && operations->size() == 1 && operations->front() == "verify";
}

}  // namespace

void KeySet::Add(std::string kid, std::string issuer, pki::PublicKey key) {
  Entry entry{std::move(kid), std::move(issuer), std::move(key)};
  const auto it = std::ranges::find(entries_, entry.kid, &Entry::kid);
  if (it == entries_.end()) {
    entries_.push_back(std::move(entry));
  } else {
    *it = std::move(entry);
  }
}

const KeySet::Entry* KeySet::Find(std::string_view kid) const {
  const auto it = std::ranges::find(entries_, kid, &Entry::kid);
  return it == entries_.end() ? nullptr : &*it;
}

absl::StatusOr<std::string> ToJwk(const pki::PublicKey& key, std::string_view kid) {
  DT_ASSIGN_OR_RETURN(const auto point, key.P256Point());
  const std::span<const std::uint8_t> both(point);
  return fmt::format(R"({{"kty":"EC","crv":"P-256","x":"{}","y":"{}","use":"sig","alg":"ES256",)"
                     R"("kid":{}}})",
                     Base64UrlEncode(both.first(32)), Base64UrlEncode(both.subspan(32)),
                     JsonQuote(kid));
}

absl::StatusOr<std::pair<std::string, pki::PublicKey>> FromJwk(std::string_view json) {
  if (json.size() > kJwkBytesMax) return absl::InvalidArgumentError("JWK is longer than 2 KiB");
  DT_ASSIGN_OR_RETURN(const nlohmann::json jwk, ParseObject(json));
  if (!Is(jwk, "kty", "EC") || !Is(jwk, "crv", "P-256") || jwk.contains("d") ||
      !IsForSignatures(jwk)) {
    return absl::InvalidArgumentError("JWK must be a public P-256 key for ES256 signatures");
  }
  DT_ASSIGN_OR_RETURN(const std::string kid, StringMember(jwk, "kid"));
  DT_ASSIGN_OR_RETURN(const Bytes x, Coordinate(jwk, "x"));
  DT_ASSIGN_OR_RETURN(const Bytes y, Coordinate(jwk, "y"));
  DT_ASSIGN_OR_RETURN(pki::PublicKey key, pki::PublicKey::FromP256(x, y));
  return std::pair(kid, std::move(key));
}

}  // namespace devicetrust::token
