#include "agent/backoff.h"

#include <algorithm>
#include <array>

namespace devicetrust::agent {

std::chrono::milliseconds SpreadBackoff::Next(std::chrono::milliseconds at_least) {
  const auto limit = static_cast<std::uint64_t>(std::max<std::int64_t>(pauses_.Next().count(), 1));
  std::array<std::uint8_t, 4> bytes{};
  std::uint64_t fraction = 0xffffffff;  // Of 2^32. Without randomness: the whole pause.
  if (random_.Fill(bytes).ok()) {
    fraction = 0;
    for (const std::uint8_t byte : bytes) fraction = fraction << 8U | byte;
  }
  return at_least +
         std::chrono::milliseconds(1 + static_cast<std::int64_t>(limit * fraction >> 32U));
}

}  // namespace devicetrust::agent
