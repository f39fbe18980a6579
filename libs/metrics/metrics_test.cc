#include "libs/metrics/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "libs/metrics/process.h"

namespace devicetrust::metrics {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

// The lines of one metric.
std::string LinesOf(const std::string& name) {
  const std::string all = Exposition();
  const std::size_t begin = all.find("# HELP " + name + " ");
  if (begin == std::string::npos) return "";
  return all.substr(begin, all.find("# HELP ", begin + 1) - begin);
}

const Counters kCalls("dt_test_calls_total", "Calls, by \\ and\nresult.", {"method", "result"});
const Counters kPlain("dt_test_plain_total", "Plain.");
const Gauges kDepth("dt_test_depth", "Depth.", {"queue"});
const Gauges kExpiry("dt_test_expiry_timestamp_seconds", "Expiry.", {}, Merge::kLeast);
const Gauges kAge("dt_test_age_seconds", "Age.", {}, Merge::kGreatest);
constexpr std::array kBounds{0.5, 1.0, 2.5};
const Histograms kLatency("dt_test_latency_seconds", "Latency.", kBounds, {"method"});
const Counters kMany("dt_test_many_total", "Many.", {"name"});

TEST(MetricsTest, WritesCountersWithEscapedHelpAndLabels) {
  kCalls.With({"Get", "ok"}).Add();
  kCalls.With({"Get", "ok"}).Add(2);
  kCalls.With({"a\"b\\c\nd", "no"}).Add();
  EXPECT_EQ(LinesOf("dt_test_calls_total"),
            "# HELP dt_test_calls_total Calls, by \\\\ and\\nresult.\n"
            "# TYPE dt_test_calls_total counter\n"
            "dt_test_calls_total{method=\"Get\",result=\"ok\"} 3\n"
            "dt_test_calls_total{method=\"a\\\"b\\\\c\\nd\",result=\"no\"} 1\n");
}

TEST(MetricsTest, ShowsTheZeroOfACounterWithoutLabels) {
  EXPECT_THAT(LinesOf("dt_test_plain_total"), HasSubstr("\ndt_test_plain_total 0\n"));
}

TEST(MetricsTest, CountsWhatManyThreadsAdd) {
  Counter counter;
  Histogram histogram(kBounds);
  std::vector<std::thread> threads;
  for (int i = 0; i < 10; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 1000; ++k) {
        counter.Add();
        histogram.Observe(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.Value(), 10'000U);
  EXPECT_EQ(histogram.Read().counts, (std::vector<std::uint64_t>{0, 10'000, 0, 0}));
  EXPECT_EQ(histogram.Read().sum, 10'000);
}

TEST(MetricsTest, WritesHistogramsCumulatively) {
  Histogram& histogram = kLatency.With({"Get"});
  for (const double value : {0.1, 0.5, 0.75, 2.0, 100.0}) histogram.Observe(value);
  histogram.Observe(std::chrono::milliseconds(400));
  EXPECT_EQ(LinesOf("dt_test_latency_seconds"),
            "# HELP dt_test_latency_seconds Latency.\n"
            "# TYPE dt_test_latency_seconds histogram\n"
            "dt_test_latency_seconds_bucket{method=\"Get\",le=\"0.5\"} 3\n"
            "dt_test_latency_seconds_bucket{method=\"Get\",le=\"1\"} 4\n"
            "dt_test_latency_seconds_bucket{method=\"Get\",le=\"2.5\"} 5\n"
            "dt_test_latency_seconds_bucket{method=\"Get\",le=\"+Inf\"} 6\n"
            "dt_test_latency_seconds_sum{method=\"Get\"} 103.75\n"
            "dt_test_latency_seconds_count{method=\"Get\"} 6\n");
}

TEST(MetricsTest, AStopwatchObservesOnce) {
  Histogram histogram(kLatencyBuckets);
  { const Stopwatch stopwatch(histogram); }
  EXPECT_EQ(histogram.Read().counts[0], 1U);
}

TEST(MetricsTest, AGaugeShowsWhatWasSetLast) {
  kDepth.With({"db"}).Set(7);
  kDepth.With({"db"}).Add(-2.5);
  EXPECT_THAT(LinesOf("dt_test_depth"), HasSubstr("dt_test_depth{queue=\"db\"} 4.5\n"));
  kDepth.With({"db"}).Set(std::numeric_limits<double>::infinity());
  EXPECT_THAT(LinesOf("dt_test_depth"), HasSubstr("dt_test_depth{queue=\"db\"} +Inf\n"));
  kDepth.With({"db"}).Set(std::nan(""));
  EXPECT_THAT(LinesOf("dt_test_depth"), HasSubstr("dt_test_depth{queue=\"db\"} NaN\n"));
}

TEST(MetricsTest, ReadingsAddUpAndEndWithTheirOwner) {
  const Reading one = kDepth.Read({"outbox"}, [] { return 3.0; });
  {
    const Reading two = kDepth.Read({"outbox"}, [] { return 4.0; });
    EXPECT_THAT(LinesOf("dt_test_depth"), HasSubstr("dt_test_depth{queue=\"outbox\"} 7\n"));
  }
  EXPECT_THAT(LinesOf("dt_test_depth"), HasSubstr("dt_test_depth{queue=\"outbox\"} 3\n"));
  EXPECT_THAT(LinesOf("dt_test_expiry_timestamp_seconds"), Not(HasSubstr("seconds 1")));
}

TEST(MetricsTest, ShowsTheFirstExpiryAndTheGreatestAge) {
  const Reading first = kExpiry.Read({}, [] { return 30.0; });
  const Reading second = kExpiry.Read({}, [] { return 20.0; });
  EXPECT_THAT(LinesOf("dt_test_expiry_timestamp_seconds"),
              HasSubstr("\ndt_test_expiry_timestamp_seconds 20\n"));
  const Reading third = kAge.Read({}, [] { return 30.0; });
  const Reading fourth = kAge.Read({}, [] { return 20.0; });
  EXPECT_THAT(LinesOf("dt_test_age_seconds"), HasSubstr("\ndt_test_age_seconds 30\n"));
}

TEST(MetricsTest, TooManySeriesBecomeOne) {
  for (std::size_t i = 0; i < kSeriesMax + 5; ++i) kMany.With({std::to_string(i)}).Add();
  EXPECT_EQ(&kMany.With({"new"}), &kMany.With({"newer"}));
  EXPECT_THAT(LinesOf("dt_test_many_total"), HasSubstr("dt_test_many_total{name=\"other\"} 5\n"));
}

// Prometheus refuses a page with such a name as a whole, so nobody gets as far as serving it.
TEST(MetricsDeathTest, EndsTheProcessForANameThatPrometheusRefuses) {
  for (const char* name :
       {"", "dt-calls", "dt_Calls", "1dt_calls", "_calls", "dt:calls", "dt calls"}) {
    EXPECT_DEATH(Counters(name, "Calls."), "") << name;
    EXPECT_DEATH(Counters("dt_test_labelled_total", "Calls.", {name}), "") << name;
  }
}

TEST(MetricsDeathTest, EndsTheProcessForANameThatIsTaken) {
  EXPECT_DEATH(Gauges("dt_test_depth", "Another depth."), "");
}

TEST(MetricsTest, TellsOfTheProcess) {
  AddProcessMetrics("dt-test", "1.2.3");
  const std::string all = Exposition();
  EXPECT_THAT(all, HasSubstr("\ndt_build_info{program=\"dt-test\",version=\"1.2.3\"} 1\n"));
  for (const char* name : {"process_resident_memory_bytes", "process_virtual_memory_bytes",
                           "process_open_fds", "process_max_fds", "process_threads"}) {
    EXPECT_THAT(all, ContainsRegex(std::string("\n") + name + " [1-9]"));
  }
  EXPECT_THAT(all, ContainsRegex("\nprocess_start_time_seconds [12]"));
  EXPECT_THAT(all, ContainsRegex("\nprocess_cpu_seconds_total [0-9.]+\n"));
}

}  // namespace
}  // namespace devicetrust::metrics
