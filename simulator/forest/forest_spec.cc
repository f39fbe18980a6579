#include "simulator/forest/forest_spec.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"

namespace devicetrust::simulator {

std::string DomainSpec::realm() const { return absl::AsciiStrToUpper(dns_name); }

std::vector<ForestSpec> DefaultForests() {
  return {{.domains = {{.dns_name = "corp.test", .netbios_name = "CORP"}}}};
}

std::vector<ForestSpec> SomeForests(std::size_t count) {
  constexpr std::array<const char*, kForestsMax> kNames = {
      "corp", "partner", "factory", "research", "retail", "cloud", "clinic", "school"};
  std::vector<ForestSpec> forests;
  for (std::size_t i = 0; i < std::min(count, kForestsMax); ++i) {
    DomainSpec domain;
    domain.dns_name = std::string(kNames[i]) + ".test";
    domain.netbios_name = absl::AsciiStrToUpper(kNames[i]);
    forests.push_back({.domains = {domain}});
  }
  return forests;
}

std::vector<TrustSpec> TrustsOfTheFirst(const std::vector<ForestSpec>& forests) {
  std::vector<TrustSpec> trusts;
  for (std::size_t i = 1; i < forests.size(); ++i) {
    trusts.push_back({.trusting = forests.front().domains.front().dns_name,
                      .trusted = forests[i].domains.front().dns_name});
  }
  return trusts;
}

}  // namespace devicetrust::simulator
