// What the simulated apps read: responses and metadata of an identity provider.
#include <vector>

#include "simulator/apps/idp_metadata.h"
#include "simulator/apps/saml_response.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/keys.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<pki::PublicKey> keys{fuzz::Issuer().key.public_key()};
  const fuzz::Input input(data, size);
  const auto assertion = simulator::VerifyResponse(
      input.Text(), {.idp_entity_id = "https://org.localhost/saml",
                     .idp_keys = keys,
                     .sp_entity_id = "urn:example:mail",
                     .acs_url = "https://mail.localhost/acs",
                     .request_id = "_request",
                     .now = WallTime{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}}});
  DT_CHECK(!assertion.ok());  // Nobody signs.
  DT_FUZZ_USE(simulator::ParseIdpMetadata(input.Text()));
  return 0;
}
