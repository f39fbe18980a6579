#include "agent/backoff.h"

#include <algorithm>
#include <array>

namespace devicetrust::agent {

std::chrono::milliseconds SpreadBackoff::Next(std::chrono::milliseconds at_least) {
  const std::chrono::milliseconds base = std::max(pauses_.Next(), at_least);
  std::array<std::uint8_t, 4> bytes{};
  std::uint64_t fraction = 0;  // Of 2^32. Without randomness: no jitter, still a pause.
  if (random_.Fill(bytes).ok()) {
    for (const std::uint8_t byte : bytes) fraction = fraction << 8U | byte;
  }
  const auto half = base.count() / 2;
  const auto jitter = static_cast<std::int64_t>(static_cast<std::uint64_t>(half) * fraction >> 32U);
  // What a server asked for is a minimum: the jitter comes on top of it.
  return at_least > std::chrono::milliseconds(0) ? base + std::chrono::milliseconds(jitter)
                                                 : base - std::chrono::milliseconds(half - jitter);
}

}  // namespace devicetrust::agent
