#pragma once

#include <random>

#include "libs/base/random.h"

namespace devicetrust::throwaway {

// Same seed, same bytes. Single-threaded.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  absl::Status Fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(engine_());
    return absl::OkStatus();
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace devicetrust::throwaway
