#include "simulator/forest/forest_spec.h"

#include "absl/strings/ascii.h"

namespace devicetrust::simulator {

std::string DomainSpec::realm() const { return absl::AsciiStrToUpper(dns_name); }

std::vector<ForestSpec> DefaultForests() {
  return {{.domains = {{.dns_name = "corp.test", .netbios_name = "CORP"}}}};
}

}  // namespace devicetrust::simulator
