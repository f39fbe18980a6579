#include "libs/base/names.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <unordered_set>

namespace devicetrust {
namespace {

using namespace std::string_view_literals;

// What Samba's domain controller takes for one account, and what not.
TEST(NamesTest, ComparesAsADirectoryDoes) {
  for (const auto& [a, b] : {std::pair("Support"sv, "support"sv),
                             {"JÜRGEN@CORP.TEST"sv, "jürgen@corp.test"sv},
                             {"ZOË"sv, "zoë"sv},
                             {"ДМИТРИЙ"sv, "дмитрий"sv},
                             {"Σίσυφος"sv, "ΣΊΣΥΦΟΣ"sv},
                             {""sv, ""sv}}) {
    EXPECT_TRUE(SameName(a, b)) << a << " " << b;
    EXPECT_EQ(FoldName(a), FoldName(b));
    EXPECT_EQ(NameHash()(a), NameHash()(b));
  }
  for (const auto& [a, b] : {std::pair("straße"sv, "strasse"sv),
                             {"İ"sv, "i"sv},
                             {"é"sv, "e\u0301"sv},
                             {"a"sv, "ab"sv},
                             {"jürgen"sv, "jurgen"sv},
                             {"ä"sv, "äa"sv},
                             {"Zoë\xff"sv, "Zoë"sv}}) {
    EXPECT_FALSE(SameName(a, b)) << a << " " << b;
    EXPECT_NE(FoldName(a), FoldName(b));
  }
}

TEST(NamesTest, LeavesBytesThatAreNoText) {
  EXPECT_EQ(FoldName("A\xff\xc3"), "a\xff\xc3");
  EXPECT_TRUE(SameName("A\xff\xc3", "a\xff\xc3"));
  EXPECT_FALSE(SameName("A\xff", "a\xfe"));
  EXPECT_EQ(TrimName(" \xff "), "\xff");
  EXPECT_EQ(CharactersOf("\xff\xff"), 2U);
}

// Comparing and hashing go by eight octets while these are ASCII, then one by one; what they fold
// is what FoldName() folds.
TEST(NamesTest, ComparesAnyBytesByTheirFoldedForm) {
  std::mt19937_64 random(7);
  constexpr std::string_view kPieces[] = {
      "a", "A", "Ä", "ä", "\xc3",    "\xff",     "\xe2\x84", "\u212a", "k", "К", "к", "",
      "@", "[", "`", "{", "Domain ", "domain A", "\x7f",     "Z",      "z", "M", "m", "\0"sv};
  const auto make = [&random, &kPieces](std::size_t pieces_max) {
    std::string text;
    for (auto i = random() % pieces_max; i > 0; --i) {
      text += kPieces[random() % std::size(kPieces)];
    }
    return text;
  };
  int same = 0;
  for (int i = 0; i < 40'000; ++i) {
    const bool related = random() % 2 == 0;
    const std::string a = make(related ? 14 : 3);
    std::string b = related ? FoldName(a) : make(3);
    if (related && !b.empty() && random() % 2 == 0) b[random() % b.size()] ^= 0x20;
    ASSERT_EQ(SameName(a, b), FoldName(a) == FoldName(b)) << a << " " << b;
    ASSERT_EQ(NameHash()(a), NameHash()(FoldName(a))) << a;
    same += SameName(a, b) ? 1 : 0;
  }
  EXPECT_GT(same, 1000);
}

TEST(NamesTest, ASetFindsANameInAnyCase) {
  std::unordered_set<std::string, NameHash, NameEqual> groups = {"Support", "Zürich"};
  EXPECT_TRUE(groups.contains("SUPPORT"sv));
  EXPECT_TRUE(groups.contains("zÜRICH"sv));
  EXPECT_FALSE(groups.contains("Sales"sv));
}

TEST(NamesTest, TrimsWhatNobodySees) {
  for (const auto typed : {"ada"sv, " ada\r\n"sv, "\u200eada"sv, "\ufeffada\u00a0"sv,
                           "\u2066 ada\u2069\t"sv, "ada\u00ad"sv, "\u3000ada"sv}) {
    EXPECT_EQ(TrimName(typed), "ada") << typed;
  }
  EXPECT_EQ(TrimName(" Ada  Lovelace "), "Ada  Lovelace");
  EXPECT_EQ(TrimName(" \u200b "), "");
  EXPECT_EQ(WithoutBlanks("\u200e123\u00a0456 "), "123456");
  EXPECT_EQ(WithoutBlanks(""), "");
}

TEST(NamesTest, ReadsACodeHoweverItIsTyped) {
  for (const auto typed :
       {"7F3K-9QXD"sv, "7f3k9qxd"sv, " 7f3k 9qxd\n"sv, "\u200e7F3K\u00a0-9QXD"sv}) {
    EXPECT_EQ(TypedCode(typed), "7F3K9QXD") << typed;
  }
  EXPECT_EQ(TypedCode("oil0"), "0110");
  for (const auto none : {""sv, " - "sv, "7F3U"sv, "7F3K.9QXD"sv, "7F3K\xff"sv, "é"sv}) {
    EXPECT_EQ(TypedCode(none), std::nullopt) << none;
  }
}

TEST(NamesTest, CutsBetweenCharacters) {
  EXPECT_EQ(CharactersOf("Дмитрий"), 7U);
  EXPECT_EQ(FirstCharacters("Дмитрий", 3), "Дми");
  EXPECT_EQ(FirstCharacters("abc", 3), "abc");
  EXPECT_EQ(FirstCharacters("abc", 0), "");
}

}  // namespace
}  // namespace devicetrust
