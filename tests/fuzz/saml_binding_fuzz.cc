// SAML messages as browsers carry them: in a query, or in a form.
#include "libs/http/form.h"
#include "libs/saml/binding.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/keys.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Input input(data, size);
  DT_FUZZ_USE(saml::Inflate(input.Text(), 64 * 1024));
  const auto parameters = http::ParseParameters(input.Text());
  if (!parameters.ok()) return 0;
  DT_FUZZ_USE(saml::DecodePost(*parameters, "SAMLRequest"));
  const auto message = saml::DecodeRedirect(*parameters, "SAMLRequest");
  if (!message.ok()) return 0;
  DT_CHECK(message->xml.size() <= saml::kSamlMessageBytesMax);
  DT_FUZZ_USE(saml::VerifyQuerySignature(*message, {fuzz::Issuer().certificate}));
  return 0;
}
