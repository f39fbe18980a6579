// Requests of an administrator's program: rules and zones as messages.
#include "devicetrust/org/v1/apps.pb.h"
#include "devicetrust/org/v1/zones.pb.h"
#include "policy-engine/rules_wire/rule_messages.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  org::v1::SetRulesRequest rules;
  if (rules.ParseFromArray(data, static_cast<int>(size))) {
    DT_FUZZ_USE(policy::RulesFromMessages(rules.rules()));
  }
  org::v1::SetZonesRequest zones;
  if (zones.ParseFromArray(data, static_cast<int>(size))) {
    DT_FUZZ_USE(policy::ZonesFromMessages(zones.zones()));
  }
  return 0;
}
