#include "libs/base/encoding.h"

#include <gtest/gtest.h>

#include <utility>

#include "libs/testing/status.h"

namespace devicetrust {
namespace {

// RFC 4648 section 10.
TEST(EncodingTest, Base64OfAllLengthsComesBack) {
  Bytes data;
  for (int length = 0; length < 70; ++length) {
    EXPECT_EQ(Base64Decode(Base64Encode(data)).value(), data);
    EXPECT_EQ(Base64UrlDecode(Base64UrlEncode(data)).value(), data);
    data.push_back(static_cast<std::uint8_t>(251 * (length + 1)));
  }
  std::string text = Base64Encode(data);
  for (char& character : text) {  // Refused wherever it stands.
    const char right = std::exchange(character, '~');
    DT_EXPECT_CODE(Base64Decode(text), kInvalidArgument);
    character = right;
  }
}

TEST(EncodingTest, MatchesTheVectorsOfTheRfc) {
  EXPECT_EQ(Base64Encode(AsBytes("foobar")), "Zm9vYmFy");
  EXPECT_EQ(Base64Encode(AsBytes("fooba")), "Zm9vYmE=");
  EXPECT_EQ(Base64Encode(AsBytes("foob")), "Zm9vYg==");
  EXPECT_EQ(Base64Encode({}), "");
  EXPECT_EQ(Base32Encode(AsBytes("foobar")), "MZXW6YTBOI");
  EXPECT_EQ(HexEncode(AsBytes("foobar")), "666f6f626172");
  EXPECT_EQ(ToString(Base64Decode("Zm9vYg==").value()), "foob");
  EXPECT_EQ(ToString(Base32Decode("mzxw6ytboi======").value()), "foobar");
  EXPECT_EQ(ToString(Base64UrlDecode("Zm9vYg").value()), "foob");
  EXPECT_EQ(HexDecode("00fFa5").value(), (Bytes{0x00, 0xFF, 0xA5}));
}

TEST(EncodingTest, UsesTheUrlAlphabet) {
  const Bytes data = {0xFB, 0xEF, 0xFF};
  EXPECT_EQ(Base64Encode(data), "++//");
  EXPECT_EQ(Base64UrlEncode(data), "--__");
  DT_EXPECT_CODE(Base64UrlDecode("++//"), kInvalidArgument);
  DT_EXPECT_CODE(Base64Decode("--__"), kInvalidArgument);
}

TEST(EncodingTest, RoundTripsEveryByteAndLength) {
  Bytes data;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(HexDecode(HexEncode(data)).value(), data);
    EXPECT_EQ(Base64Decode(Base64Encode(data)).value(), data);
    EXPECT_EQ(Base64UrlDecode(Base64UrlEncode(data)).value(), data);
    EXPECT_EQ(Base32Decode(Base32Encode(data)).value(), data);
    data.push_back(static_cast<std::uint8_t>(i));
  }
}

// Each is another text of a value that has one already, or no value at all.
TEST(EncodingTest, RefusesTextsThatAreNotCanonical) {
  for (const char* text :
       {"Zm9vYh==", "Zm9vYg", "Zm9vYg=", "Zm9v Yg==", "Zm9vYg==\n", "====", "Z===", "Zm9=vYg="}) {
    DT_EXPECT_CODE(Base64Decode(text), kInvalidArgument) << text;
  }
  for (const char* text : {"Zm9vYh", "Zm9vYg==", "Z", "Zm9vY", "Zm9v.g"}) {
    DT_EXPECT_CODE(Base64UrlDecode(text), kInvalidArgument) << text;
  }
  DT_EXPECT_CODE(Base64UrlDecode(std::string_view("Zm\0v", 4)), kInvalidArgument);
  for (const char* text : {"0", "0g", "0x00"}) {
    DT_EXPECT_CODE(HexDecode(text), kInvalidArgument) << text;
  }
}

TEST(Utf8Test, TakesWhatTheRfcAllows) {
  for (const char* text :
       {"", "a", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
        "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(IsUtf8(text)) << text;
  }
  for (const char* text : {"\x80", "\xC3", "\xC0\xAF", "\xC1\xBF", "\xE0\x9F\xBF", "\xE2\x82",
                           "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
                           "\xF5\x80\x80\x80", "\xFF", "a\xC3(", "\xC2\x80\x80"}) {
    EXPECT_FALSE(IsUtf8(text)) << text;
  }
}

TEST(JsonQuoteTest, GivesValidJsonForAnyBytes) {
  EXPECT_EQ(JsonQuote("a\"b\\c\n"), R"("a\"b\\c\n")");
  EXPECT_EQ(JsonQuote(std::string_view("\0\x1f", 2)), R"("\u0000\u001f")");
  EXPECT_EQ(JsonQuote("caf\xC3\xA9"), "\"caf\xC3\xA9\"");
  EXPECT_EQ(JsonQuote("\xC3"), "\"\xEF\xBF\xBD\"");
  EXPECT_EQ(JsonQuote("\xED\xA0\x80").find('\xED'), std::string::npos);  // A surrogate.
}

}  // namespace
}  // namespace devicetrust
