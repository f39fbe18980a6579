// SPNEGO answers.
#include "libs/kerberos/negotiate.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto inner = kerberos::ApRepOf({data, size});
  if (inner) DT_CHECK(inner->data() >= data && inner->size() <= size);
  DT_FUZZ_USE(kerberos::NegTokenInit({data, size}));
  return 0;
}
