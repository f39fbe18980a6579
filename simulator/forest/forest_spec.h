// Which forests an environment has: names, no accounts.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace devicetrust::simulator {

// A domain, which is one Kerberos realm.
struct DomainSpec {
  std::string dns_name;      // "corp.test", lower case.
  std::string netbios_name;  // "CORP".
  // The domain SID is S-1-5-21 and these three; none: random ones.
  std::optional<std::array<std::uint32_t, 3>> sid = {};

  std::string realm() const;  // "CORP.TEST".
};

// Forests do not trust one another.
struct ForestSpec {
  std::vector<DomainSpec> domains;  // The first is the root, and names the forest.
};

// What is simulated where nothing else is asked for: a forest of one domain, corp.test.
std::vector<ForestSpec> DefaultForests();

}  // namespace devicetrust::simulator
