#include "policy-engine/rules/network_zone.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "libs/base/ascii.h"

namespace devicetrust::policy {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::optional<IpAddress> ParseV4(const char* text) {
  IpAddress address;
  std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), address.bytes.begin());
  if (inet_pton(AF_INET, text, address.bytes.data() + 12) != 1) return std::nullopt;
  return address;
}

std::optional<IpAddress> ParseV6(const char* text) {
  IpAddress address;
  if (inet_pton(AF_INET6, text, address.bytes.data()) != 1) return std::nullopt;
  return address;
}

absl::Status RangeError(std::string_view text, std::string_view why) {
  return absl::InvalidArgumentError(
      fmt::format("'{}' is no address range: {}. Write 10.0.0.0/8, 2001:db8::/32, one address, "
                  "or first-last.",
                  text.substr(0, 100), why));
}

// `prefix_bits` of 128. False when `base` has bits set behind the prefix.
bool Mask(const IpAddress& base, unsigned prefix_bits, IpRange& range) {
  range.first = base;
  range.last = base;
  bool clean = true;
  for (unsigned i = 0; i < 16; ++i) {
    const unsigned kept =
        std::clamp<int>(static_cast<int>(prefix_bits) - static_cast<int>(i) * 8, 0, 8);
    const auto host_bits = static_cast<std::uint8_t>(0xffu >> kept);
    clean = clean && (base.bytes[i] & host_bits) == 0;
    range.last.bytes[i] = static_cast<std::uint8_t>(range.last.bytes[i] | host_bits);
  }
  return clean;
}

absl::StatusOr<IpRange> ParsePrefix(std::string_view text, std::size_t slash) {
  const std::optional<IpAddress> base = IpAddress::Parse(text.substr(0, slash));
  if (!base) return RangeError(text, "the part before '/' is no address");
  const bool v4 = base->is_v4() && text.find(':') == std::string_view::npos;
  const std::string_view digits = text.substr(slash + 1);
  unsigned bits = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  const unsigned bits_max = v4 ? 32 : 128;
  if (error != std::errc() || end != digits.data() + digits.size() || bits > bits_max) {
    return RangeError(text, fmt::format("the prefix length must be 0 to {}", bits_max));
  }
  IpRange range;
  if (!Mask(*base, v4 ? bits + 96 : bits, range)) {
    return RangeError(text, "the address has bits set behind the prefix");
  }
  return range;
}

// Sorts the ranges and joins those that overlap.
void Merge(std::vector<IpRange>& ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const IpRange& a, const IpRange& b) { return a.first < b.first; });
  std::vector<IpRange> disjoint;
  for (const IpRange& range : ranges) {
    if (!disjoint.empty() && range.first <= disjoint.back().last) {
      disjoint.back().last = std::max(disjoint.back().last, range.last);
    } else {
      disjoint.push_back(range);
    }
  }
  ranges = std::move(disjoint);
}

}  // namespace

std::optional<IpAddress> IpAddress::Parse(std::string_view text) {
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']') {
    text = text.substr(1, text.size() - 2);
    if (text.find(':') == std::string_view::npos) return std::nullopt;
  }
  const bool v6 = text.find(':') != std::string_view::npos;
  if (v6) text = text.substr(0, text.find('%'));
  if (text.empty() || text.size() >= INET6_ADDRSTRLEN) return std::nullopt;
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  std::memcpy(terminated.data(), text.data(), text.size());
  return v6 ? ParseV6(terminated.data()) : ParseV4(terminated.data());
}

bool IpAddress::is_v4() const {
  return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin());
}

std::string IpAddress::ToString() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (is_v4()) {
    inet_ntop(AF_INET, bytes.data() + 12, text.data(), text.size());
  } else {
    inet_ntop(AF_INET6, bytes.data(), text.data(), text.size());
  }
  return text.data();
}

absl::StatusOr<IpRange> IpRange::Parse(std::string_view text) {
  if (const std::size_t slash = text.find('/'); slash != std::string_view::npos) {
    return ParsePrefix(text, slash);
  }
  const std::size_t dash = text.find('-');
  const std::optional<IpAddress> first = IpAddress::Parse(text.substr(0, dash));
  const std::optional<IpAddress> last =
      dash == std::string_view::npos ? first : IpAddress::Parse(text.substr(dash + 1));
  if (!first || !last) return RangeError(text, "not an address");
  if (*last < *first) return RangeError(text, "the last address is before the first");
  if (first->is_v4() != last->is_v4()) return RangeError(text, "it mixes IPv4 and IPv6");
  return IpRange{*first, *last};
}

absl::Status CheckSpelling(const ZoneSpec& spec) {
  for (const std::string_view text : spec.ranges) {
    const std::size_t slash = text.find('/');
    if (slash == text.npos || slash + 2 >= text.size() || text[slash + 1] != '0') continue;
    return RangeError(text, "the prefix length has zeros before it");
  }
  return absl::OkStatus();
}

absl::StatusOr<Zone> Zone::Compile(const ZoneSpec& spec) {
  if (spec.name.empty() || spec.name.size() > 100 || HasControl(spec.name)) {
    return absl::InvalidArgumentError("a zone's name must be 1 to 100 printable bytes");
  }
  if (spec.ranges.empty() || spec.ranges.size() > kRangesPerZoneMax) {
    return absl::InvalidArgumentError(fmt::format("zone '{}' has {} ranges, it must have 1 to {}",
                                                  spec.name, spec.ranges.size(),
                                                  kRangesPerZoneMax));
  }
  Zone zone;
  zone.name_ = spec.name;
  for (const std::string& text : spec.ranges) {
    DT_ASSIGN_OR_RETURN(const IpRange range, IpRange::Parse(text));
    (range.is_v4() ? zone.v4_ : zone.v6_).push_back(range);
  }
  Merge(zone.v4_);
  Merge(zone.v6_);
  return zone;
}

bool Zone::Contains(const IpAddress& address) const {
  const std::vector<IpRange>& ranges = address.is_v4() ? v4_ : v6_;
  const auto after = std::upper_bound(
      ranges.begin(), ranges.end(), address,
      [](const IpAddress& wanted, const IpRange& range) { return wanted < range.first; });
  return after != ranges.begin() && address <= std::prev(after)->last;
}

}  // namespace devicetrust::policy
