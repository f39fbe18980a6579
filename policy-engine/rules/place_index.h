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

  // Calls `visit` for each pair of sets of rules that some address meets in the one index and in
  // the other, once, with an address that does. The unknown address, nullopt, comes last.
  using Visit = std::function<void(const RuleSet& of_a, const RuleSet& of_b,
                                   const std::optional<IpAddress>& address)>;
  static void ForEachPlace(const PlaceIndex& a, const PlaceIndex& b, const Visit& visit);

 private:
  struct Builder;
  // An address as two numbers, which compare faster than its octets.
  struct Key {
    explicit Key(const IpAddress& address);
    std::uint64_t high;
    std::uint64_t low;
  };
  // An interval reaches to the next one's first address.
  struct Table {
    std::vector<IpAddress> first;
    std::vector<Key> keys;            // Of `first`.
    std::vector<std::uint32_t> sets;  // Beside `first`: numbers of sets_.
  };

  const RuleSet& Of(const Table& table, const IpAddress& address) const;

  Table v4_, v6_;
  std::vector<RuleSet> sets_;
  RuleSet unknown_;
};

}  // namespace devicetrust::policy
