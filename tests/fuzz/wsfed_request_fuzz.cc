// WS-Federation requests in a URL or form: parameters, and the RequestSecurityToken in wreq.
#include <algorithm>

#include "libs/http/form.h"
#include "libs/wsfed/request.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

namespace {

org::v1::WsFedRelyingParty Party() {
  org::v1::WsFedRelyingParty party;
  party.set_realm("urn:example:crm");
  party.add_reply_urls("https://crm.example/wsfed");
  party.add_reply_urls("https://crm.example/other?a=1&b=2");
  return party;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto* const party = new org::v1::WsFedRelyingParty(Party());
  const fuzz::Input input(data, size);
  const auto parameters = http::ParseParameters(input.Text());
  if (!parameters.ok()) return 0;
  DT_FUZZ_USE(wsfed::ActionOf(*parameters));
  const auto request = wsfed::CheckSignIn(*parameters, *party);
  if (!request.ok()) return 0;
  DT_CHECK(std::ranges::count(party->reply_urls(), request->reply_url) == 1);
  DT_CHECK(request->context == parameters->SingleOr("wctx", "").value());
  DT_CHECK(!request->fresh_within || request->fresh_within->count() >= 0);
  return 0;
}
