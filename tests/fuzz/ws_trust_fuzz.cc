// SOAP envelopes with a name and a password.
#include "libs/saml/xml.h"
#include "libs/wsfed/trust.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Input input(data, size);
  const auto request = wsfed::ParseTokenRequest(
      input.Text(), WallTime{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}});
  if (!request.ok()) return 0;
  DT_CHECK(!request->user_name.empty() && !request->password.empty() && !request->realm.empty());
  // What is taken up from it does not break the answer.
  DT_CHECK(saml::XmlDocument::Parse(wsfed::BuildTokenEnvelope(*request, "<token></token>")).ok());
  return 0;
}
