#include "libs/base/ascii.h"

#include <gtest/gtest.h>

#include "libs/base/octet_class.h"

namespace devicetrust {
namespace {

std::string AllOf(bool (*is_of_class)(char)) {
  std::string found;
  for (int octet = 0; octet < 256; ++octet) {
    if (is_of_class(static_cast<char>(octet))) found += static_cast<char>(octet);
  }
  return found;
}

TEST(AsciiTest, HasTheClassesThatProtocolsMean) {
  EXPECT_EQ(AllOf(IsDigit), "0123456789");
  EXPECT_EQ(AllOf(IsHexDigit), "0123456789ABCDEFabcdef");
  EXPECT_EQ(AllOf(IsAlpha), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
  EXPECT_EQ(AllOf(IsBase64Url), "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz");
  EXPECT_EQ(AllOf(IsVisible).size(), 94U);
  EXPECT_EQ(AllOf(IsControl).size(), 33U);
}

TEST(OctetClassTest, TellsHowLongItGoesOn) {
  constexpr OctetClass kDigits(IsDigit);
  EXPECT_TRUE(kDigits('7'));
  EXPECT_FALSE(kDigits('\xb7'));
  EXPECT_EQ(kDigits.Run("12a4"), 2U);
  EXPECT_EQ(kDigits.Run(""), 0U);
  EXPECT_TRUE(kDigits.HasAll("0042"));
  EXPECT_FALSE(kDigits.HasAll("004x"));
}

TEST(AsciiTest, SeesControlCharactersAmongUtf8) {
  EXPECT_FALSE(HasControl(""));
  EXPECT_FALSE(HasControl("Zo\xc3\xab's zone"));
  EXPECT_TRUE(HasControl("two\nlines"));
  EXPECT_TRUE(HasControl("rubbed out\x7f"));
}

TEST(AsciiTest, KnowsTheValueOfAHexDigit) {
  EXPECT_EQ(HexValue('0'), 0);
  EXPECT_EQ(HexValue('a'), 10);
  EXPECT_EQ(HexValue('F'), 15);
  EXPECT_EQ(HexValue('g'), -1);
}

TEST(AsciiTest, FindsNothingInAnEmptyText) {
  EXPECT_TRUE(IsAll("0042", IsDigit));
  EXPECT_FALSE(IsAll("", IsDigit));
  EXPECT_FALSE(IsAll("4x", IsDigit));
}

}  // namespace
}  // namespace devicetrust
