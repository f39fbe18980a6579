// Tokens: the compact form as a stranger sends it, and claims under a signature that is good.
#include <string>

#include "libs/token/claims.h"
#include "libs/token/jws.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/keys.h"

using namespace devicetrust;

namespace {

constexpr WallTime kNow{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}};

void Verify(std::string_view compact, const token::KeySet& keys) {
  DT_FUZZ_USE(token::VerifyDeviceToken(compact, keys, "urn:devicetrust:acme:iwa:iwa-1", kNow));
  DT_FUZZ_USE(token::VerifyUserToken(compact, keys, "urn:devicetrust:acme:ca", kNow));
  DT_FUZZ_USE(token::VerifyProof(compact, keys, "urn:devicetrust:acme:org", kNow));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const token::SigningKey key{"k1", fuzz::Issuer().key};
  static const token::KeySet keys = [] {
    token::KeySet set;
    set.Add("k1", "urn:devicetrust:acme:iwa:iwa-1", fuzz::Issuer().key.public_key());
    return set;
  }();
  fuzz::Input input(data, size);
  const std::uint8_t choice = input.Choice();
  if (choice % 4 == 0) {
    Verify(input.Text(), keys);
    return 0;
  }
  constexpr std::string_view kTypes[] = {"dt-device+jwt", "dt-user+jwt", "dt-proof+jwt"};
  const auto compact = token::SignEs256(input.Text(), kTypes[choice % 4 - 1], key);
  if (compact.ok()) Verify(*compact, keys);
  return 0;
}
