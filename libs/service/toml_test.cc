#include "libs/service/toml.h"

#include <gtest/gtest.h>

#include "libs/testing/mutation.h"
#include "libs/testing/status.h"

namespace devicetrust::service {
namespace {

using Texts = std::vector<std::string>;
using Tables = std::vector<TomlTable>;

TEST(TomlTest, ReadsEachKindOfValueWithItsLine) {
  const auto table = ParseToml(
      "# A comment\n"
      "switch = true\n"
      "number = -7_000  # Another\n"
      "basic = \"a \\\"b\\\" \\u00e9\"\n"
      "literal = 'C:\\pki'\n"
      "\n"
      "list = [\n"
      "  \"a\",\n"
      "  \"b\",\n"
      "]\n"
      "[[directory]]\n"
      "url = \"one\"\n"
      "[[directory]]\n"
      "url = \"two\"\n"
      "[[directory.domain]]\n"
      "name = \"three\"\n");
  DT_ASSERT_OK(table);
  const TomlTable domain{{{"name", "three"}}};
  EXPECT_EQ(*table,
            (TomlTable{{{"switch", true},
                        {"number", std::int64_t{-7000}},
                        {"basic", "a \"b\" é"},
                        {"literal", "C:\\pki"},
                        {"list", Texts{"a", "b"}},
                        {"directory", Tables{{{{"url", "one"}}},
                                             {{{"url", "two"}, {"domain", Tables{domain}}}}}}}}));
  EXPECT_EQ(table->entries[0].line, 2);
  EXPECT_EQ(table->entries[4].line, 7);
  const Tables& directories = std::get<Tables>(table->entries[5].value);
  EXPECT_EQ(directories[1].entries[0].line, 14);
}

TEST(TomlTest, NamesTheLineOfWhatItRefuses) {
  const std::pair<const char*, const char*> bad[] = {
      {"a = 1\nb = \"no end\n", "line 2: "},
      {"a = 1\n\nno option\n", "line 3: "},
      {"a = 1\na = 2\n", "line 2: "},
      {"org = acme\n", "line 1: "},
      {"\x01\x02\n", "line 1: "},
      {"a = \"\xff\"\n", "line 1: "},
      {"a = 1.5\n", "line 1: "},
      {"a = 1979-05-27\n", "line 1: "},
      {"[section]\n", "line 1: "},
      {"[.a]\n", "line 1: "},
      {"# \xc3\xa9\nb = '\xc3\xa9'\n\xc3\xa9 = 1\n", "line 3: "},
      {"a = 1\n[[=\n", "line 2: "},
      {"a = [1, 2]\n", "line 1: "},
      {"a = [\n\"x\",\n[\"y\"]]\n", "line 3: "}};
  for (const auto& [text, line] : bad) {
    const absl::Status status = ParseToml(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_EQ(status.message().substr(0, 8), line) << text << status;
  }
}

TEST(TomlTest, SaysWhatIsWrongInOurWords) {
  const auto message = [](const char* text) {
    return std::string(ParseToml(text).status().message());
  };
  EXPECT_EQ(message("org = \"acme\"\norg = \"zzz\"\n"),
            "line 2: \"org\" is given twice, here for the second time");
  EXPECT_EQ(message("[[directory]]\nurl = \"a\"\nurl = \"b\"\n"),
            "line 3: \"url\" is given twice, here for the second time");
  EXPECT_EQ(message("a = 1\nno option\n"),
            "line 2: this is no TOML: write NAME = VALUE, and texts in quotes; is a quote or a "
            "bracket missing?");
}

TEST(TomlTest, AByteOrderMarkIsSkipped) {
  const auto table = ParseToml("\xef\xbb\xbforg = \"acme\"\n");
  DT_ASSERT_OK(table);
  EXPECT_EQ(table->entries.front().name, "org");
  EXPECT_EQ(ParseToml("\xef\xbb\xbf\nno option\n").status().message().substr(0, 7), "line 2:");
}

TEST(TomlTest, SaysHowAGroupIsWritten) {
  const absl::Status status = ParseToml("a = 1\n[directory]\nurl = \"x\"\n").status();
  EXPECT_NE(status.message().find("line 2: [directory] is a section, and options stand in none"),
            std::string::npos)
      << status;
}

TEST(TomlTest, WritesWhatItReads) {
  const TomlTable item{{{"name", "a \"b\""}, {"more", Tables{}}}};
  for (const TomlValue& value :
       {TomlValue(true), TomlValue(std::int64_t{INT64_MIN}), TomlValue(""),
        TomlValue("\b\t\n\f\r\x1f\x7f\"\\ é 😀"), TomlValue(Texts{}), TomlValue(Texts{"", "]"}),
        TomlValue(Tables{{{{"name", "x"}, {"number", std::int64_t{1}}}}, {}})}) {
    const auto table = ParseToml("value = " + ToToml(value));
    DT_ASSERT_OK(table);
    EXPECT_EQ(table->entries.front().value, value) << ToToml(value);
  }
}

TEST(TomlTest, SurvivesEveryMutation) {
  constexpr std::string_view kGood =
      "org = \"acme\"\nrealm = [\"A\", 'B']\ndays = 30\n[[directory]]\nprimary = false\n";
  testing::ForEachMutation(Bytes(kGood.begin(), kGood.end()), 5000, 7, [](const Bytes& bad) {
    const auto table = ParseToml(std::string(bad.begin(), bad.end()));
    if (table.ok()) return;
    EXPECT_EQ(table.status().message().substr(0, 5), "line ");
  });
}

}  // namespace
}  // namespace devicetrust::service
