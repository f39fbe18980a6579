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

TEST(HistogramTest, IsMadeAgainOfItsBuckets) {
  for (const int bits : {Histogram::kFine, Histogram::kCoarse}) {
    Histogram histogram(bits);
    for (int i = 1; i < 100'000; i += 7) histogram.Record(microseconds(i * i % 1'000'003));
    Histogram again(bits);
    ASSERT_TRUE(again.Restore(histogram.buckets(), histogram.sum(), histogram.max().count()));
    EXPECT_EQ(again.count(), histogram.count());
    EXPECT_EQ(again.Mean(), histogram.Mean());
    for (const double percent : {0.0, 50.0, 99.0, 100.0}) {
      EXPECT_EQ(again.Percentile(percent), histogram.Percentile(percent)) << percent;
    }
  }
}

TEST(HistogramTest, BucketsThatNoHistogramHasAreRefused) {
  Histogram histogram;
  EXPECT_FALSE(histogram.Restore({{5, 1}, {4, 1}}, 9, 5)) << "not ascending";
  EXPECT_FALSE(histogram.Restore({{5, 1}}, 9, 6)) << "the largest lies elsewhere";
  EXPECT_FALSE(histogram.Restore({{5, 0}}, 0, 5)) << "an empty bucket";
  EXPECT_FALSE(histogram.Restore({{UINT32_MAX, 1}}, 9, 5)) << "no such bucket";
  EXPECT_FALSE(histogram.Restore({}, 9, 0)) << "a sum of nothing";
  EXPECT_TRUE(histogram.Restore({}, 0, 0));
  EXPECT_EQ(histogram.count(), 0u);
}

TEST(HistogramTest, ACoarseOneIsExactToASixteenth) {
  Histogram histogram(Histogram::kCoarse);
  histogram.Record(microseconds(100'000));
  histogram.Record(microseconds(200'000));
  const double median = static_cast<double>(histogram.Percentile(50).count());
  EXPECT_NEAR(median, 100'000, 100'000 / 16);
  EXPECT_EQ(histogram.CountUpTo(microseconds(150'000)), 1u);
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
