#include "libs/admin/users_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/base/bytes.h"

namespace devicetrust::admin {
namespace {

using ::testing::ElementsAre;

TEST(UsersFileTest, ReadsCsvWithQuotesGroupsAndEmptyCells) {
  const auto people =
      UsersFromFile("people.csv",
                    "\xef\xbb\xbfsid,principal,display_name,groups,totp_secret\r\n"
                    "S-1-5-21-1-2-3-1105,ada@corp.test,\"Lovelace, \"\"Ada\"\"\",Sales;All staff,"
                    "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\r\n"
                    "\r\n"
                    "S-1-5-21-1-2-3-1106,grace@corp.test,Grace,,\r\n");
  ASSERT_TRUE(people.ok()) << people.status();
  ASSERT_EQ(people->size(), 2);
  const org::v1::UserImport& ada = people->front();
  EXPECT_EQ(ada.display_name(), "Lovelace, \"Ada\"");
  EXPECT_THAT(ada.groups(), ElementsAre("Sales", "All staff"));
  EXPECT_EQ(ada.totp_secret(), "12345678901234567890");  // The secret of RFC 6238.
  EXPECT_EQ(people->back().groups_size(), 0);
  EXPECT_EQ(people->back().totp_secret(), "");
}

TEST(UsersFileTest, ReadsJsonWithTheSameNames) {
  const auto people = UsersFromFile("people.json", R"( [{"sid": "S-1-5-21-1-2-3-1105",
      "principal": "zoe@corp.test", "display_name": "Zoë", "groups": ["Sales"]}])");
  ASSERT_TRUE(people.ok()) << people.status();
  EXPECT_EQ(people->front().display_name(), "Zoë");
  EXPECT_THAT(people->front().groups(), ElementsAre("Sales"));
}

TEST(UsersFileTest, SaysWhereEachPersonIs) {
  std::vector<std::string> places;
  ASSERT_TRUE(UsersFromFile("p.csv", "sid,principal\n\nS-1,\"a\nb@c\"\nS-2,d@e\n", &places).ok());
  EXPECT_THAT(places, ElementsAre("p.csv: line 3", "p.csv: line 5"));
  ASSERT_TRUE(UsersFromFile("p.json", R"([{"sid": "S-1", "principal": "a@b"}])", &places).ok());
  EXPECT_THAT(places, ElementsAre("p.json: person 1"));
}

struct BadUsersFile {
  const char* text;
  const char* message;
};
class BadUsersTest : public ::testing::TestWithParam<BadUsersFile> {};

TEST_P(BadUsersTest, NamesFilePlaceAndColumn) {
  const auto people = UsersFromFile("people", GetParam().text);
  EXPECT_EQ(people.status().code(), absl::StatusCode::kInvalidArgument);
  const std::string message(people.status().message());
  EXPECT_TRUE(message.starts_with(GetParam().message)) << message;
}

INSTANTIATE_TEST_SUITE_P(
    , BadUsersTest,
    ::testing::Values(
        BadUsersFile{" \n", "people: there is nobody"},
        BadUsersFile{"sid,principal\n", "people: there is nobody"},
        BadUsersFile{"[]", "people: there is nobody"},
        BadUsersFile{"sid,upn\n",
                     "people: line 1: there is no column \"upn\"; the columns are sid, "},
        BadUsersFile{"sid,principal\nS-1,a@b\nS-2\n", "people: line 3: 1 cells below 2 columns"},
        BadUsersFile{"sid,principal\n\"a\nb\",a@b\n,c@d\n", "people: line 4: the sid is missing"},
        BadUsersFile{"sid,principal\nS-1,\n", "people: line 2: the principal is missing"},
        BadUsersFile{"sid,principal\n\"S-1,a@b\n", "people: line 2: a quote is opened"},
        BadUsersFile{"sid,principal,totp_secret\nS-1,a@b,0189\n",
                     "people: line 2: totp_secret is not"},
        BadUsersFile{R"([{"sid": "S-1", "principal": "a@b"}, {"sid": 7}])",
                     "people: person 2: sid must be text"},
        BadUsersFile{R"([{"sid": "S-1", "principal": "a@b", "groups": "Sales"}])",
                     "people: person 1: groups must be a list"},
        BadUsersFile{R"([{"upn": "a@b"}])", "people: person 1: there is no column \"upn\""},
        BadUsersFile{R"([{"age": 7}])", "people: person 1: there is no column \"age\""},
        BadUsersFile{R"({"sid": "S-1"})", "people: must hold a JSON list"},
        BadUsersFile{"{}", "people: must hold a JSON list"},
        BadUsersFile{R"([{"sid": "S-1", "principal": "a@b"}, {"sid": "S-1", "sid": "S-2"}])",
                     "people: number 2 of the list: the member \"sid\" stands there twice"},
        BadUsersFile{"[{]", "people: line 1, column 3: this is no JSON"}));

}  // namespace
}  // namespace devicetrust::admin
