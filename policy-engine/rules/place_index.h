// The location conditions of all rules of an app at once: the addresses are cut into intervals in
// which the same rules hold, so that one binary search answers for all zones of all rules.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "libs/base/status.h"
#include "policy-engine/rules/network_zone.h"
#include "policy-engine/rules/rule_set.h"

namespace devicetrust::policy {

// Immutable and thread-safe.
class PlaceIndex {
 public:
  PlaceIndex() = default;
  // kInvalidArgument: a rule names a zone that `zones` lacks.
  static absl::StatusOr<PlaceIndex> Build(std::span<const Rule> rules, std::span<const Zone> zones);

  // The rules whose location condition holds for a client of this address. Allocates nothing.
  const RuleSet& Match(const std::optional<IpAddress>& address) const;

  // Calls `visit` for each set of rules that some address meets, once, with an address that does;
  // nullopt is the unknown address, and comes first.
  void ForEachPlace(
      const std::function<void(const RuleSet&, const std::optional<IpAddress>&)>& visit) const;

 private:
  struct Builder;
  // An interval reaches to the next one's first address.
  struct Table {
    std::vector<IpAddress> first;
    std::vector<std::uint32_t> sets;  // Beside `first`: numbers of sets_.
  };

  const RuleSet& Of(const Table& table, const IpAddress& address) const;

  Table v4_, v6_;
  std::vector<RuleSet> sets_;
  RuleSet unknown_;
};

}  // namespace devicetrust::policy
