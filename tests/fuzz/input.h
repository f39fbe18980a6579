// What libFuzzer gives a target, as the types that parsers take.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "libs/base/check.h"

namespace devicetrust::fuzz {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}

  // The first octet, to choose among variants; 0 when there is none.
  std::uint8_t Choice() {
    if (rest_.empty()) return 0;
    const std::uint8_t first = rest_.front();
    rest_ = rest_.subspan(1);
    return first;
  }
  std::span<const std::uint8_t> Bytes() const { return rest_; }
  std::string_view Text() const {
    return {reinterpret_cast<const char*>(rest_.data()), rest_.size()};
  }

 private:
  std::span<const std::uint8_t> rest_;
};

}  // namespace devicetrust::fuzz

// Keeps a result that nobody looks at: to have computed it is the test.
#define DT_FUZZ_USE(expression) static_cast<void>(expression)

// Called with each input; DT_CHECK states what must hold for every one.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
