#include "agent/install_options.h"

#include <gtest/gtest.h>

#include <vector>

#include "libs/testing/status.h"

namespace devicetrust::agent {
namespace {

using Words = std::vector<std::string>;

TEST(InstallOptionsTest, TakesTheNamesThatAdministratorsKnow) {
  const auto options = ParseInstallOptions(
      Words{"OrgURL=https://acme.example.com/", "skipbrowsersetup=True",
            "HttpProxy=http://proxy.corp.test:3128", "SkipTpm=true", "TrustBundle=/etc/ca.pem"});
  DT_ASSERT_OK(options);
  EXPECT_EQ(options->org_url, "https://acme.example.com");
  EXPECT_TRUE(options->skip_browser_setup);
  EXPECT_TRUE(options->skip_tpm);
  EXPECT_EQ(options->http_proxy, "http://proxy.corp.test:3128");
  EXPECT_EQ(options->trust_bundle, "/etc/ca.pem");
}

TEST(InstallOptionsTest, SaysWhatIsWrong) {
  const std::string org = "OrgURL=https://acme.example.com";
  for (const auto& [words, part] : std::vector<std::pair<Words, std::string>>{
           {{}, "OrgURL is missing"},
           {{"OrgURL=http://acme.example.com"}, "https://HOST"},
           {{"OrgURL=https://acme.example.com/path"}, "https://HOST"},
           {{"OrgURL=https://"}, "https://HOST"},
           {{org, "SkipBrowserSetup=yes"}, "true or false"},
           {{org, "HttpProxy=proxy:3128"}, "http://[USER"},
           {{org, "HttpProxy=http://proxy"}, "http://[USER"},
           {{org, "HttpProxy=http://proxy:99999"}, "http://[USER"},
           {{org, "HttpProxyPacLocation=http://x/p.pac"}, "HttpProxy"},
           {{org, "Nonsense=1"}, "no option"},
           {{org, "/q3"}, "NAME=VALUE"},
           {{org, "TrustBundle=relative.pem"}, "absolute"}}) {
    const auto options = ParseInstallOptions(words);
    EXPECT_EQ(options.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(std::string(options.status().message()).find(part), std::string::npos)
        << options.status();
  }
}

// The reference says 1.2.1 in one place and 1.2.2 in another: the option came with the former, the
// device task follows it from the latter on.
TEST(InstallOptionsTest, OlderAgentsTakeLess) {
  const Words words = {"OrgURL=https://acme.example.com", "HttpProxy=http://proxy:3128"};
  const auto before = ParseInstallOptions(words, {1, 2, 0});
  EXPECT_NE(std::string(before.status().message()).find("1.2.1"), std::string::npos);
  const auto options = ParseInstallOptions(words, {1, 2, 1});
  DT_ASSERT_OK(options);
  EXPECT_FALSE(DeviceTaskUsesProxy(*options, {1, 2, 1}));
  EXPECT_TRUE(DeviceTaskUsesProxy(*options, {1, 2, 2}));
}

TEST(HttpProxyTest, MayNameAUser) {
  const auto proxy = ParseHttpProxy("http://ada:p%40ss@proxy:3128/");
  DT_ASSERT_OK(proxy);
  EXPECT_EQ(proxy->address, "proxy:3128");
  EXPECT_EQ(proxy->user_and_password, "ada:p@ss");
  DT_EXPECT_CODE(ParseHttpProxy("http://ada%4@proxy:3128"), kInvalidArgument);
}

}  // namespace
}  // namespace devicetrust::agent
