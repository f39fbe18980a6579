// The scenarios that are part of the program.
#include <gmock/gmock.h>

#include <algorithm>

#include "libs/testing/status.h"
#include "simulator/scenario/file/scenario_file.h"

namespace devicetrust::simulator {
namespace {

TEST(ShippedScenariosTest, EachIsReadAndFitsOnAPage) {
  EXPECT_EQ(ShippedScenarios().front().name, "quick-start");
  for (const ShippedScenario& scenario : ShippedScenarios()) {
    const auto spec = ParseScenario(scenario.name, scenario.text);
    DT_ASSERT_OK(spec);
    EXPECT_FALSE(spec->story.empty()) << scenario.name;
    EXPECT_LE(std::count(scenario.text.begin(), scenario.text.end(), '\n'), 60) << scenario.name;
  }
}

TEST(ShippedScenariosTest, AreFoundByNameAndTheNearestIsNamed) {
  DT_EXPECT_OK(LoadScenario(""));
  DT_EXPECT_OK(LoadScenario("quick-start"));
  EXPECT_THAT(std::string(LoadScenario("quick-stat").status().message()),
              ::testing::HasSubstr("did you mean quick-start?"));
}

}  // namespace
}  // namespace devicetrust::simulator
