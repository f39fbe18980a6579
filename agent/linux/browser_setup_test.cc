#include "agent/linux/browser_setup.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "libs/base/files.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"

namespace devicetrust::agent {
namespace {

using nlohmann::json;

class BrowserSetupTest : public ::testing::Test {
 protected:
  json Policy(std::size_t browser = 0) {
    return json::parse(ReadFile(PolicyFiles(paths_).at(browser)).value_or("{}"));
  }
  void WriteOther(const std::string& name, const std::string& text) {
    const auto folder = std::filesystem::path(PolicyFiles(paths_)[0]).parent_path();
    std::filesystem::create_directories(folder);
    DT_ASSERT_OK(WriteFileAtomically((folder / name).string(), text, 0644));
  }
  bool Exists(std::size_t browser = 0) {
    return std::filesystem::exists(PolicyFiles(paths_).at(browser));
  }

  testing::TempFolder folder_;
  Paths paths_{folder_.path(), folder_.path() + "/home"};
};

TEST_F(BrowserSetupTest, WritesOneFileForEachBrowserAndRemovesThem) {
  DT_ASSERT_OK(SetUpBrowsers(paths_, "mtls.localhost"));
  for (std::size_t i = 0; i < PolicyFiles(paths_).size(); ++i) {
    const json entries = Policy(i)["AutoSelectCertificateForUrls"];
    ASSERT_EQ(entries.size(), 1u);
    const json entry = json::parse(entries[0].get<std::string>());
    EXPECT_EQ(entry["pattern"], "https://[*.]mtls.localhost");
    EXPECT_EQ(entry["filter"]["ISSUER"]["CN"], "MTLS Certificate Authority");
  }
  DT_ASSERT_OK(SetUpBrowsers(paths_, "mtls.localhost"));
  DT_ASSERT_OK(SetUpBrowsers(paths_, "mtls.acme.test"));
  EXPECT_NE(Policy().dump().find("mtls.acme.test"), std::string::npos);
  EXPECT_EQ(Policy().dump().find("localhost"), std::string::npos);
  DT_ASSERT_OK(CleanUpBrowsers(paths_));
  EXPECT_FALSE(Exists());
  DT_EXPECT_OK(CleanUpBrowsers(paths_));
}

// Of two files that set it, browsers take the last by name alone.
TEST_F(BrowserSetupTest, RepeatsWhatOthersSetAndLeavesTheirFilesAlone) {
  WriteOther("corp.json",
             R"({"AutoSelectCertificateForUrls":["{\"pattern\":\"https://vpn.test\"}"]})");
  WriteOther("broken.json", "{");
  DT_ASSERT_OK(SetUpBrowsers(paths_, "mtls.localhost"));
  const json entries = Policy()["AutoSelectCertificateForUrls"];
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_NE(entries[0].get<std::string>().find("vpn.test"), std::string::npos);
  DT_ASSERT_OK(CleanUpBrowsers(paths_));
  EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(PolicyFiles(paths_)[0]).parent_path() /
                                      "corp.json"));
}

TEST_F(BrowserSetupTest, NeverTouchesAFileThatSomebodyElseWroteOrChanged) {
  WriteOther("zz-device-trust.json", "{}");
  DT_EXPECT_CODE(SetUpBrowsers(paths_, "mtls.localhost"), kFailedPrecondition);
  EXPECT_EQ(Policy(), json::object());
  EXPECT_TRUE(Exists(1));
  DT_EXPECT_OK(CleanUpBrowsers(paths_));
  EXPECT_TRUE(Exists());

  DT_EXPECT_CODE(SetUpBrowsers(paths_, "mtls.localhost"), kFailedPrecondition);
  DT_ASSERT_OK(WriteFileAtomically(PolicyFiles(paths_)[1], "{\"a\":1}", 0644));
  DT_EXPECT_CODE(SetUpBrowsers(paths_, "mtls.localhost"), kFailedPrecondition);
  DT_EXPECT_CODE(CleanUpBrowsers(paths_), kFailedPrecondition);
  EXPECT_TRUE(Exists(1));
}

}  // namespace
}  // namespace devicetrust::agent
