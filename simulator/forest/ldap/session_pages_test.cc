// Whole lists: pages, what has changed, what is deleted, groups in groups.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <set>

#include "simulator/forest/ldap/session_fixture.h"

namespace devicetrust::simulator {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr const char* kBase = "dc=corp,dc=test";
constexpr const char* kInChain = "1.2.840.113556.1.4.1941";
constexpr const char* kShowDeleted = "1.2.840.113556.1.4.417";

class PagesTest : public SessionTest {
 protected:
  PagesTest() { EXPECT_EQ(Bind("svc-ldap@corp.test", "Pw-svc").first, 0); }

  Found Page(const Put& filter, int size, const std::string& cookie,
             std::vector<Put> controls = {}) {
    controls.push_back(Paged(size, cookie));
    return Search(kBase, 2, filter, {"sAMAccountName"}, 0, controls);
  }
  std::uint64_t Usn() {
    return std::stoull(Search("", 0, Present("objectClass"), {"highestCommittedUSN"})
                           .attributes.at("highestCommittedUSN")[0]);
  }
  std::vector<std::string> ChangedSince(std::uint64_t usn) {
    return Page(Equal("uSNChanged", std::to_string(usn), 0xa5), 1000, "").names;
  }
  Found Token(const std::string& name) {
    const std::string dn = Search(kBase, 2, Equal("sAMAccountName", name), {"distinguishedName"})
                               .attributes.at("distinguishedName")[0];
    return Search(dn, 0, Present("objectClass"), {"tokenGroups"});
  }
  std::string GroupSid(std::uint32_t rid) {
    return ToString(SidBytes(forest_.table->view().realms()[forest_.realm], rid));
  }
};

TEST_F(PagesTest, APageEndsWhereTheNextOneBegins) {
  for (int i = 0; i < 25; ++i) forest_.Add({.name = fmt::format("user{}", i)});
  const std::set<std::string> all = [&] {
    const auto names = NamesBelow(Present("objectClass"));
    return std::set<std::string>(names.begin(), names.end());
  }();
  std::set<std::string> seen;
  std::string cookie;
  int pages = 0;
  do {
    const Found page = Page(Present("objectClass"), 7, cookie);
    ASSERT_EQ(page.code, 0);
    EXPECT_LE(page.names.size(), 7U);
    for (const std::string& name : page.names) EXPECT_TRUE(seen.insert(name).second) << name;
    cookie = page.cookie;
    ++pages;
  } while (!cookie.empty());
  EXPECT_EQ(seen, all);
  EXPECT_EQ(pages, static_cast<int>(all.size() + 6) / 7);
}

TEST_F(PagesTest, ACookieIsOfItsSearchAlone) {
  const Found page = Page(Present("objectClass"), 2, "");
  ASSERT_THAT(page.cookie, Not(IsEmpty()));
  EXPECT_EQ(Page(Present("sAMAccountName"), 2, page.cookie).code, 53);
  EXPECT_EQ(Page(Present("objectClass"), 2, "forged").code, 53);
  std::string changed = page.cookie;
  changed[0] = static_cast<char>(changed[0] + 1);
  EXPECT_EQ(Page(Present("objectClass"), 2, changed).code, 53);
  const Found given_up = Page(Present("objectClass"), 0, page.cookie);
  EXPECT_EQ(given_up.code, 0);
  EXPECT_THAT(given_up.names, IsEmpty());
  EXPECT_THAT(given_up.cookie, IsEmpty());
}

TEST_F(PagesTest, AGroupChangesWithItsMembersAndTheMembersDoNot) {
  const std::uint64_t before = Usn() + 1;
  EXPECT_THAT(ChangedSince(before), IsEmpty());
  const std::uint32_t only_staff[] = {forest_.staff_rid};
  EXPECT_TRUE(forest_.table->SetGroups(forest_.realm, "odd", only_staff).ok());
  EXPECT_THAT(ChangedSince(before), UnorderedElementsAre("Staff"));
  forest_.Set("nopw", kDisabled);
  EXPECT_THAT(ChangedSince(before), UnorderedElementsAre("Staff", "nopw"));
  EXPECT_THAT(NamesBelow(Equal("memberOf", "CN=Staff,CN=Users,DC=corp,DC=test")),
              UnorderedElementsAre("ada", "odd"));
  EXPECT_TRUE(forest_.table->SetGroups(forest_.realm, "odd", {}).ok());
  EXPECT_THAT(NamesBelow(Equal("memberOf", "CN=Staff,CN=Users,DC=corp,DC=test")),
              ElementsAre("ada"));
}

TEST_F(PagesTest, GroupsInGroupsMayGoRound) {
  const std::uint32_t everybody = forest_.table->AddGroup(forest_.realm, "Everybody").value();
  const std::uint32_t in_everybody[] = {everybody};
  const std::uint32_t in_staff[] = {forest_.staff_rid};
  EXPECT_TRUE(forest_.table->SetGroupParents(forest_.realm, forest_.staff_rid, in_everybody).ok());
  EXPECT_TRUE(forest_.table->SetGroupParents(forest_.realm, everybody, in_staff).ok());
  EXPECT_THAT(Token("ada").attributes.at("tokenGroups"),
              UnorderedElementsAre(GroupSid(kRidDomainUsers), GroupSid(forest_.staff_rid),
                                   GroupSid(forest_.trusted_rid), GroupSid(everybody)));
  EXPECT_THAT(NamesBelow(Rule(kInChain, "memberOf", "CN=Everybody,CN=Users,DC=corp,DC=test")),
              UnorderedElementsAre("ada", "Staff", "Everybody"));
  EXPECT_THAT(NamesBelow(Equal("memberOf", "CN=Everybody,CN=Users,DC=corp,DC=test")),
              ElementsAre("Staff"));
  const Found group = Search(kBase, 2, Equal("sAMAccountName", "Everybody"), {"member"});
  EXPECT_THAT(group.attributes.at("member"), ElementsAre("CN=Staff,CN=Users,DC=corp,DC=test"));
  EXPECT_EQ(Search(kBase, 2, Present("objectClass"), {"tokenGroups"}).code, 1);
}

TEST_F(PagesTest, ADeletedAccountIsATombstoneAndItsNamesAreFree) {
  const std::uint64_t before = Usn() + 1;
  const std::string guid =
      Search(kBase, 2, Equal("sAMAccountName", "ada"), {"objectGUID"}).attributes["objectGUID"][0];
  EXPECT_TRUE(forest_.table->Delete(forest_.realm, "ada").ok());
  EXPECT_THAT(NamesBelow(Equal("sAMAccountName", "ada")), IsEmpty());
  EXPECT_THAT(NamesBelow(Equal("memberOf", "CN=Staff,CN=Users,DC=corp,DC=test")), IsEmpty());
  EXPECT_EQ(Bind("ada@corp.test", "Pw-ada").first, 49);
  EXPECT_EQ(Bind("svc-ldap@corp.test", "Pw-svc").first, 0);
  EXPECT_THAT(ChangedSince(before), IsEmpty());
  const Put gone =
      And({Equal("isDeleted", "TRUE"), Equal("uSNChanged", std::to_string(before), 0xa5)});
  const Found tombstone = Search(kBase, 2, gone, {}, 0, {Control(kShowDeleted), Paged(100, "")});
  ASSERT_THAT(tombstone.names, SizeIs(1));
  EXPECT_THAT(tombstone.attributes.at("objectGUID"), ElementsAre(guid));
  EXPECT_FALSE(tombstone.attributes.contains("memberOf"));
  forest_.Add({.name = "ada", .password = "Pw-2", .display_name = "Ada Lovelace", .ou = "Staff"});
  EXPECT_NE(
      Search(kBase, 2, Equal("sAMAccountName", "ada"), {"objectGUID"}).attributes["objectGUID"][0],
      guid);
}

TEST_F(PagesTest, ARenamedAccountIsFoundByItsNewNamesAlone) {
  EXPECT_TRUE(forest_.table
                  ->Rename(forest_.realm, "ada",
                           {.name = "countess", .display_name = "A. King", .upn = "king@corp.test"})
                  .ok());
  EXPECT_EQ(Bind("king@corp.test", "Pw-ada").first, 0);
  EXPECT_THAT(NamesBelow(Equal("sAMAccountName", "ada")), IsEmpty());
  EXPECT_THAT(NamesBelow(Equal("distinguishedName", "CN=A. King,OU=Staff,DC=corp,DC=test")),
              ElementsAre("countess"));
  EXPECT_EQ(forest_.table->Rename(forest_.realm, "odd", {.name = "Countess"}).code(),
            absl::StatusCode::kAlreadyExists);
}

TEST_F(PagesTest, TellsWhichDomainControllerItIs) {
  const Found root = Search("", 0, Present("objectClass"), {"dsServiceName"});
  const Found service =
      Search(root.attributes.at("dsServiceName")[0], 0, Present("objectClass"), {"invocationId"});
  EXPECT_THAT(service.attributes.at("invocationId"),
              ElementsAre(forest_.table->view().invocation_id()));
  EXPECT_THAT(forest_.table->view().invocation_id(), SizeIs(16));
}

}  // namespace
}  // namespace devicetrust::simulator
