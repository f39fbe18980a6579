// Certification requests of anybody who has a user token.
#include "libs/pki/csr.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto csr = pki::ParseCsr({data, size});
  if (csr.ok()) DT_CHECK(csr->public_key.type() == pki::KeyType::kP256);
  return 0;
}
