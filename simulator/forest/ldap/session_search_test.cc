// What a bound client finds.
#include <gmock/gmock.h>

#include "libs/testing/status.h"
#include "simulator/forest/ldap/session_fixture.h"

namespace devicetrust::simulator {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST_F(SessionTest, ComparesNamesInEveryAlphabet) {
  forest_.Add({.name = "zoë", .password = "Pw-zoe", .display_name = "Zoë Åström", .ou = "Köln"});
  for (const char* name : {"ZOË@corp.test", "CORP\\ZOË", "cn=ZOË ÅSTRÖM,ou=KÖLN,dc=corp,dc=test"}) {
    EXPECT_EQ(Bind(name, "Pw-zoe").first, 0) << name;
  }
  Bind("svc-ldap@corp.test", "Pw-svc");
  EXPECT_THAT(NamesBelow(Equal("sAMAccountName", "ZOË")), ElementsAre("zoë"));
  EXPECT_THAT(NamesBelow(Substring("displayName", {{0x81, "ÅST"}})), ElementsAre("zoë"));
  EXPECT_THAT(NamesBelow(Equal("sAMAccountName", "zoe")), IsEmpty());
  EXPECT_THAT(NamesBelow(Equal("sAMAccountName", "zoe\u0308")), IsEmpty());
  const NewAccount twin{.name = "ZOË"};
  EXPECT_EQ(forest_.table->Add(forest_.realm, {&twin, 1}).status().code(),
            absl::StatusCode::kAlreadyExists);
}

TEST_F(SessionTest, ShowsTheRootToAnybody) {
  const Found root = Search("", 0, Present("objectClass"));
  EXPECT_EQ(root.code, 0);
  EXPECT_THAT(root.attributes.at("defaultNamingContext"), ElementsAre("DC=corp,DC=test"));
  const Found one = Search("", 0, Present("objectClass"), {"supportedLDAPVersion"});
  EXPECT_EQ(one.attributes.size(), 1U);
}

TEST_F(SessionTest, ShowsAUserAsActiveDirectoryDoes) {
  Bind("svc-ldap@corp.test", "Pw-svc");
  const Found found =
      Search("dc=corp,dc=test", 2, Equal("userPrincipalName", "ADA@corp.test"), {"*"});
  EXPECT_EQ(found.code, 0);
  ASSERT_THAT(found.names, ElementsAre("ada"));
  const auto& a = found.attributes;
  EXPECT_THAT(a.at("objectClass"), ElementsAre("top", "person", "organizationalPerson", "user"));
  EXPECT_THAT(a.at("userAccountControl"), ElementsAre("512"));
  EXPECT_THAT(a.at("primaryGroupID"), ElementsAre("513"));
  EXPECT_THAT(a.at("memberOf"), ElementsAre("CN=Staff,CN=Users,DC=corp,DC=test",
                                            "CN=Trusted Devices,CN=Users,DC=corp,DC=test"));
  EXPECT_THAT(a.at("distinguishedName"), ElementsAre("CN=Ada Lovelace,OU=Staff,DC=corp,DC=test"));
  EXPECT_EQ(a.at("objectSid")[0].size(), 28U);
  EXPECT_EQ(a.at("objectGUID")[0].size(), 16U);
  EXPECT_THAT(a.at("whenCreated"), ElementsAre("20260101000000.0Z"));
  EXPECT_THAT(a.at("pwdLastSet"), ElementsAre("134116992000000000"));
}

TEST_F(SessionTest, ShowsComputersAndWhetherTheyAreEnabled) {
  Bind("svc-ldap@corp.test", "Pw-svc");
  const Put enabled = And({Equal("objectClass", "computer"),
                           Not(Rule("1.2.840.113556.1.4.803", "userAccountControl", "2"))});
  const Found found =
      Search("dc=corp,dc=test", 2, enabled, {"sAMAccountName", "dNSHostName", "operatingSystem"});
  ASSERT_THAT(found.names, ElementsAre("PC1$"));
  EXPECT_THAT(found.attributes.at("dNSHostName"), ElementsAre("pc1.corp.test"));
  EXPECT_THAT(found.attributes.at("operatingSystem"), ElementsAre("Windows 10 Enterprise"));
  forest_.Set("PC1$", kDisabled);
  EXPECT_THAT(NamesBelow(enabled), IsEmpty());
}

TEST_F(SessionTest, FiltersInThreeValuedLogic) {
  Bind("svc-ldap@corp.test", "Pw-svc");
  const Put users = Equal("sAMAccountType", "805306368");
  EXPECT_THAT(NamesBelow(users), UnorderedElementsAre("ada", "odd", "svc-ldap", "nopw"));
  EXPECT_THAT(NamesBelow(And({users, Present("mail")})), ElementsAre("ada"));
  EXPECT_THAT(NamesBelow(Or({Equal("cn", "ada lovelace"), Equal("cn", "PC1")})),
              UnorderedElementsAre("ada", "PC1$"));
  // An attribute that nobody knows is undefined, and so is its negation.
  EXPECT_THAT(NamesBelow(And({users, Not(Equal("nosuch", "x"))})), IsEmpty());
  EXPECT_THAT(NamesBelow(Or({Equal("nosuch", "x"), Equal("sAMAccountName", "ada")})),
              ElementsAre("ada"));
  EXPECT_THAT(NamesBelow(Substring("displayName", {{0x80, "ada"}, {0x81, "LOVE"}, {0x82, "ce"}})),
              ElementsAre("ada"));
  EXPECT_THAT(NamesBelow(Substring("displayName", {{0x80, "ada love"}, {0x81, "vel"}})), IsEmpty());
  EXPECT_THAT(NamesBelow(Equal("primaryGroupID", "515", 0xa5)), ElementsAre("PC1$"));
  EXPECT_THAT(NamesBelow(And({users, Equal("primaryGroupID", "512", 0xa6)})), IsEmpty());
  EXPECT_THAT(NamesBelow(Equal("userAccountControl", "many")), IsEmpty());
  EXPECT_THAT(NamesBelow(Equal("memberOf", "cn=staff, cn=users,dc=corp,dc=test")),
              ElementsAre("ada"));
  EXPECT_THAT(NamesBelow(Equal("objectCategory", "computer")), ElementsAre("PC1$"));
  EXPECT_THAT(NamesBelow(Equal("objectSid", "S-1-5-21-1-2-3-513")), ElementsAre("Domain Users"));
  EXPECT_THAT(NamesBelow(Equal("sAMAccountName", "trusted devices")),
              ElementsAre("Trusted Devices"));
  EXPECT_THAT(NamesBelow(Equal("displayName", "o'neill, (odd) * & <co>")), ElementsAre("odd"));
}

TEST_F(SessionTest, ShowsWhomADomainTrusts) {
  const std::uint32_t partner =
      forest_.table->AddRealm({"PARTNER.TEST", "PARTNER", std::array<std::uint32_t, 3>{4, 5, 6}})
          .value();
  DT_ASSERT_OK(forest_.table->SetTrust(forest_.realm, partner, TrustDirection::kOutbound));
  Bind("svc-ldap@corp.test", "Pw-svc");
  const Put trusts = Equal("objectClass", "trustedDomain");
  const Found found = Search("cn=system,dc=corp,dc=test", 1, trusts, {"*"});
  EXPECT_EQ(found.code, 0);
  ASSERT_THAT(found.names, ElementsAre("CN=partner.test,CN=System,DC=corp,DC=test"));
  const auto& a = found.attributes;
  EXPECT_THAT(a.at("objectClass"), ElementsAre("top", "leaf", "trustedDomain"));
  EXPECT_THAT(a.at("trustPartner"), ElementsAre("partner.test"));
  EXPECT_THAT(a.at("flatName"), ElementsAre("PARTNER"));
  EXPECT_EQ(a.at("securityIdentifier")[0].size(), 24U);
  EXPECT_THAT(a.at("trustDirection"), ElementsAre("2"));
  EXPECT_THAT(a.at("trustType"), ElementsAre("2"));
  EXPECT_THAT(a.at("trustAttributes"), ElementsAre("8"));
  EXPECT_THAT(Search("dc=corp,dc=test", 2, Equal("securityIdentifier", "S-1-5-21-4-5-6")).names,
              ElementsAre("CN=partner.test,CN=System,DC=corp,DC=test"));
  EXPECT_THAT(Search("cn=partner.test,cn=system,dc=corp,dc=test", 0, trusts).names,
              ElementsAre("CN=partner.test,CN=System,DC=corp,DC=test"));

  const Put changed = And({trusts, Equal("uSNChanged", a.at("uSNChanged")[0], 0xa5)});
  EXPECT_THAT(Search("dc=corp,dc=test", 2, changed).names,
              ElementsAre("CN=partner.test,CN=System,DC=corp,DC=test"));
  DT_ASSERT_OK(forest_.table->SetTrust(forest_.realm, partner, TrustDirection::kNone));
  EXPECT_THAT(Search("dc=corp,dc=test", 2, trusts).names, IsEmpty());
  EXPECT_EQ(Search("cn=partner.test,cn=system,dc=corp,dc=test", 0, trusts).code, 32);
}

TEST_F(SessionTest, SaysTheScopeOfAGroup) {
  DT_ASSERT_OK(forest_.table->AddGroup(forest_.realm, "Local", GroupScope::kDomainLocal));
  DT_ASSERT_OK(forest_.table->AddGroup(forest_.realm, "Everywhere", GroupScope::kUniversal));
  Bind("svc-ldap@corp.test", "Pw-svc");
  const auto of = [&](const char* name, const char* attribute) {
    return Search("dc=corp,dc=test", 2, Equal("sAMAccountName", name), {attribute})
        .attributes.at(attribute)
        .at(0);
  };
  EXPECT_EQ(of("Staff", "groupType"), "-2147483646");
  EXPECT_EQ(of("Local", "groupType"), "-2147483644");
  EXPECT_EQ(of("Everywhere", "groupType"), "-2147483640");
  EXPECT_EQ(of("Local", "sAMAccountType"), "536870912");
  EXPECT_EQ(of("Everywhere", "sAMAccountType"), "268435456");
}

TEST_F(SessionTest, KeepsToTheScope) {
  Bind("svc-ldap@corp.test", "Pw-svc");
  const Put any = Present("objectClass");
  EXPECT_THAT(Search("ou=staff,dc=corp,dc=test", 2, any, {"sAMAccountName"}).names,
              UnorderedElementsAre("OU=Staff,DC=corp,DC=test", "ada"));
  EXPECT_THAT(Search("ou=staff,dc=corp,dc=test", 1, any, {"sAMAccountName"}).names,
              ElementsAre("ada"));
  EXPECT_THAT(Search("ou=staff,dc=corp,dc=test", 0, any, {"sAMAccountName"}).names,
              ElementsAre("OU=Staff,DC=corp,DC=test"));
  EXPECT_THAT(Search("dc=corp,dc=test", 1, any, {"sAMAccountName"}).names,
              UnorderedElementsAre("CN=Users,DC=corp,DC=test", "CN=Computers,DC=corp,DC=test",
                                   "CN=System,DC=corp,DC=test", "OU=Staff,DC=corp,DC=test"));
  EXPECT_THAT(Search("cn=users,dc=corp,dc=test", 2, Equal("sAMAccountName", "ada"), {}).names,
              IsEmpty());
  EXPECT_EQ(Search("ou=none,dc=corp,dc=test", 2, any).code, 32);
  const Found elsewhere = Search("cn=a\\, b,dc=elsewhere,dc=test", 2, any);
  EXPECT_EQ(elsewhere.code, 10);
  EXPECT_THAT(elsewhere.referrals,
              ElementsAre("ldap://elsewhere.test/cn=a%5C,%20b,dc=elsewhere,dc=test"));
  EXPECT_EQ(Search("", 2, any).code, 32);
  for (const char* bad : {"not a name", "dc=corp,", "=x,dc=corp,dc=test", "cn=a;dc=corp,dc=test",
                          "cn=a\\z,dc=corp,dc=test", "dc=corp,dc=test\\"}) {
    EXPECT_EQ(Search(bad, 2, any).code, 34) << bad;
  }
}

// RFC 4514: a name may be written in several ways.
TEST_F(SessionTest, KnowsANameInEverySpelling) {
  Bind("svc-ldap@corp.test", "Pw-svc");
  for (const char* name : {"CN=O'Neill\\, (Odd) * & \\<Co\\>,CN=Users,DC=corp,DC=test",
                           "cn = O'Neill\\2C \\28Odd) * & \\3cCo\\3E , cn=users, dc=corp, dc=test",
                           "2.5.4.3=O'Neill\\,\\20(Odd) * & "
                           "\\<Co\\>,CN=Users,DC=corp,0.9.2342.19200300.100.1.25=test"}) {
    Found found = Search(name, 0, Present("objectClass"), {"cn", "sAMAccountName"});
    EXPECT_THAT(found.names, ElementsAre("odd")) << name;
    EXPECT_THAT(found.attributes["cn"], ElementsAre("O'Neill, (Odd) * & <Co>"));
  }
  forest_.Add({.name = "slash", .display_name = "A\\B, C "});
  const Found slash = Search("dc=corp,dc=test", 2, Equal("cn", "a\\b, c "), {"cn", "name"});
  EXPECT_THAT(slash.attributes.at("cn"), ElementsAre("A\\B, C "));
  EXPECT_THAT(slash.attributes.at("name"), ElementsAre("A\\B, C "));
}

// X.501 and Active Directory: what names an entry is an attribute of it.
TEST_F(SessionTest, ShowsContainersAndTheDomainAsActiveDirectoryDoes) {
  Bind("svc-ldap@corp.test", "Pw-svc");
  const std::string top = "DC=corp,DC=test";
  const Found unit = Search(top, 2, Equal("ou", "staff"));
  EXPECT_THAT(unit.attributes.at("ou"), ElementsAre("Staff"));
  EXPECT_THAT(unit.attributes.at("objectClass"), ElementsAre("top", "organizationalUnit"));
  EXPECT_EQ(unit.attributes.count("cn"), 0U);
  EXPECT_THAT(NamesBelow(Equal("objectCategory", "organizationalUnit")),
              ElementsAre("OU=Staff,DC=corp,DC=test"));
  EXPECT_THAT(NamesBelow(Equal("dc", "corp")), ElementsAre(top));
  EXPECT_THAT(NamesBelow(Equal("objectSid", "S-1-5-21-1-2-3")), ElementsAre(top));
  EXPECT_THAT(Search(top, 0, Equal("objectSid", "S-1-5-21-1-2-3")).names, ElementsAre(top));
  const Put security_groups = Rule("1.2.840.113556.1.4.803", "groupType", "2147483648");
  EXPECT_THAT(NamesBelow(And({security_groups, Equal("cn", "Staff")})), ElementsAre("Staff"));
  EXPECT_THAT(
      NamesBelow(Rule("1.2.840.113556.1.4.1941", "memberOf", "CN=Staff,CN=Users,DC=corp,DC=test")),
      ElementsAre("ada"));
}

TEST_F(SessionTest, ComparesOneValue) {
  const auto compare = [&](const char* name, const char* attribute, const char* value) {
    return Ask([&](BerWriter& w) {
             w.Begin(0x6e).Text(name).Begin().Text(attribute).Text(value).End().End();
           })
        .first;
  };
  const char* ada = "CN=Ada Lovelace,OU=Staff,DC=corp,DC=test";
  EXPECT_EQ(compare(ada, "sn", "Lovelace"), 1);  // Not bound.
  Bind("svc-ldap@corp.test", "Pw-svc");
  EXPECT_EQ(compare(ada, "sn", "lovelace"), 6);
  EXPECT_EQ(compare(ada, "sn", "hopper"), 5);
  EXPECT_EQ(compare(ada, "operatingSystem", "x"), 16);
  EXPECT_EQ(compare(ada, "nosuch", "x"), 17);
  EXPECT_EQ(compare("cn=none,dc=corp,dc=test", "sn", "x"), 32);
  EXPECT_EQ(compare("none", "sn", "x"), 34);
}

TEST_F(SessionTest, KeepsToTheSizeLimits) {
  Bind("svc-ldap@corp.test", "Pw-svc");
  const Found few = Search("dc=corp,dc=test", 2, Present("objectClass"), {"1.1"}, 2);
  EXPECT_EQ(few.code, 4);
  EXPECT_EQ(few.names.size(), 2U);
  EXPECT_TRUE(few.attributes.empty());
  std::vector<NewAccount> more;
  for (int i = 0; i < 1200; ++i) more.push_back({.name = "bulk" + std::to_string(i)});
  ASSERT_TRUE(forest_.table->Add(forest_.realm, more).ok());
  const Found many = Search("dc=corp,dc=test", 2, Present("objectClass"), {"cn"});
  EXPECT_EQ(many.code, 4);
  EXPECT_EQ(many.names.size(), 1000U);
}

}  // namespace
}  // namespace devicetrust::simulator
