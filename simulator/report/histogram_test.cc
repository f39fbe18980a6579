#include "simulator/report/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace devicetrust::simulator {
namespace {

using std::chrono::microseconds;

TEST(HistogramTest, IsZeroWhenEmpty) {
  const Histogram empty;
  EXPECT_EQ(empty.count(), 0u);
  EXPECT_EQ(empty.Percentile(99).count(), 0);
  EXPECT_EQ(empty.Mean().count(), 0);
}

// Against the sorted list itself, over six orders of magnitude.
TEST(HistogramTest, EveryPercentileIsWithinOnePercentOfTheSortedValues) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> exponent(0, 20);
  Histogram histogram;
  std::vector<std::int64_t> values;
  for (int i = 0; i < 20'000; ++i) {
    values.push_back(static_cast<std::int64_t>(std::exp(exponent(random))));
    histogram.Record(microseconds(values.back()));
  }
  std::sort(values.begin(), values.end());

  for (const double percent : {0.0, 1.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
    const auto rank = static_cast<std::size_t>(std::ceil(percent / 100 * 20'000.0));
    const std::int64_t exact = values[std::max<std::size_t>(rank, 1) - 1];
    const std::int64_t found = histogram.Percentile(percent).count();
    EXPECT_GE(found, exact) << percent;
    EXPECT_LE(static_cast<double>(found), static_cast<double>(exact) * 1.01) << percent;
  }
  EXPECT_EQ(histogram.max().count(), values.back());
}

TEST(HistogramTest, TwoMergedAreTheHistogramOfBoth) {
  Histogram low, high, both;
  for (int i = 0; i < 1000; ++i) {
    low.Record(microseconds(i));
    high.Record(microseconds(1'000'000 + i));
    both.Record(microseconds(i));
    both.Record(microseconds(1'000'000 + i));
  }
  low.Merge(high);
  EXPECT_EQ(low.count(), 2000u);
  EXPECT_EQ(low.Mean(), both.Mean());
  for (const double percent : {10.0, 49.0, 51.0, 99.0}) {
    EXPECT_EQ(low.Percentile(percent), both.Percentile(percent)) << percent;
  }
}

TEST(HistogramTest, ClampsWhatIsOutOfRange) {
  Histogram histogram;
  histogram.Record(microseconds(-5));
  histogram.Record(std::chrono::hours(100));
  EXPECT_EQ(histogram.Percentile(50).count(), 0);
  EXPECT_EQ(histogram.max(), Histogram::Duration(Histogram::kMax));
}

}  // namespace
}  // namespace devicetrust::simulator
