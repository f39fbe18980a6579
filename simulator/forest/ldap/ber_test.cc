#include "simulator/forest/ldap/ber.h"

#include <gtest/gtest.h>

#include <limits>

#include "libs/base/bytes.h"
#include "libs/base/encoding.h"
#include "libs/testing/status.h"

namespace devicetrust::simulator {
namespace {

std::string Hex(std::string_view hex) {
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    out += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return out;
}

TEST(BerTest, ReadsWhatItWrote) {
  std::string out;
  BerWriter writer;
  writer.Begin()
      .Integer(-5)
      .Begin(0x63)
      .Text("ab")
      .Integer(2, kBerEnumerated)
      .End()
      .Text(std::string_view("\0x", 2), 0x8b);
  writer.End().AppendTo(out);

  const auto frame = ReadBerFrame(out, 100).value();
  ASSERT_EQ(frame.header_bytes + frame.content_bytes, out.size());
  const std::string content = out.substr(frame.header_bytes);
  BerReader reader(content);
  EXPECT_EQ(reader.NextInteger().value(), -5);
  BerReader inner(reader.Next(0x63).value());
  EXPECT_EQ(inner.Next(kBerOctetString).value(), "ab");
  EXPECT_EQ(inner.NextInteger(kBerEnumerated).value(), 2);
  EXPECT_TRUE(inner.AtEnd());
  EXPECT_EQ(reader.Next(0x8b).value(), std::string_view("\0x", 2));
  EXPECT_TRUE(reader.AtEnd());
}

TEST(BerTest, WaitsForTheWholeMessage) {
  const std::string whole = Hex("3003020107");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(ReadBerFrame(whole.substr(0, size), 100).value().header_bytes, 0U) << size;
  }
  EXPECT_EQ(ReadBerFrame(whole, 100).value().content_bytes, 3U);
  EXPECT_EQ(ReadBerFrame(whole + "next", 100).value().content_bytes, 3U);
  EXPECT_EQ(ReadBerFrame(Hex("308103") + "abc", 100).value().header_bytes, 3U);
}

struct BadFrame {
  const char* name;
  const char* hex;
  absl::StatusCode code;
};

class BadFrameTest : public ::testing::TestWithParam<BadFrame> {};

// Refused by their first bytes, whatever length they claim.
TEST_P(BadFrameTest, IsRefused) {
  EXPECT_EQ(ReadBerFrame(Hex(GetParam().hex), 16384).status().code(), GetParam().code);
}

INSTANTIATE_TEST_SUITE_P(
    , BadFrameTest,
    ::testing::Values(
        BadFrame{"NotASequence", "474554202f", absl::StatusCode::kInvalidArgument},
        BadFrame{"IndefiniteLength", "3080", absl::StatusCode::kInvalidArgument},
        BadFrame{"FiveByteLength", "30850000000001", absl::StatusCode::kInvalidArgument},
        BadFrame{"FourGigabytes", "3084ffffffff", absl::StatusCode::kResourceExhausted},
        BadFrame{"OneByteTooLong", "30824001", absl::StatusCode::kResourceExhausted}),
    [](const auto& tested) { return std::string(tested.param.name); });

// An inner length must not reach out of its container, nor past the end of everything.
TEST(BerTest, KeepsElementsInsideTheirContainer) {
  const std::string content = Hex("300304056162630201ff");
  BerReader reader(content);
  BerReader inner(reader.Next(kBerSequence).value());
  DT_EXPECT_CODE(inner.Next(), kInvalidArgument);
  const std::string overrun = Hex("0405616263");
  DT_EXPECT_CODE(BerReader(overrun).Next(), kInvalidArgument);
  DT_EXPECT_CODE(BerReader("").Next(), kInvalidArgument);
  const std::string tag_only = Hex("04");
  DT_EXPECT_CODE(BerReader(tag_only).Next(), kInvalidArgument);
}

// What X.690 says, sections 8.1.3 and 8.3: the shortest form of lengths and integers.
TEST(BerTest, WritesTheShortestForm) {
  const auto written = [](const auto& write) {
    BerWriter writer;
    write(writer);
    std::string out;
    writer.AppendTo(out);
    return HexEncode(AsBytes(out));
  };
  const auto integer = [&](int value) {
    return written([value](BerWriter& writer) { writer.Integer(value); });
  };
  EXPECT_EQ(integer(0), "020100");
  EXPECT_EQ(integer(127), "02017f");
  EXPECT_EQ(integer(128), "02020080");
  EXPECT_EQ(integer(-1), "0201ff");
  EXPECT_EQ(integer(-128), "020180");
  EXPECT_EQ(integer(-129), "0202ff7f");
  EXPECT_EQ(integer(1'000'000), "02030f4240");
  EXPECT_EQ(integer(std::numeric_limits<int>::min()), "020480000000");
  EXPECT_EQ(written([](BerWriter& w) { w.Begin().Integer(1).Begin(0x64).Text("ab").End().End(); }),
            "300902010164040402"
            "6162");
  const auto begins_with = [&](std::size_t bytes, const char* header) {
    return written([bytes](BerWriter& w) { w.Begin().Text(std::string(bytes, 'x')).End(); })
        .starts_with(header);
  };
  EXPECT_TRUE(begins_with(125, "307f047d"));
  EXPECT_TRUE(begins_with(126, "308180047e"));
  EXPECT_TRUE(begins_with(252, "3081ff0481fc"));
  EXPECT_TRUE(begins_with(253, "308201000481fd"));
  EXPECT_TRUE(begins_with(65'531, "3082ffff0482fffb"));
}

TEST(BerTest, RefusesOddIntegersAndBooleans) {
  for (const char* hex : {"0200", "0205010000000000", "0209010203040506070809", "0401aa"}) {
    const std::string content = Hex(hex);
    DT_EXPECT_CODE(BerReader(content).NextInteger(), kInvalidArgument);
  }
  for (const char* hex : {"0100", "01020000"}) {
    const std::string content = Hex(hex);
    DT_EXPECT_CODE(BerReader(content).NextBoolean(), kInvalidArgument);
  }
}

}  // namespace
}  // namespace devicetrust::simulator
