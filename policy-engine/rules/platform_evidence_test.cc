#include "policy-engine/rules/platform_evidence.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>

namespace devicetrust::policy {
namespace {

struct Case {
  std::string_view user_agent;
  Platform platform;
};

// As browsers and mail programs really send them.
constexpr std::array kReal = {
    Case{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
         "Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0",
         Platform::kWindows},
    Case{"Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko",
         Platform::kWindows},
    Case{"Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17231; Pro)",
         Platform::kWindows},
    Case{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like "
         "Gecko) Version/17.5 Safari/605.1.15",
         Platform::kMacos},
    Case{"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, "
         "like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
         Platform::kIos},
    Case{"Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) AppleWebKit/605.1.15", Platform::kIos},
    Case{"Outlook-iOS/2.0", Platform::kIos},
    // iPads that ask for desktop pages: Chrome, Edge, Firefox, and a web view.
    Case{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
         "CriOS/126 Version/11.1.1 Safari/605.1.15",
         Platform::kIos},
    Case{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
         "EdgiOS/126 Version/17.0 Safari/605.1.15",
         Platform::kIos},
    Case{
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:127.0) AppleWebKit/605.1.15 (KHTML, like "
        "Gecko) FxiOS/127.0 Safari/605.1.15",
        Platform::kIos},
    Case{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
         "Mobile/15E148",
         Platform::kIos},
    Case{"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) "
         "Chrome/126.0.0.0 Mobile Safari/537.36",
         Platform::kAndroid},
    Case{"Outlook-Android/2.0", Platform::kAndroid},
    Case{"Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
         Platform::kOtherDesktop},
    Case{"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36", Platform::kOtherDesktop},
    Case{"Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1; Microsoft; Lumia 950) "
         "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/52.0 Mobile Safari/537.36 Edge/15.15063",
         Platform::kOtherMobile},
    Case{"Mozilla/5.0 (Mobile; Windows Phone 8.1; Android 4.0; ARM; Trident/7.0; IEMobile/11.0; "
         "NOKIA; Lumia 520) like iPhone OS 7_0_3 Mac OS X AppleWebKit/537 (KHTML, like Gecko)",
         Platform::kOtherMobile},
    Case{"Mozilla/5.0 (BB10; Touch) AppleWebKit/537.10+ (KHTML, like Gecko)",
         Platform::kOtherMobile},
    Case{"Mozilla/5.0 (Linux; Tizen 2.3) AppleWebKit/538.1", Platform::kOtherMobile},
};

TEST(UserAgentTest, KnowsThePlatformsOfRealSenders) {
  for (const Case& tested : kReal) {
    EXPECT_EQ(PlatformFromUserAgent(tested.user_agent), tested.platform) << tested.user_agent;
  }
}

TEST(UserAgentTest, LeavesTheUnknownUnknown) {
  for (const std::string_view user_agent :
       {std::string_view(), std::string_view(" "), std::string_view("curl/8.0"),
        std::string_view("Darwin/23.5.0"), std::string_view("MyWindowsApp/1"),
        std::string_view("linuxlike/2"), std::string_view("CFNetwork/1494.0.7 Darwin/23.4.0"),
        // Excluding each other: no evidence for either.
        std::string_view("Windows NT 10.0; Macintosh"),
        std::string_view("Windows NT 10.0; Android 14"),
        std::string_view("iPhone; Windows NT 10.0")}) {
    EXPECT_EQ(PlatformFromUserAgent(user_agent), Platform::kUnknown) << user_agent;
  }
}

TEST(UserAgentTest, IgnoresCaseAndWhatIsBehindTheLimit) {
  EXPECT_EQ(PlatformFromUserAgent("WINDOWS nt 10.0"), Platform::kWindows);
  const std::string padding(kUserAgentBytesRead, ' ');
  EXPECT_EQ(PlatformFromUserAgent(padding + "Windows NT 10.0"), Platform::kUnknown);
}

TEST(UserAgentTest, TakesAnyBytes) {
  std::mt19937_64 random(11);
  for (int i = 0; i < 20'000; ++i) {
    std::string text(random() % 700, '\0');
    for (char& c : text) c = static_cast<char>(random());
    const Platform platform = PlatformFromUserAgent(text);
    ASSERT_LE(static_cast<int>(platform), kPlatformCount);
  }
}

TEST(PlatformFromDirectoryTest, KnowsWhatActiveDirectoryRecords) {
  EXPECT_EQ(PlatformFromDirectory("Windows 10 Enterprise"), Platform::kWindows);
  EXPECT_EQ(PlatformFromDirectory("Mac OS X"), Platform::kMacos);
  EXPECT_EQ(PlatformFromDirectory("pc-linux-gnu"), Platform::kOtherDesktop);
  EXPECT_EQ(PlatformFromDirectory(""), std::nullopt);
  EXPECT_EQ(PlatformFromDirectory("OpenVMS"), std::nullopt);
}

}  // namespace
}  // namespace devicetrust::policy
