#include "simulator/report/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace devicetrust::simulator {
namespace {

// Below twice the buckets of a power of two each value has one of its own. Above, `shift` low bits
// are dropped, so that what is left lies in [2^bits, 2^(bits + 1)), and each shift has its 2^bits.
std::size_t BucketOf(std::uint64_t value, int bits) {
  const std::uint64_t linear = std::uint64_t{1} << bits;
  if (value < 2 * linear) return static_cast<std::size_t>(value);
  const int shift = static_cast<int>(std::bit_width(value)) - bits - 1;
  return static_cast<std::size_t>(linear * static_cast<std::uint64_t>(shift) + (value >> shift));
}

// The largest value of a bucket.
std::uint64_t UpperEnd(std::size_t bucket, int bits) {
  const std::size_t linear = std::size_t{1} << bits;
  if (bucket < 2 * linear) return bucket;
  const auto shift = static_cast<int>(bucket / linear - 1);
  const std::uint64_t top = bucket % linear + linear;
  return ((top + 1) << shift) - 1;
}

}  // namespace

void Histogram::Record(Duration value) {
  const std::int64_t ticks = std::clamp(value, Duration::zero(), Duration(kMax)).count();
  const std::size_t bucket = BucketOf(static_cast<std::uint64_t>(ticks), bits_);
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
    if (seen >= rank)
      return Duration(std::min(static_cast<std::int64_t>(UpperEnd(i, bits_)), max_));
  }
  return max();
}

std::uint64_t Histogram::CountUpTo(Duration value) const {
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    if (static_cast<std::int64_t>(UpperEnd(i, bits_)) > value.count()) break;
    seen += buckets_[i];
  }
  return value.count() >= max_ ? count_ : seen;
}

Histogram::Buckets Histogram::buckets() const {
  Buckets filled;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    if (buckets_[i] > 0) filled.emplace_back(static_cast<std::uint32_t>(i), buckets_[i]);
  }
  return filled;
}

bool Histogram::Restore(const Buckets& buckets, std::int64_t sum, std::int64_t max) {
  const std::size_t last = BucketOf(static_cast<std::uint64_t>(Duration(kMax).count()), bits_);
  if (max < 0 || max > Duration(kMax).count() || sum < 0) return false;
  std::vector<std::uint64_t> filled;
  std::uint64_t count = 0;
  for (const auto& [bucket, values] : buckets) {
    const bool ascends = bucket >= filled.size();
    if (!ascends || bucket > last || values == 0 || values > UINT32_MAX) return false;
    filled.resize(bucket + 1);
    filled[bucket] = values;
    count += values;
  }
  // The largest value lies in the last bucket.
  if (!filled.empty() && BucketOf(static_cast<std::uint64_t>(max), bits_) != filled.size() - 1) {
    return false;
  }
  if (filled.empty() && (sum != 0 || max != 0)) return false;
  buckets_ = std::move(filled);
  count_ = count;
  sum_ = sum;
  max_ = max;
  return true;
}

}  // namespace devicetrust::simulator
