// Which forests an environment has, and which trust one another: names, no accounts.
#pragma once

#include <array>
#include <cstddef>
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

// Domains of a forest trust one another, along the tree of their names: "eu.corp.test" is a child
// of "corp.test", and who has no parent in the forest hangs on the root.
struct ForestSpec {
  std::vector<DomainSpec> domains;  // The first is the root, and names the forest.
};

// A trust between two forests, named by their roots, or between two domains of different forests.
struct TrustSpec {
  std::string trusting;  // "corp.test" lets in those of `trusted`.
  std::string trusted;
  bool both_ways = false;
};

// What is simulated where nothing else is asked for: a forest of one domain, corp.test.
std::vector<ForestSpec> DefaultForests();

// `count` forests, from 1 to kForestsMax: corp.test with its own and others of one domain each,
// which it trusts and which do not trust it or one another.
inline constexpr std::size_t kForestsMax = 8;
std::vector<ForestSpec> SomeForests(std::size_t count);
std::vector<TrustSpec> TrustsOfTheFirst(const std::vector<ForestSpec>& forests);

}  // namespace devicetrust::simulator
