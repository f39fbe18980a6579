// Bad input made from good: a smoke test that every parser gets. Tests only.
#pragma once

#include <random>

#include "libs/base/bytes.h"

namespace devicetrust::testing {

// Calls `try_input` with `count` variants of `good`: bits flipped, octets replaced by
// telling ones, cut, doubled, inserted. A function of `seed`, so that a failure repeats.
template <typename F>
void ForEachMutation(const Bytes& good, int count, std::uint64_t seed, F try_input) {
  static constexpr std::uint8_t kTelling[] = {0x00, 0x01, 0x30, 0x7f, 0x80, 0x81, 0xff, '"', '.'};
  std::mt19937_64 engine(seed);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(engine() % n); };
  for (int i = 0; i < count; ++i) {
    Bytes bad = good;
    for (std::size_t edits = 1 + below(3); edits > 0 && !bad.empty(); --edits) {
      const auto at = bad.begin() + static_cast<std::ptrdiff_t>(below(bad.size()));
      switch (below(5)) {
        case 0:
          *at = static_cast<std::uint8_t>(*at ^ (1U << below(8)));
          break;
        case 1:
          *at = kTelling[below(sizeof(kTelling))];
          break;
        case 2:
          bad.erase(at, bad.end());
          break;
        case 3:
          bad.insert(at, kTelling[below(sizeof(kTelling))]);
          break;
        default:
          bad.erase(at);
      }
    }
    try_input(bad);
  }
}

}  // namespace devicetrust::testing
