// Metadata that an administrator was sent by somebody.
#include "libs/saml/metadata.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Input input(data, size);
  const auto provider = saml::ParseServiceProvider(
      input.Text(), WallTime{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}});
  if (provider.ok()) {
    DT_CHECK(!provider->saml.entity_id().empty() && provider->saml.acs_size() > 0);
  }
  return 0;
}
