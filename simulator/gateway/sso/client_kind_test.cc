#include "simulator/gateway/sso/client_kind.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace devicetrust::gateway {
namespace {

using org::v1::ClientKind;

constexpr ClientKind kBrowser = org::v1::CLIENT_KIND_WEB_BROWSER;
constexpr ClientKind kModern = org::v1::CLIENT_KIND_MODERN_AUTH;
constexpr ClientKind kLegacy = org::v1::CLIENT_KIND_EXCHANGE_ACTIVESYNC_OR_LEGACY;
constexpr ClientKind kUnknown = org::v1::CLIENT_KIND_UNSPECIFIED;

TEST(ClientKindTest, KnowsTheKindsOfRealSenders) {
  const std::pair<const char*, ClientKind> table[] = {
      {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
       "Chrome/126.0.0.0 Safari/537.36",
       kBrowser},
      {"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", kBrowser},
      {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
       "Version/17.5 Safari/605.1.15",
       kBrowser},
      // A web page about Office, in a browser.
      {"Mozilla/5.0 (Windows NT 10.0) OfficeLens/2", kBrowser},
      {"Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; WOW64; Trident/7.0; .NET4.0C; "
       "Microsoft Office/16.0 (Microsoft Outlook 16.0.5161; Pro))",
       kModern},
      {"Mozilla/5.0 (Windows NT 10.0; Win64; x64; WebView/3.0) AppleWebKit/537.36 (KHTML, like "
       "Gecko) Chrome/70.0.3538.102 Safari/537.36 Edge/18.19045",
       kModern},
      {"Mozilla/5.0 (Windows NT 10.0; Win64; x64; Trident/7.0; rv:11.0; MSAppHost/3.0) like Gecko",
       kModern},
      {"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
       "Gecko) Mobile/15E148 PKeyAuth/1.0",
       kModern},
      {"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) "
       "Version/4.0 Chrome/126.0 Mobile Safari/537.36 PKeyAuth/1.0",
       kModern},
      {"MSOIDCRL 7.250.4556.0", kModern},
      {"Apple-iPhone14C5/2105.83", kLegacy},
      {"Outlook-iOS-Android/1.0", kLegacy},
      {"Microsoft-Server-ActiveSync/15.1", kLegacy},
      {"Android-Mail/2024.05.26", kLegacy},
      {"MSFT-WP/10.0.15254", kLegacy},
      {"TouchDown(MSRPC)/9.0", kLegacy},
  };
  for (const auto& [agent, kind] : table) EXPECT_EQ(ClientKindOf(agent), kind) << agent;
}

// Attack 1: what nobody knows must not pass as something that somebody allows.
TEST(ClientKindTest, LeavesTheUnknownUnknown) {
  for (const char* agent : {"", " ", "curl/8.0", "python-requests/2.31", "Test/1.0", "mozilla",
                            "xMozilla/5.0", "MSALx", "\xff\xfe", "Lynx/2.9"}) {
    EXPECT_EQ(ClientKindOf(agent), kUnknown) << agent;
  }
  EXPECT_EQ(ClientKindOf(std::string(600, ' ') + "MSAL"), kUnknown);
}

TEST(ClientKindTest, TakesAnyBytes) {
  std::mt19937_64 random(11);
  for (int i = 0; i < 20'000; ++i) {
    std::string text(random() % 700, '\0');
    for (char& c : text) c = static_cast<char>(random());
    ASSERT_TRUE(org::v1::ClientKind_IsValid(ClientKindOf(text)));
  }
}

}  // namespace
}  // namespace devicetrust::gateway
