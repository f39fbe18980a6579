#include "simulator/handshake/arrivals.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace devicetrust::simulator {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

std::vector<nanoseconds> AllUntil(const ArrivalPlan& plan, int threads, nanoseconds end) {
  std::vector<nanoseconds> all;
  for (int thread = 0; thread < threads; ++thread) {
    Arrivals arrivals(plan, thread, threads);
    for (nanoseconds at = arrivals.Next(); at < end; at = arrivals.Next()) all.push_back(at);
  }
  std::ranges::sort(all);
  return all;
}

TEST(ArrivalsTest, EvenOnesOfManyThreadsLieBetweenOneAnother) {
  const auto all = AllUntil({.per_second = 1000}, 4, seconds(1));
  ASSERT_EQ(all.size(), 1000u);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(all[i].count()), static_cast<double>(i) * 1e6, 10);
  }
}

TEST(ArrivalsTest, ARampHasHalfOfWhatItsTimeWouldHaveAtTheWholeRate) {
  const ArrivalPlan plan{.per_second = 1000, .ramp = seconds(2)};
  const auto all = AllUntil(plan, 2, seconds(3));
  const auto before = [&](nanoseconds end) {
    return std::ranges::count_if(all, [end](nanoseconds at) { return at < end; });
  };
  EXPECT_NEAR(static_cast<double>(before(seconds(1))), 250, 1);  // A quarter in its first half.
  EXPECT_NEAR(static_cast<double>(before(seconds(2))), 1000, 1);
  EXPECT_NEAR(static_cast<double>(before(seconds(3))), 2000, 1);
}

TEST(ArrivalsTest, PoissonOnesComeAtTheRateAndUnevenly) {
  const auto all = AllUntil({.per_second = 2000, .poisson = true}, 3, seconds(10));
  EXPECT_NEAR(static_cast<double>(all.size()), 20'000, 600);  // Four standard deviations.
  std::size_t close = 0;  // Closer than a tenth of the mean distance: 1 - exp(-0.1).
  for (std::size_t i = 1; i < all.size(); ++i)
    close += all[i] - all[i - 1] < std::chrono::microseconds(50);
  EXPECT_NEAR(static_cast<double>(close) / static_cast<double>(all.size()), 0.095, 0.015);
}

TEST(ArrivalsTest, TheSameSeedGivesTheSamePoissonArrivals) {
  const ArrivalPlan plan{.per_second = 100, .poisson = true, .seed = 5};
  EXPECT_EQ(AllUntil(plan, 2, seconds(5)), AllUntil(plan, 2, seconds(5)));
  ArrivalPlan other = plan;
  other.seed = 6;
  EXPECT_NE(AllUntil(plan, 2, seconds(5)), AllUntil(other, 2, seconds(5)));
}

}  // namespace
}  // namespace devicetrust::simulator
