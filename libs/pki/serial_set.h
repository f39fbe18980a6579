// Many serial numbers in little memory, and on the wire.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/bytes.h"
#include "libs/base/status.h"

namespace devicetrust::pki {

inline constexpr std::size_t kSerialKeyOctets = 12;

// The first 12 octets of a serial number, by which a CA that gives none of them twice tells its
// certificates apart. NewSerial() begins with 6 octets of time; they are rotated behind the 6
// random ones, so that keys are spread evenly.
struct SerialKey {
  std::uint64_t head = 0;  // Octets 6 to 11, then 0 and 1.
  std::uint32_t tail = 0;  // Octets 2 to 5.

  auto operator<=>(const SerialKey&) const = default;
};

// Of a serial in lower-case hex. Nothing when it has fewer than 12 octets, or is no hex.
std::optional<SerialKey> SerialKeyOf(std::string_view serial_hex);

// A sorted set of keys. Takes at most 12 octets for each from some hundred on; a look-up of a key
// that is there takes about one miss of the cache. Immutable, thread-safe.
class SerialSet {
 public:
  SerialSet() = default;  // Empty.
  // In any order, doubles count once.
  static SerialSet Of(std::vector<SerialKey> keys);

  struct Change {
    SerialKey key;
    bool present = true;  // Afterwards.
  };
  // The set after `changes`, of which the last of a key counts. Cost: linear in the set, some
  // nanoseconds for each key.
  SerialSet With(std::vector<Change> changes) const;

  bool Contains(SerialKey key) const {
    if (size_ == 0 || !MayHold(key)) return false;
    return Find(key);
  }
  std::size_t size() const { return size_; }
  std::size_t memory_bytes() const;

  // As RevokedSet.keys of devicetrust.ca.v1 says, in parts of at most `keys_max` keys; none for an
  // empty set. About 11 octets a key.
  std::vector<std::string> Encode(std::size_t keys_max) const;

 private:
  class Builder;

  // Where the filter says that a key may be there: all of the word's bits of `bits` are set.
  struct FilterPlace {
    std::size_t word;
    std::uint64_t bits;
  };
  FilterPlace PlaceOf(SerialKey key) const;
  bool MayHold(SerialKey key) const {
    const FilterPlace place = PlaceOf(key);
    return (filter_[place.word] & place.bits) == place.bits;
  }
  bool Find(SerialKey key) const;
  SerialKey InBucket(std::size_t bucket, std::size_t index) const;
  std::uint64_t HeadAt(std::size_t index) const;

  // The first index_bits_ bits of a key say which of the buckets it is in, and are not stored.
  int index_bits_ = 0;
  std::size_t octets_ = 0;  // Of a record: the other bits of a key.
  std::size_t size_ = 0;
  std::vector<std::uint32_t> begins_;  // Of each bucket, and the end of the last.
  Bytes records_;                      // And so much behind them that eight octets can be read.
  // A Bloom filter whose bits of one key are in one word. Most keys that are looked for are not
  // there, and nine of ten of those are told by it, which lies in the cache where records do not.
  std::vector<std::uint64_t> filter_;
};

// Appends the keys of one part of Encode(). kInvalidArgument: it is none; some may be appended.
absl::Status DecodeSerialKeys(std::string_view part, std::vector<SerialKey>& keys);

}  // namespace devicetrust::pki
