#include "simulator/deployment/config_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>

#include "ca-service/config.h"
#include "iwa/config.h"
#include "libs/testing/options.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "policy-engine/config.h"
#include "simulator/gateway/config.h"

namespace devicetrust::simulator {
namespace {

// Whatever options a service declares, now and later: none is lost on the way through a file.
template <typename Config>
class ServiceOptionsTest : public ::testing::Test {};

using Configs = ::testing::Types<ca::Config, gateway::Config, iwa::Config, policy::Config>;
TYPED_TEST_SUITE(ServiceOptionsTest, Configs);

TYPED_TEST(ServiceOptionsTest, EveryMemberIsAnOption) {
  TypeParam config;
  EXPECT_EQ(testing::OctetsWithoutOption(config, service::OptionsOf(config)), 0U);
}

TYPED_TEST(ServiceOptionsTest, EveryOptionSurvivesTheFile) {
  const testing::TempFolder folder;
  TypeParam defaults;
  TypeParam config;
  testing::ChangeAll(service::OptionsOf(config));
  const std::vector<std::string> changed =
      service::Differences(service::OptionsOf(defaults), service::OptionsOf(config));
  const service::Options options = service::OptionsOf(config);
  for (const service::Option& option : options.all()) {
    EXPECT_TRUE(std::ranges::any_of(changed, [&option](const std::string& difference) {
      return difference.starts_with(option.name + ": ");
    })) << option.name;
  }

  const auto file = WriteConfigFile(config, folder.path(), "dt-test");
  DT_ASSERT_OK(file);
  EXPECT_EQ(*file, folder / "dt-test.toml");
  const auto read = service::FromToml<TypeParam>(ReadFile(*file).value());
  DT_ASSERT_OK(read);
  TypeParam arrived = *read;
  EXPECT_EQ(service::Differences(service::OptionsOf(config), service::OptionsOf(arrived)),
            std::vector<std::string>());
  EXPECT_TRUE(arrived == config);
}

struct Forgetful {
  std::string remembered = "by default";
  std::string forgotten;

  bool operator==(const Forgetful&) const = default;
};

void Describe(Forgetful& config, service::Options& options) {
  options.Text("remembered", config.remembered, "TEXT", "Remembered");
}

TEST(ConfigFileTest, IsForOurEyesAlone) {
  const testing::TempFolder folder;
  const auto file = WriteConfigFile(Forgetful(), folder.path(), "dt-test");
  DT_ASSERT_OK(file);
  struct stat status {};
  ASSERT_EQ(stat(file->c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST(ConfigFileTest, RefusesToLoseAMember) {
  const testing::TempFolder folder;
  Forgetful config;
  config.forgotten = "set";
  DT_EXPECT_CODE(WriteConfigFile(config, folder.path(), "dt-test"), kInternal);
}

}  // namespace
}  // namespace devicetrust::simulator
