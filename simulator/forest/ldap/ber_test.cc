#include "simulator/forest/ldap/ber.h"

#include <gtest/gtest.h>

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
