#include "libs/base/ordered_id.h"

#include <algorithm>
#include <chrono>

#include "libs/base/bytes.h"
#include "libs/base/check.h"
#include "libs/base/encoding.h"

namespace devicetrust {
namespace {

constexpr std::size_t kTimeOctets = 6;
constexpr std::int64_t kEarliest = std::int64_t{1} << 40U;  // In 2004: no leading zero octet.

}  // namespace

absl::StatusOr<std::string> NewOrderedId(std::size_t octets, WallTime now, Random& random) {
  DT_CHECK(octets >= 8 && octets <= 64);
  const std::int64_t time = std::max<std::int64_t>(
      std::chrono::floor<std::chrono::milliseconds>(now.time_since_epoch()).count(), kEarliest);
  Bytes id(octets);
  for (std::size_t i = 0; i < kTimeOctets; ++i) {
    id[i] = static_cast<std::uint8_t>(time >> (8U * (kTimeOctets - 1 - i)));
  }
  DT_RETURN_IF_ERROR(random.Fill(std::span(id).subspan(kTimeOctets)));
  return HexEncode(id);
}

}  // namespace devicetrust
