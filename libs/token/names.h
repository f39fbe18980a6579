// URN names (docs/architecture.md): who issues, whom a token or certificate is about.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>

namespace devicetrust::token {

// urn:devicetrust:ORG:KIND:ID, or urn:devicetrust:ORG:KIND where one org has one of a kind.
inline std::string Urn(std::string_view org, std::string_view kind, std::string_view id) {
  return fmt::format("urn:devicetrust:{}:{}:{}", org, kind, id);
}
inline std::string Urn(std::string_view org, std::string_view kind) {
  return fmt::format("urn:devicetrust:{}:{}", org, kind);
}

// Issuer of device and user tokens, and audience of device tokens.
inline std::string IwaUrn(std::string_view org, std::string_view iwa_name) {
  return Urn(org, "iwa", iwa_name);
}
inline std::string CaUrn(std::string_view org) { return Urn(org, "ca"); }  // Of user tokens.
inline std::string ProofIssuer(std::string_view org) { return Urn(org, "gateway"); }
inline std::string ProofAudience(std::string_view org) { return Urn(org, "policy"); }

// ID of urn:devicetrust:ORG:KIND:ID; nothing when `urn` is of another org or kind, or the
// ID is empty. Device certificates carry one of kind "device" and one of "enrollment".
inline std::optional<std::string> IdOfUrn(std::string_view urn, std::string_view org,
                                          std::string_view kind) {
  const std::string prefix = Urn(org, kind, "");
  if (!urn.starts_with(prefix) || urn.size() == prefix.size()) return std::nullopt;
  return std::string(urn.substr(prefix.size()));
}

}  // namespace devicetrust::token
