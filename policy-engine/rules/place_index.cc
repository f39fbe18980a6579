#include "policy-engine/rules/place_index.h"

#include <endian.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace devicetrust::policy {
namespace {

constexpr IpAddress kFirstV4{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0}};
constexpr IpAddress kLastV4{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
constexpr IpAddress kFirstV6{};

std::uint64_t LoadBigEndian(const std::uint8_t* bytes) {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes, sizeof value);
  return be64toh(value);
}

// False: there is none after it.
bool Next(IpAddress& address) {
  for (std::size_t i = address.bytes.size(); i-- > 0;) {
    if (++address.bytes[i] != 0) return true;
  }
  return false;
}

IpAddress Before(IpAddress address) {
  for (std::size_t i = address.bytes.size(); i-- > 0;) {
    if (address.bytes[i]-- != 0) break;
  }
  return address;
}

// An address of that family between the two. Nothing: there are only addresses of IPv4 clients
// where one of IPv6 is wanted.
std::optional<IpAddress> ClientIn(const IpAddress& first, const IpAddress& last, bool v4) {
  IpAddress second = first;  // Less likely a network's own name than the first.
  if (first < last) Next(second);
  for (const IpAddress& address : {second, first, last}) {
    if (address.is_v4() == v4) return address;
  }
  return std::nullopt;
}

absl::StatusOr<std::vector<std::size_t>> ZonesNamed(const Rule& rule, std::span<const Zone> zones) {
  std::vector<std::string> names = rule.location.zones;
  const bool network =
      rule.location.kind == Location::kOnNetwork || rule.location.kind == Location::kOffNetwork;
  if (network) names = {std::string(kNetworkZone)};
  std::vector<std::size_t> found;
  for (const std::string& name : names) {
    const auto zone = std::find_if(zones.begin(), zones.end(),
                                   [&name](const Zone& known) { return known.name() == name; });
    if (zone == zones.end()) {
      return absl::InvalidArgumentError(
          fmt::format("rule '{}': location: there is no network zone '{}'", rule.name, name));
    }
    found.push_back(static_cast<std::size_t>(zone - zones.begin()));
  }
  return found;
}

}  // namespace

// Walks along the addresses and keeps count of the zones that it is in.
struct PlaceIndex::Builder {
  Builder(PlaceIndex& place_index, std::size_t zone_count)
      : index(place_index), depth(zone_count, 0), rules_in(zone_count), rules_out(zone_count) {}

  struct Edge {
    IpAddress at;
    std::size_t zone;
    int step;  // +1: the zone begins here, -1: it has ended before.
    bool operator<(const Edge& other) const { return at < other.at; }
  };

  void AddRanges(std::size_t zone, std::span<const IpRange> ranges, std::vector<Edge>& edges) {
    for (const IpRange& range : ranges) {
      edges.push_back({range.first, zone, 1});
      IpAddress after = range.last;
      if (Next(after)) edges.push_back({after, zone, -1});
    }
  }

  RuleSet Here() const {
    RuleSet in, out;
    for (std::size_t zone = 0; zone < depth.size(); ++zone) {
      if (depth[zone] == 0) continue;
      in |= rules_in[zone];
      out |= rules_out[zone];
    }
    return (anywhere | in) | (wants_outside - out);
  }

  std::uint32_t NumberOf(const RuleSet& set) {
    const auto [at, fresh] = numbers.emplace(set, static_cast<std::uint32_t>(index.sets_.size()));
    if (fresh) index.sets_.push_back(set);
    return at->second;
  }

  void Fill(Table& table, const IpAddress& begin, std::vector<Edge> edges) {
    std::sort(edges.begin(), edges.end());
    std::fill(depth.begin(), depth.end(), 0);
    const auto open = [&](const IpAddress& at) {
      const std::uint32_t number = NumberOf(Here());
      if (!table.sets.empty() && table.sets.back() == number) return;
      table.first.push_back(at);
      table.keys.emplace_back(at);
      table.sets.push_back(number);
    };
    std::size_t next = 0;
    IpAddress at = begin;
    while (true) {
      for (; next < edges.size() && edges[next].at <= at; ++next) {
        depth[edges[next].zone] += edges[next].step;
      }
      open(at);
      if (next == edges.size()) return;
      at = edges[next].at;
    }
  }

  PlaceIndex& index;
  std::vector<int> depth;          // By zone: in how many of its ranges.
  std::vector<RuleSet> rules_in;   // By zone: the rules that want to be in it.
  std::vector<RuleSet> rules_out;  // By zone: the rules that want to be outside of it.
  RuleSet anywhere, wants_outside;
  std::unordered_map<RuleSet, std::uint32_t, RuleSet::Hash> numbers;
};

absl::StatusOr<PlaceIndex> PlaceIndex::Build(std::span<const Rule> rules,
                                             std::span<const Zone> zones) {
  PlaceIndex index;
  Builder builder(index, zones.size());
  std::vector<bool> named(zones.size(), false);
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const Location kind = rules[i].location.kind;
    if (kind == Location::kAnywhere) {
      builder.anywhere.Add(i);
      continue;
    }
    const bool inside = kind == Location::kOnNetwork || kind == Location::kInZones;
    if (!inside) builder.wants_outside.Add(i);
    DT_ASSIGN_OR_RETURN(const std::vector<std::size_t> wanted, ZonesNamed(rules[i], zones));
    for (const std::size_t zone : wanted) {
      (inside ? builder.rules_in : builder.rules_out)[zone].Add(i);
      named[zone] = true;
    }
  }
  index.unknown_ = builder.anywhere | builder.wants_outside;
  std::vector<Builder::Edge> v4, v6;
  for (std::size_t zone = 0; zone < zones.size(); ++zone) {
    if (!named[zone]) continue;
    builder.AddRanges(zone, zones[zone].v4(), v4);
    builder.AddRanges(zone, zones[zone].v6(), v6);
  }
  builder.Fill(index.v4_, kFirstV4, std::move(v4));
  builder.Fill(index.v6_, kFirstV6, std::move(v6));
  return index;
}

PlaceIndex::Key::Key(const IpAddress& address)
    : high(LoadBigEndian(address.bytes.data())), low(LoadBigEndian(address.bytes.data() + 8)) {}

// The last interval that begins at or before the address, which the first of all does. Addresses
// follow no pattern that a processor could learn, so that the search has no branch to guess.
const RuleSet& PlaceIndex::Of(const Table& table, const IpAddress& address) const {
  const Key wanted(address);
  const Key* at = table.keys.data();
  for (std::size_t left = table.keys.size(); left > 1;) {
    const std::size_t half = left / 2;
    const Key& middle = at[half];
    const auto less = static_cast<std::size_t>(middle.high < wanted.high);
    const auto same = static_cast<std::size_t>(middle.high == wanted.high);
    const auto not_above = static_cast<std::size_t>(middle.low <= wanted.low);
    at += half * (less | (same & not_above));
    left -= half;
  }
  return sets_[table.sets[static_cast<std::size_t>(at - table.keys.data())]];
}

const RuleSet& PlaceIndex::Match(const std::optional<IpAddress>& address) const {
  if (!address || sets_.empty()) return unknown_;
  return Of(address->is_v4() ? v4_ : v6_, *address);
}

void PlaceIndex::ForEachPlace(const PlaceIndex& a, const PlaceIndex& b, const Visit& visit) {
  struct PairHash {
    std::size_t operator()(const std::pair<RuleSet, RuleSet>& pair) const {
      return RuleSet::Hash{}(pair.first) * 31 + RuleSet::Hash{}(pair.second);
    }
  };
  std::unordered_set<std::pair<RuleSet, RuleSet>, PairHash> seen;
  const auto look = [&](const std::optional<IpAddress>& address) {
    const RuleSet& of_a = a.Match(address);
    const RuleSet& of_b = b.Match(address);
    if (seen.emplace(of_a, of_b).second) visit(of_a, of_b, address);
  };
  for (const bool v4 : {true, false}) {
    std::vector<IpAddress> first = v4 ? a.v4_.first : a.v6_.first;
    const std::vector<IpAddress>& others = v4 ? b.v4_.first : b.v6_.first;
    first.insert(first.end(), others.begin(), others.end());
    std::sort(first.begin(), first.end());
    first.erase(std::unique(first.begin(), first.end()), first.end());
    for (std::size_t i = 0; i < first.size(); ++i) {
      IpAddress last = kLastV4;
      if (!v4) last.bytes.fill(0xff);
      if (i + 1 < first.size()) last = Before(first[i + 1]);
      if (const auto example = ClientIn(first[i], last, v4)) look(example);
    }
  }
  look(std::nullopt);
}

}  // namespace devicetrust::policy
