#include "simulator/forest/ldap/session.h"

#include <gmock/gmock.h>

#include <functional>
#include <map>
#include <vector>

#include "libs/directory/sid.h"
#include "simulator/forest/ldap/forest_fixture.h"

namespace devicetrust::simulator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

using Put = std::function<void(BerWriter&)>;

Put Equal(std::string attribute, std::string value, BerTag op = 0xa3) {
  return [=](BerWriter& w) { w.Begin(op).Text(attribute).Text(value).End(); };
}
Put Present(std::string attribute) {
  return [=](BerWriter& w) { w.Text(attribute, 0x87); };
}
Put List(BerTag op, std::vector<Put> children) {
  return [=](BerWriter& w) {
    w.Begin(op);
    for (const Put& child : children) child(w);
    w.End();
  };
}
Put And(std::vector<Put> children) { return List(0xa0, std::move(children)); }
Put Or(std::vector<Put> children) { return List(0xa1, std::move(children)); }
Put Not(Put child) { return List(0xa2, {std::move(child)}); }
Put Rule(std::string rule, std::string attribute, std::string value) {
  return [=](BerWriter& w) {
    w.Begin(0xa9).Text(rule, 0x81).Text(attribute, 0x82).Text(value, 0x83).End();
  };
}
Put Substring(std::string attribute, std::vector<std::pair<BerTag, std::string>> parts) {
  return [=](BerWriter& w) {
    w.Begin(0xa4).Text(attribute).Begin();
    for (const auto& [tag, text] : parts) w.Text(text, tag);
    w.End().End();
  };
}

struct Found {
  int code = -1;
  std::string message;
  std::vector<std::string> names;  // sAMAccountName, or DN for entries without one.
  std::map<std::string, std::vector<std::string>> attributes;  // Of the last entry.
  std::vector<std::string> referrals;
};

class SessionTest : public ::testing::Test {
 protected:
  // The contents of the LDAPMessage that `put` fills behind the message id.
  static std::string Message(const Put& put) {
    BerWriter writer;
    writer.Begin().Integer(7);
    put(writer);
    std::string out;
    writer.End().AppendTo(out);
    return out.substr(ReadBerFrame(out, 1 << 20).value().header_bytes);
  }

  // Result code and message of a response that is one LDAPResult.
  std::pair<int, std::string> Ask(const Put& put) {
    std::string out;
    open_ = session_.Handle(Message(put), out);
    const auto answers = Split(out);
    EXPECT_EQ(answers.size(), 1U);
    return ResultOf(answers.at(0));
  }

  std::pair<int, std::string> Bind(const std::string& name, const std::string& password) {
    return Ask(
        [&](BerWriter& w) { w.Begin(0x60).Integer(3).Text(name).Text(password, 0x80).End(); });
  }

  Found Search(const std::string& base, int scope, const Put& filter,
               const std::vector<std::string>& attributes = {}, int limit = 0) {
    std::string out;
    open_ = session_.Handle(Message([&](BerWriter& w) {
                              w.Begin(0x63).Text(base).Integer(scope, kBerEnumerated);
                              w.Integer(0, kBerEnumerated).Integer(limit).Integer(0);
                              w.Text(std::string_view("\0", 1), kBerBoolean);
                              filter(w);
                              w.Begin();
                              for (const auto& name : attributes) w.Text(name);
                              w.End().End();
                            }),
                            out);
    Found found;
    for (const std::string& answer : Split(out)) {
      BerReader reader(answer);
      EXPECT_EQ(reader.NextInteger().value(), 7);
      const BerItem op = reader.Next().value();
      if (op.tag != 0x64) {
        std::tie(found.code, found.message) = ResultOf(answer);
        found.referrals = ReferralsOf(op.content);
        continue;
      }
      ReadEntry(op.content, found);
    }
    return found;
  }
  std::vector<std::string> NamesBelow(const Put& filter) {
    return Search("dc=corp,dc=test", 2, filter, {"sAMAccountName"}).names;
  }

  static void ReadEntry(std::string_view content, Found& found) {
    BerReader entry(content);
    std::string name(entry.Next(kBerOctetString).value());
    found.attributes.clear();
    BerReader list(entry.Next(kBerSequence).value());
    while (!list.AtEnd()) {
      BerReader attribute(list.Next(kBerSequence).value());
      auto& values = found.attributes[std::string(attribute.Next(kBerOctetString).value())];
      BerReader set(attribute.Next(kBerSet).value());
      while (!set.AtEnd()) values.emplace_back(set.Next(kBerOctetString).value());
    }
    if (found.attributes.contains("sAMAccountName")) name = found.attributes["sAMAccountName"][0];
    found.names.push_back(std::move(name));
  }

  static std::vector<std::string> Split(std::string_view out) {
    std::vector<std::string> answers;
    while (!out.empty()) {
      const BerFrame frame = ReadBerFrame(out, 1 << 24).value();
      answers.emplace_back(out.substr(frame.header_bytes, frame.content_bytes));
      out.remove_prefix(frame.header_bytes + frame.content_bytes);
    }
    return answers;
  }
  static std::pair<int, std::string> ResultOf(const std::string& answer) {
    BerReader reader(answer);
    (void)reader.NextInteger();
    BerReader result(reader.Next().value().content);
    const int code = result.NextInteger(kBerEnumerated).value();
    (void)result.Next();
    return {code, std::string(result.Next(kBerOctetString).value())};
  }

  static std::vector<std::string> ReferralsOf(std::string_view result) {
    BerReader fields(result);
    for (int i = 0; i < 3; ++i) (void)fields.Next();
    std::vector<std::string> urls;
    if (fields.AtEnd()) return urls;
    BerReader list(fields.Next(0xa3).value());
    while (!list.AtEnd()) urls.emplace_back(list.Next(kBerOctetString).value());
    return urls;
  }

  TestForest forest_;
  LdapEntries entries_{forest_.table->view(), {}};
  LdapSession session_{entries_, forest_.clock, {}};
  bool open_ = true;
};

// Two forests over one table: neither's domain controller knows the other's accounts.
TEST(LdapEntriesTest, KnowsTheAccountsOfItsForestAlone) {
  TestForest forest;
  const std::uint32_t partner = forest.table->AddRealm({"PARTNER.TEST", "PARTNER", {}}).value();
  const NewAccount bob{.name = "bob", .password = "Pw-bob"};
  ASSERT_TRUE(forest.table->Add(partner, {&bob, 1}).ok());
  const std::string ada_sid = ToString(directory::SidFromText(forest.SidOf("ada")).value());

  const LdapEntries ours(forest.table->view(), {forest.realm});
  const LdapEntries theirs(forest.table->view(), {partner});
  const LdapEntries both(forest.table->view(), {});
  for (const char* name :
       {"bob@partner.test", "PARTNER\\bob", "cn=bob,cn=users,dc=partner,dc=test"}) {
    EXPECT_FALSE(ours.FindForBind(name)) << name;
    EXPECT_TRUE(theirs.FindForBind(name)) << name;
    EXPECT_TRUE(both.FindForBind(name)) << name;
  }
  EXPECT_TRUE(ours.FindSid(ada_sid));
  EXPECT_FALSE(theirs.FindSid(ada_sid));
  EXPECT_TRUE(ours.RealmOfName("dc=corp,dc=test"));
  EXPECT_FALSE(theirs.RealmOfName("dc=corp,dc=test"));
}

TEST_F(SessionTest, BindsByEveryNameOfAnAccount) {
  for (const char* name : {"ada@corp.test", "ADA@CORP.TEST", "CORP\\ada", "corp\\ADA",
                           "CN=Ada Lovelace,OU=Staff,DC=corp,DC=test",
                           "cn=ada lovelace , ou = staff, dc=corp,dc=test"}) {
    EXPECT_EQ(Bind(name, "Pw-ada").first, 0) << name;
    EXPECT_EQ(Bind(name, "pw-ada").first, 49) << name;
  }
  for (const char* name : {"eve@corp.test", "ada@other.test", "OTHER\\ada", "ada", "PC1$@corp.test",
                           "nopw@corp.test", "HTTP/iwa.corp.test@corp.test", "CN=Ada Lovelace"}) {
    const auto [code, message] = Bind(name, "Pw-ada");
    EXPECT_EQ(code, 49) << name;
    EXPECT_THAT(message, HasSubstr("data 52e,")) << name;
  }
}

// As Active Directory: the state of an account is told only to whoever knows the
// password, except that it is locked.
TEST_F(SessionTest, RefusesWithActiveDirectorysSubCodes) {
  const auto message = [&](const char* password) { return Bind("ada@corp.test", password).second; };
  const std::vector<std::pair<AccountFlag, const char*>> states = {
      {kDisabled, "data 533,"}, {kMustChangePassword, "data 773,"}, {kExpired, "data 701,"}};
  for (const auto& [flag, data] : states) {
    forest_.Set("ada", flag);
    EXPECT_THAT(message("Pw-ada"), HasSubstr(data));
    EXPECT_THAT(message("wrong"), HasSubstr("data 52e,"));
    forest_.Set("ada", flag, false);
  }
  forest_.Set("ada", kLocked);
  EXPECT_THAT(message("wrong"), HasSubstr("data 775,"));
  forest_.Set("ada", kLocked, false);
  ASSERT_TRUE(forest_.table->SetExpiry(forest_.realm, "ada", UnixSeconds(TestForest::kNow)).ok());
  EXPECT_THAT(message("Pw-ada"), HasSubstr("data 701,"));
}

TEST_F(SessionTest, RefusesEmptyPasswordsOtherMechanismsAndVersions) {
  EXPECT_EQ(Bind("ada@corp.test", "").first, 53);
  EXPECT_EQ(Bind("", "").first, 0);  // Anonymous.
  EXPECT_EQ(Search("dc=corp,dc=test", 2, Present("cn")).code, 1);
  EXPECT_EQ(Ask([](BerWriter& w) { w.Begin(0x60).Integer(2).Text("").Text("", 0x80).End(); }).first,
            2);
  EXPECT_EQ(Ask([](BerWriter& w) {
              w.Begin(0x60).Integer(3).Text("").Begin(0xa3).Text("GSSAPI").End().End();
            }).first,
            7);
  EXPECT_TRUE(open_);
}

TEST_F(SessionTest, AnswersAnEmptyPasswordAsActiveDirectoryWhenTold) {
  LdapSession trusting(entries_, forest_.clock, {.accept_unauthenticated_bind = true});
  std::string out;
  trusting.Handle(Message([](BerWriter& w) {
                    w.Begin(0x60).Integer(3).Text("ada@corp.test").Text("", 0x80).End();
                  }),
                  out);
  EXPECT_EQ(ResultOf(Split(out).at(0)).first, 0);
}

TEST_F(SessionTest, ForgetsWhoItWasWhenABindFails) {
  const auto who = [&] {
    std::string out;
    session_.Handle(
        Message([](BerWriter& w) { w.Begin(0x77).Text("1.3.6.1.4.1.4203.1.11.3", 0x80).End(); }),
        out);
    BerReader reader(Split(out).at(0));
    return out.find("u:CORP\\ada") != std::string::npos;
  };
  EXPECT_FALSE(who());
  Bind("ada@corp.test", "Pw-ada");
  EXPECT_TRUE(who());
  Bind("ada@corp.test", "wrong");
  EXPECT_FALSE(who());
  EXPECT_EQ(Search("dc=corp,dc=test", 2, Present("cn")).code, 1);
  Bind("ada@corp.test", "Pw-ada");
  EXPECT_EQ(Ask([](BerWriter& w) {  // Refused before it is read, for a critical control.
              w.Begin(0x60).Integer(3).Text("ada@corp.test").Text("Pw-ada", 0x80).End();
              w.Begin(0xa0).Begin().Text("1.2.3").Text("\xff", kBerBoolean).End().End();
            })
                .first,
            12);
  EXPECT_FALSE(who());
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
                                   "OU=Staff,DC=corp,DC=test"));
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

TEST_F(SessionTest, RefusesDeepAndLargeFilters) {
  Bind("svc-ldap@corp.test", "Pw-svc");
  Put deep = Present("cn");
  for (int i = 0; i < 17; ++i) deep = Not(deep);
  EXPECT_EQ(Search("dc=corp,dc=test", 2, deep).code, 11);
  EXPECT_EQ(Search("dc=corp,dc=test", 2, Or(std::vector<Put>(1000, Present("cn")))).code, 11);
  EXPECT_TRUE(open_);
}

TEST_F(SessionTest, IsReadOnlyAndSaysWhatItDoesNotKnow) {
  Bind("svc-ldap@corp.test", "Pw-svc");
  EXPECT_EQ(Ask([](BerWriter& w) { w.Text("cn=x", 0x4a); }).first, 53);
  EXPECT_EQ(Ask([](BerWriter& w) { w.Begin(0x66).End(); }).first, 53);
  EXPECT_EQ(
      Ask([](BerWriter& w) { w.Begin(0x77).Text("1.3.6.1.4.1.1466.20037", 0x80).End(); }).first,
      1);  // StartTLS, RFC 4511, 4.14.1.
  EXPECT_EQ(Ask([](BerWriter& w) { w.Begin(0x77).Text("1.2.3", 0x80).End(); }).first, 2);
  const auto with_control = [&](const char* critical) {
    return Ask([&](BerWriter& w) {
             w.Begin(0x77).Text("1.3.6.1.4.1.4203.1.11.3", 0x80).End();
             w.Begin(0xa0).Begin().Text("1.2.840.113556.1.4.319");
             w.Text(std::string_view(critical, 1), kBerBoolean).End().End();
           })
        .first;
  };
  EXPECT_EQ(with_control("\xff"), 12);
  EXPECT_EQ(with_control("\0"), 0);
}

TEST_F(SessionTest, ClosesOnUnbindAndIgnoresAbandon) {
  std::string out;
  EXPECT_TRUE(session_.Handle(Message([](BerWriter& w) { w.Integer(3, 0x50); }), out));
  EXPECT_FALSE(session_.Handle(Message([](BerWriter& w) { w.Text("", 0x42); }), out));
  EXPECT_TRUE(out.empty());
}

// Every prefix and every single-byte change of a good request: answered or refused,
// never a crash (the sanitizer builds look closer).
TEST_F(SessionTest, SurvivesDamagedMessages) {
  const std::string good = Message([](BerWriter& w) {
    w.Begin(0x63).Text("dc=corp,dc=test").Integer(2, kBerEnumerated);
    w.Integer(0, kBerEnumerated).Integer(0).Integer(0);
    w.Text(std::string_view("\0", 1), kBerBoolean);
    And({Equal("cn", "x"), Substring("cn", {{0x80, "a"}, {0x82, "b"}}),
         Rule("1.2.840.113556.1.4.803", "userAccountControl", "2")})(w);
    w.Begin().Text("cn").End().End();
  });
  Bind("svc-ldap@corp.test", "Pw-svc");
  int refused = 0;
  for (std::size_t size = 0; size < good.size(); ++size) {
    std::string out;
    refused += session_.Handle(good.substr(0, size), out) ? 0 : 1;
    EXPECT_FALSE(out.empty());
  }
  EXPECT_EQ(refused, static_cast<int>(good.size()));
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const unsigned flip : {0x01U, 0x20U, 0x80U, 0xffU}) {
      std::string damaged = good;
      damaged[at] = static_cast<char>(static_cast<unsigned char>(damaged[at]) ^ flip);
      std::string out;
      session_.Handle(damaged, out);
    }
  }
}

}  // namespace
}  // namespace devicetrust::simulator
