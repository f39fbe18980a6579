#include "simulator/report/ci_output.h"

#include <gmock/gmock.h>

namespace devicetrust::simulator {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

RunResult CiResult() {
  RunResult result;
  result.scenario = "Monday <morning>";
  result.seed = 7;
  result.devices = 1000;
  result.recording.thresholds = {{"signin.p99 < 500ms", "612 ms", false},
                                 {"apps.success > 99%", "100 %", true}};
  result.violations = {"signin.p99 < 500ms: 612 ms", "iPhone: let in | code \"7F3K\""};
  return result;
}

TEST(JUnitTest, EachThresholdIsATestAndTheChecksAreOne) {
  const std::string xml = ToJUnit(CiResult());
  EXPECT_THAT(xml,
              HasSubstr("<testsuite name=\"Monday &lt;morning&gt;\" tests=\"4\" failures=\"2\""));
  EXPECT_THAT(xml,
              HasSubstr("name=\"signin.p99 &lt; 500ms\">\n      <failure message=\"612 ms\">"));
  EXPECT_THAT(xml, HasSubstr("name=\"apps.success &gt; 99%\"/>"));
  EXPECT_THAT(xml, HasSubstr("<failure message=\"iPhone: let in | code &quot;7F3K&quot;\">"));
}

TEST(MarkdownTest, SaysTheVerdictAndKeepsItsTables) {
  const std::string text = ToMarkdown(CiResult());
  EXPECT_THAT(text, HasSubstr("## Monday <morning>: FAIL\n"));
  EXPECT_THAT(text, HasSubstr("| signin.p99 < 500ms | 612 ms | **no** |"));
  EXPECT_THAT(text, HasSubstr("iPhone: let in \\| code"));
  EXPECT_THAT(text, Not(HasSubstr("INVALID")));
}

TEST(MarkdownTest, SaysThatFiguresMeanNothing) {
  RunResult result;
  result.fell_behind = "one in a hundred began 240 ms late";
  EXPECT_THAT(ToMarkdown(result), HasSubstr("**INVALID**: one in a hundred began 240 ms late."));
}

}  // namespace
}  // namespace devicetrust::simulator
