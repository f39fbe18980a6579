// Keys that IWAs register.
#include "libs/token/key_set.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Input input(data, size);
  const auto key = token::FromJwk(input.Text());
  if (!key.ok()) return 0;
  const auto json = token::ToJwk(key->second, key->first);
  if (!json.ok()) return 0;
  const auto again = token::FromJwk(*json);
  DT_CHECK(again.ok() && again->second == key->second && again->first == key->first);
  return 0;
}
