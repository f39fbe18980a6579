// A histogram of durations in the manner of HdrHistogram: linear buckets within each power
// of two, so that every percentile is exact to 1/128 of its value whatever the range. Its
// size does not grow with the number of values, and two of them add up to the histogram of
// both: that is how threads, and later machines, are joined.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace devicetrust::simulator {

// Not thread-safe: one a thread, merged at the end, or behind a lock (see Meter).
class Histogram {
 public:
  using Duration = std::chrono::microseconds;

  // Values are kept in whole microseconds from 0 to kMax; beyond either end they are clamped.
  static constexpr Duration kMax = std::chrono::hours(24);

  void Record(Duration value);
  void Merge(const Histogram& other);

  std::uint64_t count() const { return count_; }
  Duration max() const { return Duration(max_); }  // Exact. Zero when empty.
  Duration Mean() const;                           // Exact. Zero when empty.

  // The smallest recorded value that at least `percent` (0 to 100) of all values do not
  // exceed, rounded up by less than 1 %. Zero when empty.
  Duration Percentile(double percent) const;

 private:
  std::vector<std::uint64_t> buckets_;  // Grown to the largest value so far.
  std::uint64_t count_ = 0;
  std::int64_t sum_ = 0;  // Microseconds.
  std::int64_t max_ = 0;
};

}  // namespace devicetrust::simulator
