#include "simulator/scenario/schedule.h"

#include <gmock/gmock.h>

#include <algorithm>

namespace devicetrust::simulator {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

ArrivalSpec OpenRate(double per_second) {
  ArrivalSpec arrivals;
  arrivals.kind = ArrivalSpec::Kind::kRate;
  arrivals.per_second = per_second;
  return arrivals;
}

TEST(ScheduleTest, AClosedLoopHasNone) { EXPECT_TRUE(ScheduleOf({}, 10, 1).empty()); }

TEST(ScheduleTest, ARateIsEvenAndBeginsAtOnce) {
  const auto moments = ScheduleOf(OpenRate(10), 3, 1);
  ASSERT_EQ(moments.size(), 3U);
  EXPECT_EQ(moments[0].count(), 0);
  EXPECT_EQ(moments[2], milliseconds(200));
}

TEST(ScheduleTest, PoissonIsAFunctionOfItsSeed) {
  ArrivalSpec arrivals = OpenRate(100);
  arrivals.poisson = true;
  const auto moments = ScheduleOf(arrivals, 10'000, 7);
  EXPECT_EQ(moments, ScheduleOf(arrivals, 10'000, 7));
  EXPECT_NE(moments, ScheduleOf(arrivals, 10'000, 8));
  EXPECT_TRUE(std::ranges::is_sorted(moments));
  EXPECT_NEAR(std::chrono::duration<double>(moments.back()).count(), 100, 5);
}

// 100 in the first ten seconds, 500 in the next ten, then 90 a second.
TEST(ScheduleTest, ACurveHasItsAreaBetweenItsPoints) {
  ArrivalSpec arrivals;
  arrivals.kind = ArrivalSpec::Kind::kCurve;
  arrivals.curve = {{seconds(0), 10}, {seconds(10), 10}, {seconds(20), 90}};
  const auto moments = ScheduleOf(arrivals, 690, 1);
  const auto until = [&moments](seconds end) {
    return std::ranges::count_if(moments, [end](auto moment) { return moment < end; });
  };
  EXPECT_NEAR(static_cast<double>(until(seconds(10))), 100, 1);
  EXPECT_NEAR(static_cast<double>(until(seconds(20))), 600, 1);
  EXPECT_NEAR(static_cast<double>(until(seconds(21))), 690, 1);
  EXPECT_TRUE(std::ranges::is_sorted(moments));
}

}  // namespace
}  // namespace devicetrust::simulator
