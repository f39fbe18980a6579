#include "libs/pki/serial_set.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "libs/base/encoding.h"
#include "libs/testing/status.h"

namespace devicetrust::pki {
namespace {

// As NewSerial() makes them: ordered by time, then random.
std::string SerialOf(std::uint64_t at_ms, std::mt19937_64& random) {
  Bytes octets;
  for (int shift = 40; shift >= 0; shift -= 8) {
    octets.push_back(static_cast<std::uint8_t>(at_ms >> shift));
  }
  while (octets.size() < 20) octets.push_back(static_cast<std::uint8_t>(random()));
  return HexEncode(octets);
}

std::vector<SerialKey> KeysOf(std::size_t count, std::mt19937_64& random) {
  std::vector<SerialKey> keys;
  for (std::size_t i = 0; i < count; ++i) {
    keys.push_back(SerialKeyOf(SerialOf(1'780'000'000'000 + i / 2, random)).value());
  }
  return keys;
}

std::vector<SerialKey> Decoded(const std::vector<std::string>& parts) {
  std::vector<SerialKey> keys;
  for (const std::string& part : parts) DT_EXPECT_OK(DecodeSerialKeys(part, keys));
  return keys;
}

TEST(SerialSetTest, AKeyIsTheFirstTwelveOctetsRotated) {
  const auto key = SerialKeyOf("000102030405060708090a0b0c0d0e0f");
  ASSERT_TRUE(key);
  EXPECT_EQ(key->head, 0x060708090a0b0001U);
  EXPECT_EQ(key->tail, 0x02030405U);
  EXPECT_EQ(SerialKeyOf("000102030405060708090a0bffff"), key);
  EXPECT_FALSE(SerialKeyOf("000102030405060708090a0"));
  EXPECT_FALSE(SerialKeyOf("000102030405060708090a0B"));
  EXPECT_FALSE(SerialKeyOf("00010203040506070809-a0b"));
  EXPECT_FALSE(SerialKeyOf(""));
}

// Exactly those that were put in, at each size of the index, on the wire too, in 12 octets each.
TEST(SerialSetTest, HoldsExactlyWhatWasPutInAndCrossesTheWire) {
  std::mt19937_64 random(7);
  for (const std::size_t count : {0, 1, 2, 100, 10'000, 327'679, 400'000}) {
    const auto keys = KeysOf(count, random);
    const SerialSet set = SerialSet::Of(keys);
    EXPECT_EQ(set.size(), count);
    for (const SerialKey key : keys) ASSERT_TRUE(set.Contains(key)) << count;
    for (const SerialKey key : KeysOf(1000, random)) ASSERT_FALSE(set.Contains(key)) << count;
    const auto parts = set.Encode(50'000);
    EXPECT_EQ(parts.size(), (count + 49'999) / 50'000);
    const auto read = Decoded(parts);
    EXPECT_TRUE(std::ranges::is_sorted(read));
    EXPECT_EQ(std::set<SerialKey>(read.begin(), read.end()),
              std::set<SerialKey>(keys.begin(), keys.end()));
    if (count < 10'000) continue;
    EXPECT_LE(set.memory_bytes(), 12 * count);
    std::size_t octets = 0;
    for (const std::string& part : parts) octets += part.size();
    EXPECT_LE(octets, 12 * count);
  }
}

// Neighbours in every octet, which no even spread tells apart.
TEST(SerialSetTest, TellsKeysApartThatDifferInOneOctet) {
  for (const std::size_t filler : {0, 400'000}) {
    std::mt19937_64 random(8);
    std::vector<SerialKey> keys = KeysOf(filler, random);
    const std::string base = "6a0000000000ffffffffffff";
    for (std::size_t i = 0; i < kSerialKeyOctets; ++i) {
      std::string near = base;
      near.replace(2 * i, 2, "55");
      keys.push_back(SerialKeyOf(near).value());
    }
    const SerialSet set = SerialSet::Of(keys);
    EXPECT_FALSE(set.Contains(SerialKeyOf(base).value()));
    for (const SerialKey key : keys) ASSERT_TRUE(set.Contains(key));
    for (std::size_t i = 0; i < kSerialKeyOctets; ++i) {
      std::string near = base;
      near.replace(2 * i, 2, "56");
      EXPECT_FALSE(set.Contains(SerialKeyOf(near).value())) << i;
    }
  }
}

// All in one bucket, one behind the other: nothing like random.
TEST(SerialSetTest, FindsKeysThatAreNotSpreadEvenly) {
  std::vector<SerialKey> keys;
  for (std::uint64_t i = 0; i < 20'000; ++i) keys.push_back({i * i, static_cast<std::uint32_t>(i)});
  for (std::uint32_t i = 1; i < 300; ++i) keys.push_back({42, i});  // One head.
  const SerialSet set = SerialSet::Of(keys);
  for (const SerialKey key : keys) ASSERT_TRUE(set.Contains(key));
  EXPECT_FALSE(set.Contains({42, 300}));
  EXPECT_FALSE(set.Contains({3, 0}));
  EXPECT_FALSE(set.Contains({~0ULL, 0}));
}

TEST(SerialSetTest, ChangesLikeAMap) {
  std::mt19937_64 random(9);
  SerialSet set;
  std::map<SerialKey, bool> model;
  const auto pool = KeysOf(3000, random);
  for (int round = 0; round < 60; ++round) {
    std::vector<SerialSet::Change> changes;
    for (int i = 0; i < 100; ++i) {
      changes.push_back({pool[random() % pool.size()], random() % 3 != 0});
      model[changes.back().key] = changes.back().present;
    }
    set = set.With(std::move(changes));
    std::size_t present = 0;
    for (const auto& [key, is_present] : model) {
      ASSERT_EQ(set.Contains(key), is_present);
      present += is_present ? 1 : 0;
    }
    ASSERT_EQ(set.size(), present);
  }
}

TEST(SerialSetTest, RefusesWhatIsNoPart) {
  std::mt19937_64 random(10);
  const std::string part = SerialSet::Of(KeysOf(3, random)).Encode(10).at(0);
  std::vector<SerialKey> keys;
  for (std::size_t cut = 1; cut < part.size(); ++cut) {
    keys.clear();
    const absl::Status status = DecodeSerialKeys(std::string_view(part).substr(0, cut), keys);
    EXPECT_TRUE(!status.ok() || keys.size() < 3U);
  }
  DT_EXPECT_CODE(DecodeSerialKeys("\xff\xff\xff\xff", keys), kInvalidArgument);
  DT_EXPECT_CODE(DecodeSerialKeys("\xff\xff\x7f" + std::string(10, 'a'), keys), kInvalidArgument);
  DT_EXPECT_OK(DecodeSerialKeys("", keys));
}

}  // namespace
}  // namespace devicetrust::pki
