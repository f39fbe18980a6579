// What conditions of rules read of a client: its address and its user agent; and zones.
#include "policy-engine/rules/network_zone.h"
#include "policy-engine/rules/platform_evidence.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Input input(data, size);
  DT_FUZZ_USE(policy::PlatformFromUserAgent(input.Text()));
  if (const auto address = policy::IpAddress::Parse(input.Text())) {
    DT_CHECK(policy::IpAddress::Parse(address->ToString()) == address);
  }
  const auto range = policy::IpRange::Parse(input.Text());
  if (!range.ok()) return 0;
  DT_CHECK(range->first <= range->last);
  const auto zone = policy::Zone::Compile({.name = "zone", .ranges = {std::string(input.Text())}});
  DT_CHECK(zone.ok());
  // An end in ::ffff:0:0/96 of a range that is wider is an IPv4 client's, and not in the zone.
  for (const policy::IpAddress& end : {range->first, range->last}) {
    DT_CHECK(zone->Contains(end) == (end.is_v4() == range->is_v4()));
  }
  return 0;
}
