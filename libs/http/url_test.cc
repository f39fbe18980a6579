#include "libs/http/url.h"

#include <gtest/gtest.h>

#include "libs/testing/status.h"

namespace devicetrust::http {
namespace {

TEST(UrlTest, ParsesAbsoluteUrls) {
  const Url url = ParseUrl("https://org.localhost:8443/a?b#c").value();
  EXPECT_EQ(url.Origin(), "https://org.localhost:8443");
  EXPECT_EQ(url.target, "/a?b");
  EXPECT_EQ(ParseUrl("http://h").value().Address(), "h:80");
  EXPECT_EQ(ParseUrl("http://h?x").value().target, "/?x");
  EXPECT_EQ(ParseUrl("HTTPS://my_host.example/").value().Origin(), "https://my_host.example");
  EXPECT_EQ(ParseUrl("http://[2001:db8::1]:8080/").value().Address(), "[2001:db8::1]:8080");
  EXPECT_EQ(ParseUrl("https://a.example.").value().host, "a.example.");
}

TEST(UrlTest, RefusesEverythingElse) {
  for (const char* bad : {"",
                          "h",
                          "//h",
                          "ftp://h",
                          "https://",
                          "https:///a",
                          "https://u@h/",
                          "https://h:x/",
                          "https://h:/",
                          "https://h:0/",
                          "https://h:65536/",
                          "https://h:1x/",
                          "https://h/\r\n",
                          "https://h/a b",
                          "javascript:alert(1)",
                          "https://.h/",
                          "https://a..b/",
                          "https://./",
                          "https://%00/",
                          "https://h%2eexample/",
                          "https://[]/",
                          "https://[:::]/",
                          "https://[::1/",
                          "https://[::1]x/",
                          "https://[127.0.0.1]/",
                          "https://a\\b/"}) {
    DT_EXPECT_CODE(ParseUrl(bad), kInvalidArgument) << bad;
  }
}

TEST(UrlTest, KnowsTheReadersOwnComputer) {
  for (const char* own : {"http://localhost", "http://LOCALHOST:1", "http://sp.localhost/",
                          "http://127.0.0.1:8080/", "http://[::1]:8080/"}) {
    EXPECT_TRUE(ParseUrl(own)->IsLoopback()) << own;
  }
  for (const char* other :
       {"http://localhost.evil.com", "http://xlocalhost", "http://127.0.0.2", "http://[::2]"}) {
    EXPECT_FALSE(ParseUrl(other)->IsLoopback()) << other;
  }
}

}  // namespace
}  // namespace devicetrust::http
