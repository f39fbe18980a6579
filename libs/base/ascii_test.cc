#include "libs/base/ascii.h"

#include <gtest/gtest.h>

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
