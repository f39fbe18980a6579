#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>

namespace devicetrust::policy {

// "1.12.2" as numbers: two to four parts of at most 9 digits each, so that 1.9 < 1.12.
struct IwaVersion {
  std::array<std::uint32_t, 4> parts{};
  friend auto operator<=>(const IwaVersion&, const IwaVersion&) = default;

  static std::optional<IwaVersion> Parse(std::string_view text);
};

// The first version whose tokens enroll anybody (ORG-5).
inline constexpr IwaVersion kIwaVersionDeviceTrust{{1, 11, 0, 0}};
// The first that judges trusts, and so enrolls computers and people of other forests (ORG-6).
inline constexpr IwaVersion kIwaVersionOtherForests{{1, 12, 2, 0}};

}  // namespace devicetrust::policy
