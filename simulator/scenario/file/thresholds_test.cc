#include "simulator/scenario/file/thresholds.h"

#include <gmock/gmock.h>

#include "libs/testing/status.h"

namespace devicetrust::simulator {
namespace {

using ::testing::HasSubstr;

TEST(ThresholdTest, ReadsMetricOrderAndUnit) {
  const auto latency = ParseThreshold("enrol.p99 < 500ms");
  DT_ASSERT_OK(latency);
  EXPECT_EQ(latency->metric, "enroll.p99");
  EXPECT_DOUBLE_EQ(latency->value, 0.5);
  EXPECT_TRUE(latency->Holds(0.4999));
  EXPECT_FALSE(latency->Holds(0.5));
  const auto success = ParseThreshold("signin.success >= 99.9 %");
  DT_ASSERT_OK(success);
  EXPECT_TRUE(success->Holds(99.9));
  const auto memory = ParseThreshold("resources.pss_max<1GiB");
  DT_ASSERT_OK(memory);
  EXPECT_DOUBLE_EQ(memory->value, 1073741824);
  DT_EXPECT_OK(ParseThreshold("apps.rate > 50/s"));
  DT_EXPECT_OK(ParseThreshold("apps.errors <= 0"));
}

TEST(ThresholdTest, RefusesAnUnknownMetricAndAnotherUnit) {
  EXPECT_THAT(std::string(ParseThreshold("sigin.p99 < 1s").status().message()),
              HasSubstr("did you mean signin.p99?"));
  for (const char* const text : {"signin.p99", "signin.p99 < 5%", "signin.p99 < -1s", "< 1s",
                                 "signin.p99 < nan", "apps.errors < 1s", "signin.p99 <"}) {
    EXPECT_FALSE(ParseThreshold(text).ok()) << text;
  }
}

TEST(ThresholdTest, WhatWasNotMeasuredHoldsNothing) {
  const auto threshold = ParseThreshold("revoke_to_deny.p99 < 1s");
  DT_ASSERT_OK(threshold);
  const auto verdicts = Judge({*threshold}, [](const std::string&) { return std::nullopt; });
  EXPECT_FALSE(verdicts.at(0).holds());
  EXPECT_THAT(VerdictText(verdicts.at(0)), HasSubstr("nothing was measured"));
}

}  // namespace
}  // namespace devicetrust::simulator
