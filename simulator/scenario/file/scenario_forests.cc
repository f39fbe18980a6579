#include "simulator/scenario/file/scenario_forests.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

namespace devicetrust::simulator {
namespace {

constexpr std::size_t kTrustPairsMax = 56;  // Each of eight forests with each other.

bool IsDomain(const std::string& name) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  };
  return name.size() <= 60 && std::ranges::all_of(name, letter) && name.front() != '.' &&
         name.back() != '.' && name.find('.') != std::string::npos &&
         name.find("..") == std::string::npos;
}

absl::Status ReadDomains(const std::string& file, const YamlNode& forests, FleetMix& mix) {
  std::set<std::string> seen;
  for (const YamlNode& forest : forests.items) {
    std::vector<std::string>& domains = mix.forests.emplace_back();
    for (const YamlNode& domain : forest.items) {
      const bool good = domain.kind == YamlNode::Kind::kText && IsDomain(domain.text);
      if (!good || !seen.insert(domain.text).second) {
        return ErrorAt(file, domain.place,
                       good ? fmt::format("the domain {} is there twice", domain.text)
                            : fmt::format("\"{}\" is no DNS name of a domain", domain.text),
                       "Write names such as corp.test, in lower case, each once.");
      }
      domains.push_back(domain.text);
    }
  }
  const bool empty = mix.forests.empty() || mix.forests.size() > 8 ||
                     std::ranges::any_of(mix.forests, [](const auto& domains) {
                       return domains.empty() || domains.size() > 8;
                     });
  if (!empty) return absl::OkStatus();
  return ErrorAt(file, forests.place, "forests is a list of lists of domains, 1 to 8 each",
                 "[[corp.test, eu.corp.test], [west.test]] are two forests.");
}

absl::Status ReadTrusts(const std::string& file, const YamlNode& trusts, FleetMix& mix) {
  constexpr std::string_view kRemedy =
      "[[corp.test, west.test]] lets those of west.test into corp.test.";
  if (trusts.kind != YamlNode::Kind::kList || trusts.items.size() > kTrustPairsMax) {
    return ErrorAt(file, trusts.place,
                   fmt::format("trusts is a list of at most {} pairs of domains", kTrustPairsMax),
                   kRemedy);
  }
  const auto forest_of = [&mix](const YamlNode& name) {
    return std::ranges::find_if(mix.forests, [&name](const auto& domains) {
      return name.kind == YamlNode::Kind::kText && std::ranges::count(domains, name.text) > 0;
    });
  };
  for (const YamlNode& pair : trusts.items) {
    if (pair.kind != YamlNode::Kind::kList || pair.items.size() != 2) {
      return ErrorAt(file, pair.place, "a trust is a pair of domains", kRemedy);
    }
    for (const YamlNode& name : pair.items) {
      if (forest_of(name) != mix.forests.end()) continue;
      return ErrorAt(file, name.place, fmt::format("\"{}\" is no domain of the forests", name.text),
                     "Name domains that stand in forests.");
    }
    if (forest_of(pair.items[0]) == forest_of(pair.items[1])) {
      return ErrorAt(file, pair.place, "these two are of one forest",
                     "Domains of one forest trust one another anyway.");
    }
    mix.trusts.emplace_back(pair.items[0].text, pair.items[1].text);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadForests(const std::string& file, const Section& fleet, FleetMix& mix) {
  if (const YamlNode* const forests = fleet.Find("forests"); forests != nullptr) {
    DT_RETURN_IF_ERROR(ReadDomains(file, *forests, mix));
  }
  if (const YamlNode* const trusts = fleet.Find("trusts"); trusts != nullptr) {
    DT_RETURN_IF_ERROR(ReadTrusts(file, *trusts, mix));
  }
  return absl::OkStatus();
}

}  // namespace devicetrust::simulator
