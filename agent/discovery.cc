#include "agent/discovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "libs/base/ascii.h"

namespace devicetrust::agent {
namespace {

using nlohmann::json;

constexpr int kDepthMax = 8;
constexpr std::size_t kIwasMax = 64;

absl::Status Wrong(std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("{}: {}", kDiscoveryPath, what));
}

absl::StatusOr<std::string> Text(const json& object, const char* name, std::size_t bytes_max) {
  const auto member = object.find(name);
  if (member == object.end() || !member->is_string()) {
    return Wrong(fmt::format("\"{}\" is missing or no string", name));
  }
  std::string text = member->get<std::string>();
  if (text.empty() || text.size() > bytes_max) {
    return Wrong(fmt::format("\"{}\" is empty or too long", name));
  }
  return text;
}

// It goes into browsers' policies.
bool IsHostName(std::string_view name) {
  return std::ranges::all_of(name, [](char c) { return IsAlnum(c) || c == '-' || c == '.'; });
}

absl::StatusOr<IwaEntry> ParseIwa(const json& object) {
  if (!object.is_object()) return Wrong("an IWA is no object");
  IwaEntry iwa;
  DT_ASSIGN_OR_RETURN(iwa.name, Text(object, "name", 128));
  DT_ASSIGN_OR_RETURN(iwa.address, Text(object, "address", 256));
  DT_ASSIGN_OR_RETURN(iwa.spn, Text(object, "spn", 256));
  const auto primary = object.find("primary");
  iwa.primary = primary != object.end() && primary->is_boolean() && primary->get<bool>();
  const auto domains = object.find("domains");
  if (domains == object.end()) return iwa;
  if (!domains->is_array()) return Wrong("\"domains\" is no list");
  for (const json& domain : *domains) {
    if (!domain.is_string()) return Wrong("a domain is no string");
    iwa.domains.push_back(domain.get<std::string>());
  }
  return iwa;
}

}  // namespace

absl::StatusOr<Discovery> ParseDiscovery(std::string_view text) {
  if (text.size() > kDiscoveryBytesMax) return Wrong("too long");
  // Depth is bounded while parsing: the parser itself takes any.
  const auto shallow = [](int depth, json::parse_event_t, json&) { return depth <= kDepthMax; };
  const json document = json::parse(text, shallow, /*allow_exceptions=*/false);
  if (!document.is_object()) return Wrong("no JSON object");

  Discovery discovery;
  DT_ASSIGN_OR_RETURN(discovery.org, Text(document, "org", 128));
  DT_ASSIGN_OR_RETURN(discovery.ca_address, Text(document, "ca_address", 256));
  DT_ASSIGN_OR_RETURN(discovery.ca_bundle, Text(document, "ca_bundle", kDiscoveryBytesMax));
  if (document.contains("mtls_host")) {
    DT_ASSIGN_OR_RETURN(discovery.mtls_host, Text(document, "mtls_host", 253));
    if (!IsHostName(discovery.mtls_host)) return Wrong("\"mtls_host\" is no host name");
  }
  const auto iwas = document.find("iwas");
  if (iwas == document.end() || !iwas->is_array() || iwas->size() > kIwasMax) {
    return Wrong("\"iwas\" is missing, no list, or too long");
  }
  for (const json& object : *iwas) {
    DT_ASSIGN_OR_RETURN(IwaEntry iwa, ParseIwa(object));
    discovery.iwas.push_back(std::move(iwa));
  }
  return discovery;
}

}  // namespace devicetrust::agent
