// The field in which a proxy writes its client's address.
#include <string_view>

#include "libs/http/message.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view list(reinterpret_cast<const char*>(data), size);
  const auto address = http::LastAddress(list);
  if (!address) return 0;
  // It is what stands last, and reads back as itself.
  DT_CHECK(!address->is_v6() || address->to_v6().scope_id() == 0);
  DT_CHECK(http::LastAddress(address->to_string()) == address);
  DT_CHECK(http::LastAddress("192.0.2.1, " + address->to_string()) == address);
  return 0;
}
