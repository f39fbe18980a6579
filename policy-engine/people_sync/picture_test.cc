#include "policy-engine/people_sync/picture.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace devicetrust::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

PicturedGroup Group(GroupNumber number, const std::string& name, std::vector<GroupNumber> parents,
                    bool counts = true) {
  return {number,
          fmt::format("guid{:012}", number),
          fmt::format("S-1-5-21-1-2-3-{}", number),
          name,
          fmt::format("CN={},DC=corp,DC=test", name),
          counts,
          std::move(parents)};
}

PicturedPerson In(std::vector<GroupNumber> groups) {
  PicturedPerson person;
  person.groups = std::move(groups);
  return person;
}

TEST(PictureTest, AGroupIsFoundByEveryNameOfItsOwn) {
  Picture picture;
  picture.AddGroup(Group(7, "Staff", {}));
  EXPECT_EQ(picture.FindGroupByDn("cn=STAFF,dc=corp,dc=test")->number, 7U);
  EXPECT_EQ(picture.NewNumber(), 8U);
  PicturedGroup renamed = Group(7, "Crew", {});
  picture.AddGroup(renamed);
  EXPECT_EQ(picture.FindGroupByDn("CN=Staff,DC=corp,DC=test"), nullptr);
  EXPECT_EQ(picture.FindGroupByName("crew")->number, 7U);
  picture.RemoveGroup(7);
  EXPECT_EQ(picture.FindGroupByGuid(renamed.guid), nullptr);
  EXPECT_EQ(picture.FindGroupBySid(renamed.sid), nullptr);
  EXPECT_EQ(picture.NewNumber(), 9U);
}

TEST(PictureTest, GroupsInGroupsAreFollowedRoundACircle) {
  Picture picture;
  picture.AddGroup(Group(1, "Alpha", {2}));
  picture.AddGroup(Group(2, "Beta", {3}));
  picture.AddGroup(Group(3, "Gamma", {1, 3}));
  picture.AddGroup(Group(4, "Delta", {}));
  Memberships names(picture, "");
  EXPECT_EQ(names.NamesOf(In({2})), "Alpha\nBeta\nGamma");
  EXPECT_EQ(names.NamesOf(In({4, 1})), "Alpha\nBeta\nDelta\nGamma");
  EXPECT_TRUE(names.IsIn(In({2}), 1));
  EXPECT_FALSE(names.IsIn(In({4}), 1));
  EXPECT_THAT(names.NamesBy(3), ElementsAre("Alpha", "Beta", "Gamma"));
}

// As in a token: a list for mail gives nothing, nor does what it is in.
TEST(PictureTest, WhatIsNoSecurityGroupLeadsNowhere) {
  Picture picture;
  picture.AddGroup(Group(1, "List", {2}, /*counts=*/false));
  picture.AddGroup(Group(2, "Admins", {}));
  Memberships names(picture, "");
  EXPECT_THAT(names.NamesOf(In({1})), IsEmpty());
  EXPECT_FALSE(names.IsIn(In({1}), 2));
}

TEST(PictureTest, NumbersOfNoGroupBringNothing) {
  Picture picture;
  picture.AddGroup(Group(1, "Staff", {99}));
  Memberships names(picture, "PARTNER\\");
  EXPECT_EQ(names.NamesOf(In({1, 50, 1000000})), "PARTNER\\Staff");
}

}  // namespace
}  // namespace devicetrust::policy
