#include "policy-engine/log/user_agent.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

namespace devicetrust::policy {
namespace {

std::string Read(std::string_view text) {
  const UserAgent agent = ParseUserAgent(text);
  return fmt::format("{}|{}|{}|{}", agent.browser, agent.version, agent.os, agent.device);
}

TEST(LogUserAgentTest, KnowsWhatBrowsersSend) {
  const std::string mozilla = "Mozilla/5.0 ";
  const std::string webkit = " AppleWebKit/537.36 (KHTML, like Gecko) ";
  EXPECT_EQ(
      Read(mozilla + "(Windows NT 10.0; Win64; x64)" + webkit + "Chrome/120.0.0.0 Safari/537.36"),
      "Chrome|120|Windows|Computer");
  EXPECT_EQ(Read(mozilla + "(Windows NT 10.0; Win64; x64)" + webkit +
                 "Chrome/120.0.0.0 Safari/537.36 Edg/120.0.2210.91"),
            "Edge|120|Windows|Computer");
  EXPECT_EQ(Read(mozilla + "(X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
            "Firefox|128|Linux|Computer");
  EXPECT_EQ(Read(mozilla + "(Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like"
                           " Gecko) Version/17.1 Safari/605.1.15"),
            "Safari|17|macOS|Computer");
  EXPECT_EQ(Read(mozilla + "(iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML,"
                           " like Gecko) CriOS/119.0.6045.109 Mobile/15E148 Safari/604.1"),
            "Chrome|119|iOS|Mobile");
  EXPECT_EQ(Read(mozilla + "(iPad; CPU OS 17_1 like Mac OS X) Version/17.1 Mobile Safari/604.1"),
            "Safari|17|iPadOS|Tablet");
  EXPECT_EQ(Read(mozilla + "(Linux; Android 14; Pixel 8)" + webkit +
                 "Chrome/120.0.0.0 Mobile Safari/537.36"),
            "Chrome|120|Android|Mobile");
  EXPECT_EQ(Read(mozilla + "(Linux; Android 13; SM-X700)" + webkit +
                 "SamsungBrowser/23.0 Chrome/115.0.0.0 Safari/537.36"),
            "Samsung Internet|23|Android|Tablet");
  EXPECT_EQ(Read(mozilla + "(X11; CrOS x86_64 14541.0.0)" + webkit + "Chrome/120.0 Safari/537.36"),
            "Chrome|120|ChromeOS|Computer");
  EXPECT_EQ(Read(mozilla + "(Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko"),
            "Internet Explorer|11|Windows|Computer");
  EXPECT_EQ(Read("curl/8.5.0"), "curl|8||");
}

TEST(LogUserAgentTest, TakesAnything) {
  EXPECT_EQ(Read(""), "|||");
  EXPECT_EQ(Read("Mozilla/5.0"), "|||");
  EXPECT_EQ(Read(std::string(100, 'x')), "|||");
  EXPECT_EQ(Read("\xff\xfe/9"), "|||");
  EXPECT_EQ(Read("Chrome/" + std::string(40, '9')), "Chrome|99999999||");
  EXPECT_EQ(Read(std::string(600, ' ') + "Firefox/1"), "|||");
}

}  // namespace
}  // namespace devicetrust::policy
