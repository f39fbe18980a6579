#include "policy-engine/rules/network_zone.h"

#include <gtest/gtest.h>

#include "libs/testing/status.h"

namespace devicetrust::policy {
namespace {

IpAddress Address(std::string_view text) { return IpAddress::Parse(text).value(); }

TEST(IpAddressTest, ReadsBothFamiliesAndMappedAddressesAsIpv4) {
  EXPECT_EQ(Address("::ffff:10.1.2.3"), Address("10.1.2.3"));
  EXPECT_EQ(Address("10.1.2.3").ToString(), "10.1.2.3");
  EXPECT_EQ(Address("[2001:db8::1]"), Address("2001:DB8:0::1"));
  EXPECT_EQ(Address("fe80::1%eth0").ToString(), "fe80::1");
}

TEST(IpAddressTest, RefusesWhatIsNoAddress) {
  using namespace std::string_view_literals;
  for (const std::string_view text :
       {""sv, " "sv, "10.1.2"sv, "10.1.2.256"sv, "010.1.2.3.4"sv, "10.1.2.3:80"sv, "host"sv,
        "[10.1.2.3]"sv, "::1\0x"sv, "1::2::3"sv, "%eth0"sv, "10.1.2.3 "sv, "0x0a.1.2.3"sv}) {
    EXPECT_FALSE(IpAddress::Parse(text)) << text;
  }
}

TEST(ZoneTest, HoldsWhatItsRangesHold) {
  const Zone zone = Zone::Compile({"office",
                                   {"10.0.0.0/8", "192.168.7.0/24", "192.168.7.128/25",
                                    "172.16.0.5-172.16.0.9", "2001:db8::/32", "203.0.113.7"}})
                        .value();
  for (const auto* inside : {"10.0.0.0", "10.255.255.255", "::ffff:10.9.9.9", "192.168.7.200",
                             "172.16.0.5", "172.16.0.9", "2001:db8:ffff::1", "203.0.113.7"}) {
    EXPECT_TRUE(zone.Contains(Address(inside))) << inside;
  }
  for (const auto* outside : {"9.255.255.255", "11.0.0.0", "192.168.8.0", "172.16.0.4",
                              "172.16.0.10", "2001:db9::", "203.0.113.8", "::", "::a00:1"}) {
    EXPECT_FALSE(zone.Contains(Address(outside))) << outside;
  }
}

TEST(ZoneTest, AWholeFamilyIsOneRange) {
  const Zone v4 = Zone::Compile({"v4", {"0.0.0.0/0"}}).value();
  EXPECT_TRUE(v4.Contains(Address("255.255.255.255")));
  EXPECT_FALSE(v4.Contains(Address("2001:db8::1")));
}

// RFC 4291, section 2.5.5.2: only ::ffff:0:0/96 and what lies in it speaks of IPv4.
TEST(ZoneTest, ARangeOfIpv6HoldsNoIpv4Client) {
  for (const auto* wide : {"::/0", "::/1", "::/64", "::/80", "::fffe:0:0/95",
                           "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::-::1:0:0:0"}) {
    const Zone zone = Zone::Compile({"v6", {wide}}).value();
    EXPECT_FALSE(zone.Contains(Address("10.1.2.3"))) << wide;
    EXPECT_FALSE(zone.Contains(Address("::ffff:10.1.2.3"))) << wide;
    EXPECT_TRUE(zone.Contains(Address("::fffe:0:1"))) << wide;
  }
  EXPECT_TRUE(Zone::Compile({"v6", {"::/0"}})->Contains(Address("2001:db8::1")));
  const Zone both = Zone::Compile({"both", {"::/0", "10.0.0.0/8"}}).value();
  EXPECT_TRUE(both.Contains(Address("10.1.2.3")));
  EXPECT_FALSE(both.Contains(Address("11.1.2.3")));
  EXPECT_TRUE(both.Contains(Address("::1")));
  for (const auto* mapped : {"::ffff:0:0/96", "::ffff:10.0.0.0/104", "::ffff:10.1.2.3",
                             "::ffff:10.0.0.0-::ffff:10.2.0.0"}) {
    const Zone zone = Zone::Compile({"v4", {mapped}}).value();
    EXPECT_TRUE(zone.Contains(Address("10.1.2.3"))) << mapped;
    EXPECT_FALSE(zone.Contains(Address("::1"))) << mapped;
  }
}

TEST(ZoneTest, RefusesABadRangeByName) {
  for (const auto* bad : {"10.0.0.0/33", "10.1.0.0/8", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/08x",
                          "2001:db8::/129", "10.0.0.9-10.0.0.1", "10.0.0.1-::1", "", "all"}) {
    const auto zone = Zone::Compile({"z", {bad}});
    DT_EXPECT_CODE(zone, kInvalidArgument) << bad;
    EXPECT_NE(zone.status().message().find(bad), absl::string_view::npos) << bad;
  }
  for (const auto* bad : {"::/0000080", "10.0.0.0/08", "0.0.0.0/00"}) {
    DT_EXPECT_OK(Zone::Compile({"stored by an earlier release", {bad}}));
    const absl::Status status = CheckSpelling({"z", {"10.0.0.0/8", bad}});
    DT_EXPECT_CODE(status, kInvalidArgument) << bad;
    EXPECT_NE(status.message().find(bad), absl::string_view::npos) << bad;
  }
  DT_EXPECT_OK(CheckSpelling({"z", {"10.0.0.0/8", "0.0.0.0/0", "::/0", "10.0.0.1", "::/80"}}));
  DT_EXPECT_CODE(Zone::Compile({"empty", {}}), kInvalidArgument);
  DT_EXPECT_CODE(Zone::Compile({"", {"10.0.0.0/8"}}), kInvalidArgument);
}

}  // namespace
}  // namespace devicetrust::policy
