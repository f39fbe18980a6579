#include "libs/directory/entry.h"

#include <gmock/gmock.h>

#include "libs/base/bytes.h"
#include "libs/directory/sid.h"
#include "libs/testing/status.h"

namespace devicetrust::directory {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Entry Ada() {
  Entry entry{"CN=Ada,DC=corp,DC=test", {}};
  auto& a = entry.attributes;
  a["objectguid"] = {"0123456789abcdef"};
  a["objectsid"] = {ToString(SidFromText("S-1-5-21-1-2-3-1105").value())};
  a["samaccountname"] = {"ada"};
  a["useraccountcontrol"] = {"512"};
  a["accountexpires"] = {"9223372036854775807"};
  a["primarygroupid"] = {"513"};
  a["memberof"] = {"CN=Staff,DC=corp,DC=test"};
  a["givenname"] = {"Ada"};
  return entry;
}

TEST(EntryTest, APersonHasGuidSidAndState) {
  const auto person = ListedPersonOf(Ada());
  DT_ASSERT_OK(person);
  EXPECT_EQ(person->guid, "0123456789abcdef");
  EXPECT_EQ(person->sid, "S-1-5-21-1-2-3-1105");
  EXPECT_TRUE(person->enabled);
  EXPECT_FALSE(person->expires_at);
  EXPECT_EQ(person->primary_group_id, 513U);
  EXPECT_THAT(person->member_of, ElementsAre("CN=Staff,DC=corp,DC=test"));
  Entry entry = Ada();
  entry.attributes["useraccountcontrol"] = {"514"};
  entry.attributes["accountexpires"] = {"116444736010000000"};
  EXPECT_FALSE(ListedPersonOf(entry)->enabled);
  EXPECT_EQ(ListedPersonOf(entry)->expires_at, AtUnixSeconds(1));
}

// Who is enabled is never a guess.
TEST(EntryTest, WhatIsNotReadableIsNobody) {
  const std::pair<const char*, const char*> broken[] = {
      {"objectguid", "short"},         {"objectsid", "S-1-5"},     {"samaccountname", ""},
      {"useraccountcontrol", "0x200"}, {"useraccountcontrol", ""}, {"accountexpires", "soon"},
      {"accountexpires", "-5"}};
  for (const auto& [name, value] : broken) {
    Entry entry = Ada();
    entry.attributes[name] = {value};
    const auto person = ListedPersonOf(entry);
    EXPECT_EQ(person.status().code(), absl::StatusCode::kInternal) << name << ' ' << value;
    EXPECT_THAT(person.status().message(), HasSubstr("CN=Ada,DC=corp,DC=test"));
  }
}

Entry PartnerTrust() {
  Entry entry{"CN=partner.test,CN=System,DC=corp,DC=test", {}};
  auto& a = entry.attributes;
  a["trustpartner"] = {"partner.test"};
  a["flatname"] = {"PARTNER"};
  a["securityidentifier"] = {ToString(SidFromText("S-1-5-21-4-5-6").value())};
  a["trusttype"] = {"2"};
  a["trustdirection"] = {"2"};
  a["trustattributes"] = {"8"};
  return entry;
}

TEST(EntryTest, ATrustHasAPartnerADirectionAndAReach) {
  auto trust = TrustOf(PartnerTrust());
  DT_ASSERT_OK(trust);
  ASSERT_TRUE(*trust);
  EXPECT_EQ((*trust)->partner, "partner.test");
  EXPECT_EQ((*trust)->netbios_name, "PARTNER");
  EXPECT_EQ((*trust)->sid, "S-1-5-21-4-5-6");
  EXPECT_TRUE((*trust)->outbound);
  EXPECT_FALSE((*trust)->inbound);
  EXPECT_TRUE((*trust)->forest_transitive);
  EXPECT_FALSE((*trust)->within_forest);

  Entry entry = PartnerTrust();
  entry.attributes["trustdirection"] = {"1"};
  entry.attributes["trustattributes"] = {"32"};
  trust = TrustOf(entry);
  EXPECT_FALSE((*trust)->outbound);
  EXPECT_TRUE((*trust)->inbound);
  EXPECT_FALSE((*trust)->forest_transitive);
  EXPECT_TRUE((*trust)->within_forest);
  entry.attributes["trusttype"] = {"3"};  // A realm of MIT.
  EXPECT_FALSE(*TrustOf(entry));
}

TEST(EntryTest, ATrustThatIsNotReadableIsNone) {
  for (const char* name : {"trustpartner", "trusttype", "trustdirection", "trustattributes"}) {
    Entry entry = PartnerTrust();
    entry.attributes[name] = {""};
    EXPECT_EQ(TrustOf(entry).status().code(), absl::StatusCode::kInternal) << name;
  }
  Entry entry = PartnerTrust();
  entry.attributes["securityidentifier"] = {"S-1"};
  EXPECT_FALSE(TrustOf(entry).ok());
}

TEST(EntryTest, AGroupIsForSecurityOrAList) {
  Entry entry{"CN=Staff,DC=corp,DC=test", {}};
  entry.attributes["objectguid"] = {"0123456789abcdef"};
  entry.attributes["objectsid"] = {ToString(SidFromText("S-1-5-21-1-2-3-1200").value())};
  entry.attributes["samaccountname"] = {"Staff"};
  for (const auto& [type, security, builtin] :
       {std::tuple{"-2147483646", true, false}, {"2", false, false}, {"-2147483643", true, true}}) {
    entry.attributes["grouptype"] = {type};
    const auto group = ListedGroupOf(entry);
    DT_ASSERT_OK(group);
    EXPECT_EQ(group->security, security) << type;
    EXPECT_EQ(group->builtin, builtin) << type;
  }
  entry.attributes["grouptype"] = {"global"};
  EXPECT_FALSE(ListedGroupOf(entry).ok());
}

TEST(EntryTest, ARangeSaysWhatIsMissing) {
  Entry entry;
  EXPECT_FALSE(RangeOf(entry, "memberof").value());
  entry.attributes["memberof;range=0-1499"] = {"CN=A"};
  EXPECT_EQ(RangeOf(entry, "memberof").value()->next, 1500U);
  EXPECT_FALSE(RangeOf(entry, "member").value());
  entry.attributes.clear();
  entry.attributes["memberof;range=1500-*"] = {"CN=A"};
  EXPECT_EQ(RangeOf(entry, "memberof").value()->next, 0U);
  for (const char* range :
       {"", "-", "5-", "-5", "5-4", "5-x", "a-*", "1-99999999999999999999", "0-1499 "}) {
    entry.attributes.clear();
    entry.attributes[std::string("memberof;range=") + range] = {"CN=A"};
    EXPECT_FALSE(RangeOf(entry, "memberof").ok()) << range;
  }
}

}  // namespace
}  // namespace devicetrust::directory
