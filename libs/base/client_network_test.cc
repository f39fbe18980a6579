#include "libs/base/client_network.h"

#include <gtest/gtest.h>

namespace devicetrust {
namespace {

TEST(ClientNetworkTest, IsTheAddressOfIpv4AndTheHalfOfIpv6) {
  EXPECT_EQ(ClientNetwork("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(ClientNetwork("::ffff:192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(ClientNetwork("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  EXPECT_EQ(ClientNetwork("2001:DB8:1:2::9"), "2001:db8:1:2::/64");
  EXPECT_EQ(ClientNetwork("fe80::1%eth0"), "fe80::/64");
  EXPECT_EQ(ClientNetwork("::1"), "::/64");
}

TEST(ClientNetworkTest, LeavesOtherTextAlone) {
  EXPECT_EQ(ClientNetwork(""), "");
  EXPECT_EQ(ClientNetwork("unix:/run/x"), "unix:/run/x");
}

}  // namespace
}  // namespace devicetrust
