#include "libs/base/printable.h"

#include <gtest/gtest.h>

#include "libs/base/encoding.h"

namespace devicetrust {
namespace {

TEST(PrintableTest, EscapesWhatActsOnATerminal) {
  EXPECT_EQ(Printable("Ada\x1b[2J\n\x7f"), "Ada\\u001b[2J\\u000a\\u007f");
  EXPECT_EQ(Printable("\xC2\x9B"
                      "31m"),
            "\\u009b31m");  // CSI of C1.
  EXPECT_EQ(Printable("a\xE2\x80\xAE"
                      "b"),
            "a\\u202eb");  // Right-to-left override.
  EXPECT_EQ(Printable("\xE2\x81\xA6\xD8\x9C\xE2\x80\x8F\xE2\x80\xA8"),
            "\\u2066\\u061c\\u200f\\u2028");
}

TEST(PrintableTest, LeavesLettersOfAllScriptsAlone) {
  for (const char* text : {"", "J\xC3\xBCrgen", "\xD7\x90\xD7\x91", "\xE6\xBC\xA2",
                           "\xF0\x9F\x98\x80", "CORP\\ada", "\xC2\xA0", "\xE2\x80\x8D"}) {
    EXPECT_EQ(Printable(text), text);
  }
}

// A terminal that reads Latin-1 takes these octets for C1.
TEST(PrintableTest, ReplacesWhatIsNoUtf8) {
  EXPECT_EQ(Printable("a\x9b"
                      "31m"),
            "a\xEF\xBF\xBD"
            "31m");
  EXPECT_EQ(Printable("\xE2\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(PrintableTest, OfSeveralLinesKeepsTheLines) {
  EXPECT_EQ(PrintableLines("a\r\nb\n"), "a\\u000d\nb\n");
}

TEST(PrintableTest, OfJsonIsTheSameValue) {
  EXPECT_EQ(PrintableJson("{\n\t\"a\": \"\xE2\x80\xAE\"}\n"), "{\n\t\"a\": \"\\u202e\"}\n");
}

// Every line of a service's log is made by this.
TEST(JsonQuoteTest, EscapesHiddenCharacters) {
  EXPECT_EQ(JsonQuote("a\xE2\x80\xAE\xC2\x9B\x7f"), R"("a\u202e\u009b\u007f")");
}

}  // namespace
}  // namespace devicetrust
