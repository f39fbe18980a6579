#include "simulator/devices/windows.h"

#include <gtest/gtest.h>

#include "libs/testing/status.h"

namespace devicetrust::simulator {
namespace {

using std::chrono::minutes;

constexpr const char* kHost = "abc.mtls.acme.test";
constexpr WindowsBrowser kBrowsers[] = {WindowsBrowser::kChrome, WindowsBrowser::kEdge,
                                        WindowsBrowser::kInternetExplorer};

agent::InstallOptions Options(bool skip_browser_setup) {
  agent::InstallOptions options;
  options.org_url = "https://acme.test";
  options.skip_browser_setup = skip_browser_setup;
  return options;
}

TEST(WindowsTest, SupportsTheReleasesThatItSupports) {
  int dot_net = 40800;
  bool installed = false;
  for (const auto release : {WindowsRelease::k7, WindowsRelease::k8_1, WindowsRelease::k10}) {
    DT_EXPECT_OK(CheckPrerequisites({.release = release}, dot_net, installed));
  }
  const auto refused = CheckPrerequisites({.release = WindowsRelease::k8}, dot_net, installed);
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(std::string(refused.message()).find("Windows 8 is not supported"), std::string::npos);
}

TEST(WindowsTest, InstallsDotNetWhereItIsMissing) {
  for (int dot_net : {kNoDotNet, 40501}) {
    bool installed = false;
    DT_EXPECT_OK(CheckPrerequisites({}, dot_net, installed));
    EXPECT_TRUE(installed);
    EXPECT_EQ(dot_net, kDotNetNeeded);
    DT_EXPECT_OK(CheckPrerequisites({}, dot_net, installed));
    EXPECT_FALSE(installed);
  }
  int none = kNoDotNet;
  bool installed = false;
  EXPECT_FALSE(CheckPrerequisites({.may_install_dot_net = false}, none, installed).ok());
}

TEST(WindowsTest, TheInstallerSetsUpBrowsersAndTakesItBack) {
  Registry registry;
  registry.Set("HKLM\\SOFTWARE\\Policies\\Google\\Chrome\\HomepageLocation", "https://corp.test",
               Registry::Writer::kAdministrator);
  InstallInto(registry, Options(false), agent::kThisVersion, "mtls.acme.test");
  EXPECT_EQ(registry.Value("HKLM\\SOFTWARE\\Device Trust\\OrgUrl"), "https://acme.test");
  EXPECT_EQ(registry.Value("HKLM\\SOFTWARE\\Device Trust\\Version"), agent::kThisVersion.Text());
  for (const auto browser : kBrowsers) {
    EXPECT_TRUE(ChoosesCertificate(registry, browser, kHost));
    EXPECT_FALSE(ChoosesCertificate(registry, browser, "evil.test"));
    EXPECT_FALSE(ChoosesCertificate(registry, browser, "notmtls.acme.test"));
  }
  UninstallFrom(registry);
  EXPECT_EQ(registry.size(), 1u);
}

TEST(WindowsTest, SkippedItLeavesTheChoiceToTheUser) {
  Registry registry;
  InstallInto(registry, Options(true), agent::kThisVersion, "mtls.acme.test");
  for (const auto browser : kBrowsers) EXPECT_FALSE(ChoosesCertificate(registry, browser, kHost));
}

TEST(WindowsTest, NeverReplacesWhatAnAdministratorWrote) {
  Registry registry;
  const std::string name =
      "HKLM\\SOFTWARE\\Policies\\Google\\Chrome\\AutoSelectCertificateForUrls\\1";
  registry.Set(name, "{\"pattern\":\"https://[*.]vpn.test\"}", Registry::Writer::kAdministrator);
  InstallInto(registry, Options(false), agent::kThisVersion, "mtls.acme.test");
  EXPECT_FALSE(ChoosesCertificate(registry, WindowsBrowser::kChrome, kHost));
  EXPECT_TRUE(ChoosesCertificate(registry, WindowsBrowser::kEdge, kHost));
  UninstallFrom(registry);
  EXPECT_TRUE(registry.Value(name));
}

// Changes made by Group Policy are not seen at once.
TEST(WindowsTest, GroupPolicyArrivesWithTheNextRefresh) {
  Registry registry;
  InstallInto(registry, Options(true), agent::kThisVersion, "mtls.acme.test");
  const WallTime start = AtUnixSeconds(1'900'000'000);
  const GroupPolicy policy{"mtls.acme.test", start + minutes(5)};
  EXPECT_FALSE(RefreshGroupPolicy(registry, policy, 7, start, start + minutes(6)));
  EXPECT_FALSE(ChoosesCertificate(registry, WindowsBrowser::kChrome, kHost));
  EXPECT_FALSE(RefreshGroupPolicy(registry, policy, 7, start, start + minutes(96)));
  EXPECT_TRUE(RefreshGroupPolicy(registry, policy, 7, start, start + minutes(97)));
  for (const auto browser : kBrowsers) EXPECT_TRUE(ChoosesCertificate(registry, browser, kHost));
  UninstallFrom(registry);
  EXPECT_TRUE(ChoosesCertificate(registry, WindowsBrowser::kChrome, kHost));
  EXPECT_GE(RefreshInterval(30), minutes(90));
  EXPECT_LE(RefreshInterval(30), minutes(120));
}

}  // namespace
}  // namespace devicetrust::simulator
