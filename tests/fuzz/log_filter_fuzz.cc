// Filter expressions of the System Log, as administrators and scripts send them.
#include "policy-engine/log/filter.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

namespace {

org::v1::Event SomeEvent() {
  org::v1::Event event;
  event.set_id("ca/revoke-0a1b");
  event.set_type("pki.cert.revoke");
  event.mutable_at()->set_seconds(1'780'300'800);
  event.mutable_actor()->set_type("User");
  event.mutable_actor()->set_display_name("ada@corp.test");
  event.mutable_client()->add_zones("office");
  for (const char* type : {"User", "Device"}) {
    event.add_targets()->set_type(type);
    event.mutable_targets()->rbegin()->set_id("d1");
  }
  (*event.mutable_debug_data())["device_id"] = "d1";
  (*event.mutable_debug_data())["count"] = "12";
  return event;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const org::v1::Event kEvent = SomeEvent();
  const std::string text(fuzz::Input(data, size).Text());
  const auto filter = policy::EventExpression::Parse(text);
  if (!filter.ok()) {
    DT_CHECK(absl::IsInvalidArgument(filter.status()));
    return 0;
  }
  const bool matches = filter->Matches(kEvent);
  // What an index would propose by its hints must hold whatever the filter matches.
  const policy::FilterHints& hints = filter->hints();
  if (matches && !hints.types.empty()) {
    DT_CHECK(std::find(hints.types.begin(), hints.types.end(), kEvent.type()) != hints.types.end());
  }
  // The negation says the opposite, unless it is too long or too deep to be said.
  const auto negation = policy::EventExpression::Parse("not (" + text + ")");
  if (negation.ok()) DT_CHECK(negation->Matches(kEvent) != matches);
  return 0;
}
