#include "libs/net/proxy_header.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "libs/base/bytes.h"
#include "libs/base/encoding.h"
#include "libs/net/networks.h"
#include "libs/testing/status.h"

namespace devicetrust::net {
namespace {

using boost::asio::ip::make_address;

constexpr std::string_view kSignature = "0d0a0d0a000d0a515549540a";

// Whose it says the connection is: "192.0.2.7:1024", "local", or "" for a header that is refused.
std::string ClientIn(std::string_view command_and_rest) {
  const Bytes all = HexDecode(std::string(kSignature) + std::string(command_and_rest)).value();
  const auto head = std::span(all).first<kProxyHeadBytes>();
  const auto size = ProxyRestBytes(head);
  if (!size.ok() || *size != all.size() - kProxyHeadBytes) return "";
  const auto client = ProxyClient(head, std::span(all).subspan(kProxyHeadBytes));
  if (!client.ok()) return "";
  return client->has_value() ? AddressOf(**client) : "local";
}

TEST(ProxyHeaderTest, SaysWhoseAConnectionIs) {
  EXPECT_EQ(ClientIn("2111000cc0000207c633640104002000"), "192.0.2.7:1024");
  EXPECT_EQ(ClientIn("2121002420010db800000000000000000000000720010db8000000000000000000000001"
                     "040001bb"),
            "[2001:db8::7]:1024");
  EXPECT_EQ(ClientIn("21210024"  // An IPv4 client of a proxy with IPv6 sockets.
                     "00000000000000000000ffffc0000207"
                     "00000000000000000000ffffc6336401"
                     "04002000"),
            "192.0.2.7:1024");
  EXPECT_EQ(ClientIn("21110010c0000207c63364010400200001020304"), "192.0.2.7:1024");  // And more.
  EXPECT_EQ(ClientIn("20000000"), "local");
  EXPECT_EQ(ClientIn("2011000cc0000207c633640104002000"), "local");
}

TEST(ProxyHeaderTest, RefusesWhatNamesNoClient) {
  EXPECT_EQ(ClientIn("21000000"), "");                                   // Unspecified.
  EXPECT_EQ(ClientIn("2112000cc0000207c633640104002000"), "");           // UDP.
  EXPECT_EQ(ClientIn("1111000cc0000207c633640104002000"), "");           // Another version.
  EXPECT_EQ(ClientIn("2211000cc0000207c633640104002000"), "");           // Another command.
  EXPECT_EQ(ClientIn("2111000bc0000207c6336401040020"), "");             // Too short.
  EXPECT_EQ(ClientIn("2121000cc0000207c633640104002000"), "");           // Too short for IPv6.
  Bytes head = HexDecode(std::string(kSignature) + "21111001").value();  // Too long.
  DT_EXPECT_CODE(ProxyRestBytes(std::span(head).first<kProxyHeadBytes>()), kInvalidArgument);
  head[0] = 'P';
  DT_EXPECT_CODE(ProxyRestBytes(std::span(head).first<kProxyHeadBytes>()), kInvalidArgument);
}

TEST(NetworksTest, ContainTheirAddresses) {
  const Networks networks =
      Networks::Parse({"192.0.2.7", "10.0.0.0/8", "198.51.100.128/25", "2001:db8::/33"}, "--from")
          .value();
  for (const char* inside :
       {"192.0.2.7", "::ffff:192.0.2.7", "10.255.0.1", "198.51.100.129", "2001:db8:7fff::1"}) {
    EXPECT_TRUE(networks.Contain(make_address(inside))) << inside;
  }
  for (const char* outside :
       {"192.0.2.6", "11.0.0.1", "198.51.100.127", "2001:db8:8000::1", "::", "::c000:207"}) {
    EXPECT_FALSE(networks.Contain(make_address(outside))) << outside;
  }
  EXPECT_TRUE(Networks::Parse({"0.0.0.0/0"}, "--from")->Contain(make_address("192.0.2.7")));
  EXPECT_FALSE(Networks::Parse({"0.0.0.0/0"}, "--from")->Contain(make_address("2001:db8::1")));
  EXPECT_FALSE(Networks::Parse({}, "--from")->Contain(make_address("192.0.2.7")));
}

TEST(NetworksTest, RefusesWhatIsNone) {
  for (const char* text : {"", "example.com", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8x", "/8",
                           "2001:db8::/129", "10.0.0.1/8", "10.0.0.0/-1", "10.0.0.0/ 8"}) {
    DT_EXPECT_CODE(Networks::Parse({text}, "--from"), kInvalidArgument);
  }
}

}  // namespace
}  // namespace devicetrust::net
