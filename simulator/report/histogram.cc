#include "simulator/report/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace devicetrust::simulator {
namespace {

constexpr int kLinearBits = 7;  // 128 buckets in each power of two.
constexpr std::uint64_t kLinear = std::uint64_t{1} << kLinearBits;

// Below 256 each value has a bucket of its own. Above, `shift` low bits are dropped, so that
// what is left lies in [128, 256), and each shift has its 128 buckets.
std::size_t BucketOf(std::uint64_t value) {
  if (value < 2 * kLinear) return static_cast<std::size_t>(value);
  const int shift = static_cast<int>(std::bit_width(value)) - kLinearBits - 1;
  return static_cast<std::size_t>(kLinear * static_cast<std::uint64_t>(shift) + (value >> shift));
}

// The largest value of a bucket.
std::uint64_t UpperEnd(std::size_t bucket) {
  if (bucket < 2 * kLinear) return bucket;
  const auto shift = static_cast<int>(bucket / kLinear - 1);
  const std::uint64_t top = bucket % kLinear + kLinear;
  return ((top + 1) << shift) - 1;
}

}  // namespace

void Histogram::Record(Duration value) {
  const std::int64_t ticks = std::clamp(value, Duration::zero(), Duration(kMax)).count();
  const std::size_t bucket = BucketOf(static_cast<std::uint64_t>(ticks));
  if (bucket >= buckets_.size()) buckets_.resize(bucket + 1);
  ++buckets_[bucket];
  ++count_;
  sum_ += ticks;
  max_ = std::max(max_, ticks);
}

void Histogram::Merge(const Histogram& other) {
  if (other.buckets_.size() > buckets_.size()) buckets_.resize(other.buckets_.size());
  for (std::size_t i = 0; i < other.buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

Histogram::Duration Histogram::Mean() const {
  return Duration(count_ == 0 ? 0 : sum_ / static_cast<std::int64_t>(count_));
}

Histogram::Duration Histogram::Percentile(double percent) const {
  if (count_ == 0) return Duration::zero();
  const double wanted =
      std::ceil(std::clamp(percent, 0.0, 100.0) / 100 * static_cast<double>(count_));
  const auto rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(wanted));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= rank) return Duration(std::min(static_cast<std::int64_t>(UpperEnd(i)), max_));
  }
  return max();
}

}  // namespace devicetrust::simulator
