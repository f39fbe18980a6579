#include "simulator/forest/ldap/session.h"

#include <gmock/gmock.h>

#include <vector>

#include "libs/directory/sid.h"
#include "libs/testing/status.h"
#include "simulator/forest/ldap/session_fixture.h"

namespace devicetrust::simulator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// Two forests over one table: neither's domain controller knows the other's accounts.
TEST(LdapEntriesTest, KnowsTheAccountsOfItsForestAlone) {
  TestForest forest;
  const std::uint32_t partner = forest.table->AddRealm({"PARTNER.TEST", "PARTNER", {}}).value();
  const NewAccount bob{.name = "bob", .password = "Pw-bob"};
  ASSERT_TRUE(forest.table->Add(partner, {&bob, 1}).ok());
  const std::string ada_sid = ToString(directory::SidFromText(forest.SidOf("ada")).value());

  const LdapEntries ours(forest.table->view(), {forest.realm}, forest.clock);
  const LdapEntries theirs(forest.table->view(), {partner}, forest.clock);
  const LdapEntries both(forest.table->view(), {}, forest.clock);
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
                           " ada@corp.test ", "CN=Ada Lovelace,OU=Staff,DC=corp,DC=test",
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
      {kDisabled, "data 533,"}, {kMustChangePassword, "data 773,"}};
  for (const auto& [flag, data] : states) {
    forest_.Set("ada", flag);
    EXPECT_THAT(message("Pw-ada"), HasSubstr(data));
    EXPECT_THAT(message("wrong"), HasSubstr("data 52e,"));
    forest_.Set("ada", flag, false);
  }
  ASSERT_TRUE(forest_.table->Lock(forest_.realm, "ada").ok());
  EXPECT_THAT(message("wrong"), HasSubstr("data 775,"));
  EXPECT_THAT(message("Pw-ada"), HasSubstr("data 775,"));
  ASSERT_TRUE(forest_.table->Unlock(forest_.realm, "ada").ok());
  EXPECT_EQ(message("Pw-ada"), "");
  DT_ASSERT_OK(forest_.table->SetPasswordExpiry(forest_.realm, "ada", 1));
  EXPECT_THAT(message("Pw-ada"), HasSubstr("data 532,"));
  EXPECT_THAT(message("wrong"), HasSubstr("data 52e,"));
  // 2026 began on a Thursday: at that hour alone they may not.
  std::array<std::uint8_t, 21> hours = AllHours();
  hours[4 * 24 / 8] &= 0xfe;
  DT_ASSERT_OK(forest_.table->SetLogonHours(forest_.realm, "ada", hours));
  EXPECT_THAT(message("Pw-ada"), HasSubstr("data 530,"));
  EXPECT_THAT(message("wrong"), HasSubstr("data 52e,"));
  forest_.clock.Advance(std::chrono::hours(1));
  EXPECT_THAT(message("Pw-ada"), HasSubstr("data 532,"));
  DT_ASSERT_OK(forest_.table->SetPassword(forest_.realm, "ada", "Pw-ada"));
  EXPECT_EQ(message("Pw-ada"), "");
  ASSERT_TRUE(forest_.table->SetExpiry(forest_.realm, "ada", UnixSeconds(TestForest::kNow)).ok());
  EXPECT_THAT(message("Pw-ada"), HasSubstr("data 701,"));
  EXPECT_THAT(message("wrong"), HasSubstr("data 52e,"));
}

// [MS-ADTS] 3.1.1.4.5.17: a lock ends by itself; lockoutTime stays, userAccountControl never tells.
TEST_F(SessionTest, ALockEndsByItselfAndLeavesItsTime) {
  const std::int64_t file_time = (UnixSeconds(TestForest::kNow) + 11'644'473'600) * 10'000'000;
  ASSERT_TRUE(forest_.table->Lock(forest_.realm, "ada").ok());
  const auto ada = [&] {
    Bind("svc-ldap@corp.test", "Pw-svc");
    return Search("dc=corp,dc=test", 2, Equal("sAMAccountName", "ada"),
                  {"lockoutTime", "userAccountControl", "msDS-User-Account-Control-Computed"})
        .attributes;
  };
  EXPECT_THAT(ada()["msDS-User-Account-Control-Computed"], ElementsAre("16"));
  EXPECT_THAT(ada()["userAccountControl"], ElementsAre("512"));
  EXPECT_THAT(ada()["lockoutTime"], ElementsAre(std::to_string(file_time)));
  forest_.clock.Advance(std::chrono::seconds(kLockoutSeconds));
  EXPECT_THAT(ada()["msDS-User-Account-Control-Computed"], ElementsAre("0"));
  EXPECT_THAT(ada()["lockoutTime"], ElementsAre(std::to_string(file_time)));
  EXPECT_EQ(Bind("ada@corp.test", "Pw-ada").first, 0);
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

TEST_F(SessionTest, RefusesDeepAndLargeFilters) {
  Bind("svc-ldap@corp.test", "Pw-svc");
  Put deep = Present("cn");
  for (int i = 0; i < 17; ++i) deep = Not(deep);
  EXPECT_EQ(Search("dc=corp,dc=test", 2, deep).code, 11);
  EXPECT_EQ(Search("dc=corp,dc=test", 2, Or(std::vector<Put>(1000, Present("cn")))).code, 11);
  EXPECT_TRUE(open_);
}

// RFC 4511, 4.1.1, and Active Directory: the request is refused, the connection goes on.
TEST_F(SessionTest, AnswersAMalformedRequestForItselfAlone) {
  Bind("svc-ldap@corp.test", "Pw-svc");
  const Put any = Present("objectClass");
  const Put malformed[] = {
      [](BerWriter& w) { w.Begin(0xaf).End(); },             // No such kind of filter.
      [](BerWriter& w) { w.Begin(0xa3).Text("cn").End(); },  // A comparison with nothing.
      [](BerWriter& w) { w.Begin(0xa4).Text("cn").Begin().End().End(); },  // A substring of none.
      Not(And({Equal("cn", "x"), [](BerWriter& w) { w.Begin(0xa2).End(); }})),
      [](BerWriter& w) { w.Begin(0xa9).Text("x", 0x95).End(); },  // An unknown part of a rule.
      [](BerWriter& w) { w.Text("x", 0xa0); }};
  for (const Put& filter : malformed) {
    EXPECT_EQ(Search("dc=corp,dc=test", 2, filter).code, 2);
    EXPECT_TRUE(open_);
  }
  for (const int scope : {3, -1, 99}) {
    EXPECT_EQ(Search("dc=corp,dc=test", scope, any).code, 2);
    EXPECT_TRUE(open_);
  }
  EXPECT_EQ(Search("dc=corp,dc=test", 2, any, {}, -1).code, 2);
  EXPECT_EQ(Ask([](BerWriter& w) { w.Begin(0x6e).Text("cn=x").End(); }).first, 2);  // Compare.
  EXPECT_EQ(Ask([](BerWriter& w) { w.Begin(0x77).End(); }).first, 2);               // Extended.
  EXPECT_EQ(Ask([](BerWriter& w) {  // A control without its OID.
              w.Begin(0x77).Text("1.3.6.1.4.1.4203.1.11.3", 0x80).End();
              w.Begin(0xa0).Begin().End().End();
            })
                .first,
            2);
  EXPECT_TRUE(open_);
  EXPECT_EQ(Search("dc=corp,dc=test", 2, any).code, 0);
  EXPECT_EQ(Ask([](BerWriter& w) { w.Begin(0x60).Integer(3).End(); }).first, 2);
  EXPECT_TRUE(open_);
  EXPECT_EQ(Search("dc=corp,dc=test", 2, any).code, 1);  // The bind left nobody (RFC 4513, 4).
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
