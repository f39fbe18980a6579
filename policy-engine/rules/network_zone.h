// Addresses and named network zones. An IPv4 address is its IPv4-mapped IPv6 form (RFC 4291,
// section 2.5.5.2), so that 10.1.2.3 and ::ffff:10.1.2.3, as a dual-stack socket reports it, are
// the same client. A range speaks of one family: of IPv4 when all of it lies in ::ffff:0:0/96, else
// of IPv6, and then of no IPv4 client however wide it is. ::/0 is every IPv6 client.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/status.h"

namespace devicetrust::policy {

struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};  // Network order.
  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

  // "10.1.2.3", "2001:db8::1", "fe80::1%eth0" (the scope is dropped), "[::1]"; nullopt for
  // anything else, a port included.
  static std::optional<IpAddress> Parse(std::string_view text);
  std::string ToString() const;
  bool is_v4() const;
};

// The zone that rules mean by on and off network. Without a zone of this name, every address
// is off the network.
inline constexpr std::string_view kNetworkZone = "network";

// An inclusive range of addresses.
struct IpRange {
  IpAddress first;
  IpAddress last;

  bool is_v4() const { return first.is_v4() && last.is_v4(); }

  // "10.0.0.0/8", "2001:db8::/32", a single address, or "10.1.0.5-10.1.0.9".
  // kInvalidArgument names what is wrong; host bits that are set are refused, since they
  // are more often a slip than an intention ("10.1.2.3/8").
  static absl::StatusOr<IpRange> Parse(std::string_view text);
};

inline constexpr std::size_t kRangesPerZoneMax = 1000;

// What an administrator writes.
struct ZoneSpec {
  std::string name;                 // Unique in the org, 1 to 100 bytes.
  std::vector<std::string> ranges;  // As IpRange::Parse() takes them, 1 to kRangesPerZoneMax.
};

// Refuses what Zone::Compile() takes, since earlier releases stored it, but nobody means:
// "::/0000080". For ranges that are new. kInvalidArgument names the range.
absl::Status CheckSpelling(const ZoneSpec& spec);

// Immutable, thread-safe.
class Zone {
 public:
  // kInvalidArgument: a range does not parse (named), none, or too many;
  // the name is empty, too long, or holds control characters.
  static absl::StatusOr<Zone> Compile(const ZoneSpec& spec);

  const std::string& name() const { return name_; }
  bool Contains(const IpAddress& address) const;  // Binary search.
  // What it holds of each family: sorted, disjoint.
  const std::vector<IpRange>& v4() const { return v4_; }
  const std::vector<IpRange>& v6() const { return v6_; }

 private:
  std::string name_;
  std::vector<IpRange> v4_, v6_;  // Sorted, disjoint.
};

}  // namespace devicetrust::policy
