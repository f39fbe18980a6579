// PKCS#11 URIs: what was taken is written in one form, which means the same.
#include "libs/pki/pkcs11_uri.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Input input(data, size);
  const auto uri = pki::ParsePkcs11Uri(input.Text());
  if (!uri.ok()) return 0;
  const std::string text = uri->ToString();
  const auto again = pki::ParsePkcs11Uri(text);
  if (text.size() > pki::kPkcs11UriBytesMax) return 0;  // Each octet of an id may become three.
  DT_CHECK(again.ok() && *again == *uri && again->ToString() == text);
  return 0;
}
