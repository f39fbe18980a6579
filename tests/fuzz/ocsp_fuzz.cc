// OCSP requests, which anybody may send, and what of them an answer repeats.
#include "libs/pki/der.h"
#include "libs/pki/ocsp.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/keys.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const pki::OcspIssuer issuer(fuzz::Issuer().certificate);
  const auto request = pki::OcspRequest::Parse({data, data + size});
  if (!request.ok()) return 0;
  DT_CHECK(!request->ids().empty() && request->ids().size() <= pki::kOcspIdsMax);
  const auto is_element = [&](pki::DerSpan part) {
    pki::DerSpan rest = part;
    return pki::TakeElement(rest, pki::kDerSequence).has_value() && rest.empty();
  };
  for (const pki::OcspCertId& id : request->ids()) {
    DT_CHECK(is_element(id.der) && id.serial_hex().size() <= 40);
    DT_FUZZ_USE(issuer.Is(id));
  }
  DT_CHECK(request->nonce().empty() || is_element(request->nonce()));
  return 0;
}
