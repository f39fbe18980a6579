// What it costs to count: an increment stands on every hot path.
#include <benchmark/benchmark.h>

#include "libs/metrics/metrics.h"

namespace devicetrust::metrics {
namespace {

const Counters kBenchCounters("dt_bench_total", "Counted by the benchmark.", {"method", "reason"});
const Histograms kBenchLatency("dt_bench_seconds", "Observed by the benchmark.", kLatencyBuckets);

void BM_CounterAdd(benchmark::State& state) {
  Counter& counter = kBenchCounters.With({"Evaluate", "ok"});
  for (auto _ : state) counter.Add();
}
BENCHMARK(BM_CounterAdd)->Threads(1)->Threads(2);

// The series is looked up each time, among twenty.
void BM_CounterLookupAndAdd(benchmark::State& state) {
  for (int i = 0; i < 20; ++i) kBenchCounters.With({"Enroll", std::to_string(i)});
  for (auto _ : state) kBenchCounters.With({"Evaluate", "ok"}).Add();
}
BENCHMARK(BM_CounterLookupAndAdd)->Threads(1)->Threads(2);

void BM_HistogramObserve(benchmark::State& state) {
  Histogram& histogram = kBenchLatency.With();
  for (auto _ : state) histogram.Observe(0.0123);
}
BENCHMARK(BM_HistogramObserve)->Threads(1)->Threads(2);

}  // namespace
}  // namespace devicetrust::metrics
