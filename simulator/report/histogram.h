// A histogram of durations in the manner of HdrHistogram: linear buckets within each power
// of two, so that every percentile is exact to 1/128 of its value (or as coarse as it is made)
// whatever the range. Its
// size does not grow with the number of values, and two of them add up to the histogram of
// both: that is how threads, and later machines, are joined.
#pragma once

#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

namespace devicetrust::simulator {

// Not thread-safe: one a thread, merged at the end, or behind a lock (see Meter).
class Histogram {
 public:
  using Duration = std::chrono::microseconds;

  // Values are kept in whole microseconds from 0 to kMax; beyond either end they are clamped.
  static constexpr Duration kMax = std::chrono::hours(24);

  static constexpr int kFine = 7;    // 128 buckets in each power of two.
  static constexpr int kCoarse = 4;  // 16: a tenth of the memory, exact to a sixteenth.

  Histogram() = default;
  explicit Histogram(int bits) : bits_(bits) {}

  void Record(Duration value);
  void Merge(const Histogram& other);  // Of the same `bits`.

  std::uint64_t count() const { return count_; }
  Duration max() const { return Duration(max_); }  // Exact. Zero when empty.
  Duration Mean() const;                           // Exact. Zero when empty.

  // How many values, of all, are at most `value`, as far as buckets tell.
  std::uint64_t CountUpTo(Duration value) const;

  // The buckets that hold anything, by number, ascending: what Restore() makes it of again.
  using Buckets = std::vector<std::pair<std::uint32_t, std::uint64_t>>;
  Buckets buckets() const;
  std::int64_t sum() const { return sum_; }
  // False, and nothing changes: `buckets` are none of a histogram with these `bits`.
  bool Restore(const Buckets& buckets, std::int64_t sum, std::int64_t max);

  // The smallest recorded value that at least `percent` (0 to 100) of all values do not
  // exceed, rounded up by less than 1 %. Zero when empty.
  Duration Percentile(double percent) const;

 private:
  int bits_ = kFine;
  std::vector<std::uint64_t> buckets_;  // Grown to the largest value so far.
  std::uint64_t count_ = 0;
  std::int64_t sum_ = 0;  // Microseconds.
  std::int64_t max_ = 0;
};

}  // namespace devicetrust::simulator
