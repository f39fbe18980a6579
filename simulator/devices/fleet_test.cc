#include "simulator/devices/fleet.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace devicetrust::simulator {
namespace {

std::size_t Count(const Fleet& fleet, DeviceKind kind) {
  return static_cast<std::size_t>(
      std::count_if(fleet.devices.begin(), fleet.devices.end(),
                    [kind](const FleetDevice& device) { return device.kind == kind; }));
}

TEST(FleetTest, TheQuickStartHasItsMix) {
  const Fleet fleet = MakeFleet({});
  EXPECT_EQ(fleet.users.size(), 1000u);
  EXPECT_EQ(fleet.domain_joined, 800u);
  EXPECT_EQ(Count(fleet, DeviceKind::kDomainWindows), 800u);
  EXPECT_EQ(Count(fleet, DeviceKind::kUnmanagedWindows), 80u);
  EXPECT_EQ(Count(fleet, DeviceKind::kIphone) + Count(fleet, DeviceKind::kAndroid) +
                Count(fleet, DeviceKind::kMac),
            120u);
  std::set<std::string> principals, computers;
  for (const FleetUser& user : fleet.users) principals.insert(user.principal);
  for (const FleetDevice& device : fleet.devices) {
    if (!device.computer_name.empty()) computers.insert(device.computer_name);
    EXPECT_FALSE(device.user_agent.empty());
  }
  EXPECT_EQ(principals.size(), 1000u);
  EXPECT_EQ(computers.size(), 800u);
}

// The directory refuses two people of one name in one folder.
TEST(FleetTest, NoTwoPeopleHaveOneName) {
  const Fleet fleet = MakeFleet({.devices = 20'000});
  std::set<std::string> names;
  for (const FleetUser& user : fleet.users) names.insert(user.display_name);
  EXPECT_EQ(names.size(), 20'000u);
}

TEST(FleetTest, FollowsFromItsSeed) {
  const Fleet one = MakeFleet({.seed = 7, .devices = 50});
  const Fleet two = MakeFleet({.seed = 7, .devices = 50});
  const Fleet other = MakeFleet({.seed = 8, .devices = 50});
  EXPECT_EQ(one.users[9].password, two.users[9].password);
  EXPECT_EQ(one.users[9].totp_secret, two.users[9].totp_secret);
  EXPECT_NE(one.users[9].password, other.users[9].password);
}

TEST(FleetTest, HasTheTroublesomeName) {
  const Fleet fleet = MakeFleet({.devices = 10, .one_without_factor = true});
  EXPECT_EQ(fleet.users[1].display_name, "Zoë <Q&A> Müller");
  EXPECT_TRUE(fleet.users[2].totp_secret.empty());
  EXPECT_EQ(fleet.users[3].totp_secret.size(), 20u);
}

TEST(FleetTest, SharesItsUsersOutAmongTheDomains) {
  const Fleet fleet = MakeFleet({.devices = 10,
                                 .forests = {{.domains = {{"corp.test", "CORP"}}},
                                             {.domains = {{"partner.test", "PARTNER"}}}}});
  ASSERT_EQ(fleet.domains.size(), 2u);
  EXPECT_EQ(fleet.users[4].principal, "user4@corp.test");
  EXPECT_EQ(fleet.users[5].principal, "user5@partner.test");
  EXPECT_EQ(fleet.PrincipalOf(fleet.users[5]), "user5@PARTNER.TEST");
  EXPECT_EQ(fleet.PrincipalOf(fleet.devices[5]), "PC0005$@PARTNER.TEST");
}

TEST(FleetTest, TheSmallestOneIsOneComputer) {
  const Fleet fleet = MakeFleet({.devices = 1});
  EXPECT_EQ(fleet.domain_joined, 1u);
  EXPECT_EQ(fleet.devices.size(), 1u);
}

}  // namespace
}  // namespace devicetrust::simulator
