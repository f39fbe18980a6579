#include "libs/pki/serial_set.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace devicetrust::pki {
namespace {

constexpr int kKeyBits = 96;
constexpr int kHeadBits = 64;
constexpr int kTailBits = 32;
constexpr std::size_t kWordOctets = 8;
// With this many keys the 65,537 places of an index by 16 bits weigh less than an octet a key.
constexpr std::size_t kLargeSet = 5 * 65'536;
constexpr int kLargeIndexBits = 16;
constexpr int kSmallIndexBits = 8;
constexpr std::size_t kKeysPerFilterWord = 12;
constexpr std::size_t kWireOctets = 10;  // Of a key behind its first two.
constexpr std::size_t kWireHead = 2;

constexpr std::uint64_t kEachOctet = 0x0101010101010101;

std::uint64_t FromBigEndian(std::uint64_t word) {
  if constexpr (std::endian::native == std::endian::little) return __builtin_bswap64(word);
  return word;
}

std::uint64_t ReadWord(const std::uint8_t* at) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, kWordOctets);
  return FromBigEndian(word);
}

// The number that eight lower-case hex digits are, all at once; `good` turns false where one is
// none.
std::uint32_t ReadDigits(const char* text, bool& good) {
  const std::uint64_t digits = ReadWord(reinterpret_cast<const std::uint8_t*>(text));
  // Of each octet the highest bit says whether it is at least so much; none carries over.
  const auto at_least = [digits](std::uint64_t least) {
    return (digits & kEachOctet * 0x7f) + kEachOctet * (0x80 - least);
  };
  const std::uint64_t number = at_least('0') & ~at_least('9' + 1);
  const std::uint64_t letter = at_least('a') & ~at_least('f' + 1);
  const std::uint64_t high_bits = kEachOctet * 0x80;
  good = good && ((number | letter) & ~digits & high_bits) == high_bits;
  std::uint64_t halves = (digits & kEachOctet * 0x0f) + (digits >> 6 & kEachOctet) * 9;
  halves = (halves >> 4 | halves) & 0x00ff00ff00ff00ff;
  halves = (halves >> 8 | halves) & 0x0000ffff0000ffff;
  return static_cast<std::uint32_t>(halves >> 16 | halves);
}

// A key without its first `bits`: the 64 that follow, and the rest at the top of the second.
struct Remainder {
  std::uint64_t head;
  std::uint32_t tail;
};

Remainder Without(SerialKey key, int bits) {
  return {key.head << bits | static_cast<std::uint64_t>(key.tail) >> (kTailBits - bits),
          key.tail << bits};
}

std::size_t BucketOf(SerialKey key, int bits) { return key.head >> (kHeadBits - bits); }

}  // namespace

std::optional<SerialKey> SerialKeyOf(std::string_view serial_hex) {
  if (serial_hex.size() < 2 * kSerialKeyOctets) return std::nullopt;
  bool good = true;
  const std::uint64_t first = ReadDigits(serial_hex.data(), good);
  const std::uint64_t second = ReadDigits(serial_hex.data() + 8, good);
  const std::uint64_t third = ReadDigits(serial_hex.data() + 16, good);
  if (!good) return std::nullopt;
  return SerialKey{second << 48 | third << 16 | first >> 16,
                   static_cast<std::uint32_t>(first << 16 | second >> 16)};
}

// Takes keys in ascending order.
class SerialSet::Builder {
 public:
  explicit Builder(std::size_t size_max) {
    if (size_max == 0) return;
    set_.index_bits_ = size_max < kLargeSet ? kSmallIndexBits : kLargeIndexBits;
    set_.octets_ = static_cast<std::size_t>(kKeyBits - set_.index_bits_) / 8;
    set_.begins_.reserve((std::size_t{1} << set_.index_bits_) + 1);
    set_.records_.resize(size_max * set_.octets_ + kWordOctets);
    set_.filter_.resize(size_max / kKeysPerFilterWord + 1);
  }

  void Add(SerialKey key) {
    const std::size_t bucket = BucketOf(key, set_.index_bits_);
    while (set_.begins_.size() <= bucket) {
      set_.begins_.push_back(static_cast<std::uint32_t>(set_.size_));
    }
    const Remainder rest = Without(key, set_.index_bits_);
    const std::uint64_t head = FromBigEndian(rest.head);
    std::uint8_t* const at = set_.records_.data() + set_.size_ * set_.octets_;
    std::memcpy(at, &head, kWordOctets);
    for (std::size_t i = kWordOctets; i < set_.octets_; ++i) {
      at[i] = static_cast<std::uint8_t>(rest.tail >> (kTailBits - 8 * (i - kWordOctets + 1)));
    }
    const FilterPlace place = set_.PlaceOf(key);
    set_.filter_[place.word] |= place.bits;
    ++set_.size_;
  }

  SerialSet Finish() && {
    if (set_.size_ == 0) return {};
    const std::size_t buckets = std::size_t{1} << set_.index_bits_;
    set_.begins_.resize(buckets + 1, static_cast<std::uint32_t>(set_.size_));
    set_.records_.resize(set_.size_ * set_.octets_ + kWordOctets);
    return std::move(set_);
  }

 private:
  SerialSet set_;
};

// Only the first octets of a key are random, so that they are mixed into the bits below.
SerialSet::FilterPlace SerialSet::PlaceOf(SerialKey key) const {
  const std::uint64_t mixed = key.head * 0x9e3779b97f4a7c15U;
  const std::uint64_t low = mixed ^ mixed >> 32;
  const auto bit = [low](int shift) { return std::uint64_t{1} << (low >> shift & 63); };
  return {static_cast<std::size_t>((mixed >> 32) * filter_.size() >> 32),
          bit(0) | bit(6) | bit(12)};
}

std::uint64_t SerialSet::HeadAt(std::size_t index) const {
  return ReadWord(records_.data() + index * octets_);
}

SerialKey SerialSet::InBucket(std::size_t bucket, std::size_t index) const {
  const std::uint8_t* const at = records_.data() + index * octets_;
  const std::uint64_t head = ReadWord(at);
  std::uint32_t tail = 0;  // The bits behind the head, at the bottom.
  for (std::size_t i = kWordOctets; i < octets_; ++i) tail = tail << 8 | at[i];
  const int tail_bits = kTailBits - index_bits_;
  return {bucket << (kHeadBits - index_bits_) | head >> index_bits_,
          static_cast<std::uint32_t>(head << tail_bits) | tail};
}

// Keys are spread evenly within a bucket, so the guess is off by a few; the steps double in case
// that they are not.
bool SerialSet::Find(SerialKey key) const {
  const std::size_t bucket = BucketOf(key, index_bits_);
  std::size_t low = begins_[bucket];       // All before it are smaller.
  std::size_t high = begins_[bucket + 1];  // None from it on is smaller.
  if (low == high) return false;
  const Remainder rest = Without(key, index_bits_);
  std::size_t guess = low + ((rest.head >> 32) * (high - low) >> 32);
  if (HeadAt(guess) < rest.head) {
    for (std::size_t step = 1;; step *= 2) {
      low = guess + 1;
      if (high - low < step) break;
      guess += step;
      if (guess >= high || HeadAt(guess) >= rest.head) {
        high = std::min(guess, high);
        break;
      }
    }
  } else {
    for (std::size_t step = 1;; step *= 2) {
      high = guess;
      if (high - low < step) break;
      guess -= step;
      if (HeadAt(guess) < rest.head) {
        low = guess + 1;
        break;
      }
    }
  }
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (HeadAt(middle) < rest.head) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  for (; low < begins_[bucket + 1] && HeadAt(low) == rest.head; ++low) {
    if (InBucket(bucket, low) == key) return true;
  }
  return false;
}

SerialSet SerialSet::Of(std::vector<SerialKey> keys) {
  std::ranges::sort(keys);
  // Not std::ranges::unique: what clang 14 makes of its answer does not compile.
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  Builder builder(keys.size());
  for (const SerialKey key : keys) builder.Add(key);
  return std::move(builder).Finish();
}

SerialSet SerialSet::With(std::vector<Change> changes) const {
  std::ranges::stable_sort(changes, {}, &Change::key);
  Builder builder(size_ + changes.size());
  auto change = changes.begin();
  const auto add_changes_before = [&](const SerialKey* end) {
    while (change != changes.end() && (end == nullptr || change->key < *end)) {
      const auto next = std::next(change);
      const bool last = next == changes.end() || next->key != change->key;
      if (last && change->present) builder.Add(change->key);
      change = next;
    }
  };
  for (std::size_t bucket = 0; bucket + 1 < begins_.size(); ++bucket) {
    for (std::size_t i = begins_[bucket]; i < begins_[bucket + 1]; ++i) {
      const SerialKey key = InBucket(bucket, i);
      add_changes_before(&key);
      if (change == changes.end() || change->key != key) builder.Add(key);
    }
  }
  add_changes_before(nullptr);
  return std::move(builder).Finish();
}

std::size_t SerialSet::memory_bytes() const {
  return records_.capacity() + begins_.capacity() * sizeof(std::uint32_t) +
         filter_.capacity() * sizeof(std::uint64_t);
}

std::vector<std::string> SerialSet::Encode(std::size_t keys_max) const {
  std::vector<std::string> parts;
  std::size_t before = 0;
  std::size_t in_part = 0;
  for (std::size_t bucket = 0; bucket + 1 < begins_.size(); ++bucket) {
    for (std::size_t i = begins_[bucket]; i < begins_[bucket + 1]; ++i) {
      const SerialKey key = InBucket(bucket, i);
      if (in_part == keys_max || parts.empty()) {
        parts.emplace_back();
        parts.back().reserve(std::min(keys_max, size_) * (kWireOctets + 2));
        before = 0;
        in_part = 0;
      }
      ++in_part;
      std::string& part = parts.back();
      const std::size_t first = BucketOf(key, kLargeIndexBits);
      std::size_t ahead = first - std::exchange(before, first);
      for (; ahead >= 0x80; ahead >>= 7) part.push_back(static_cast<char>(ahead | 0x80));
      part.push_back(static_cast<char>(ahead));
      for (int shift = kHeadBits - kLargeIndexBits - 8; shift >= 0; shift -= 8) {
        part.push_back(static_cast<char>(key.head >> shift));
      }
      for (int shift = kTailBits - 8; shift >= 0; shift -= 8) {
        part.push_back(static_cast<char>(key.tail >> shift));
      }
    }
  }
  return parts;
}

absl::Status DecodeSerialKeys(std::string_view part, std::vector<SerialKey>& keys) {
  const std::span<const std::uint8_t> octets = AsBytes(part);
  std::size_t at = 0;
  std::uint64_t first = 0;
  while (at < octets.size()) {
    std::uint64_t ahead = 0;
    for (int shift = 0;; shift += 7) {
      if (at == octets.size() || shift > 14) {
        return absl::InvalidArgumentError("a set of serials is cut off");
      }
      ahead |= static_cast<std::uint64_t>(octets[at] & 0x7f) << shift;
      if ((octets[at++] & 0x80) == 0) break;
    }
    first += ahead;
    if (octets.size() - at < kWireOctets || first >> kLargeIndexBits != 0) {
      return absl::InvalidArgumentError("a set of serials is cut off, or a key out of range");
    }
    SerialKey key;
    key.head = first << (kHeadBits - kLargeIndexBits);
    for (std::size_t i = 0; i < kWordOctets - kWireHead; ++i) {
      key.head |= static_cast<std::uint64_t>(octets[at++]) << (kHeadBits - 24 - 8 * i);
    }
    for (int i = 0; i < 4; ++i) key.tail = key.tail << 8 | octets[at++];
    keys.push_back(key);
  }
  return absl::OkStatus();
}

}  // namespace devicetrust::pki
