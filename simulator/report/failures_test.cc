#include "simulator/report/failures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace devicetrust::simulator {
namespace {

using ::testing::ElementsAre;

TEST(FailuresTest, EqualOnesAreOneLineAndTheMostFrequentIsFirst) {
  Failures failures;
  EXPECT_TRUE(failures.empty());
  failures.Add("CLOCK_SKEW", "enrollment of PC1$", "the clock is wrong");
  for (int i = 0; i < 41; ++i) {
    failures.Add("STORE_FULL", "enrollment of PC" + std::to_string(47 + i) + "$", "no room");
  }
  EXPECT_EQ(failures.count(), 42U);
  EXPECT_THAT(failures.Lines(), ElementsAre("enrollment of PC47$ and 40 more: no room",
                                            "enrollment of PC1$: the clock is wrong"));
}

TEST(FailuresTest, KindsBeyondTheBoundAreCounted) {
  Failures failures;
  for (std::size_t i = 0; i < Failures::kKindsMax + 3; ++i) {
    Failures one;
    one.Add("kind " + std::to_string(i), "visit", "why");
    failures.Merge(one);
  }
  EXPECT_EQ(failures.count(), Failures::kKindsMax + 3);
  EXPECT_EQ(failures.Lines().size(), Failures::kKindsMax + 1);
  EXPECT_EQ(failures.Lines().back(), "3 failures of other kinds");
}

}  // namespace
}  // namespace devicetrust::simulator
