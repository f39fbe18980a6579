// Lists of revoked certificates, and the DER reader below them.
#include "libs/pki/crl.h"
#include "libs/pki/der.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/keys.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  DT_FUZZ_USE(pki::ParseCrl({data, size}, fuzz::Issuer().certificate));
  DT_FUZZ_USE(pki::SplitEcdsaSigned({data, size}));
  pki::DerSpan rest(data, size);
  while (!rest.empty()) {
    const std::size_t before = rest.size();
    if (!pki::TakeElement(rest, rest[0])) break;
    DT_CHECK(rest.size() < before);
  }
  return 0;
}
