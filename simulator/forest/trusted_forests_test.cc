// Forests that trust one another: tickets find their way, and say no more than they may.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/kerberos/acceptor.h"
#include "libs/kerberos/environment.h"
#include "libs/kerberos/negotiate.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "simulator/forest/child_process.h"
#include "simulator/forest/forests.h"

namespace devicetrust::simulator {
namespace {

using kerberos::Credentials;
using kerberos::Initiator;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kWeb = "HTTP/web.uk.corp.test";

// corp.test with its child uk.corp.test, where the service is, trusts partner.test, with its child
// lab.partner.test, and not the other way round; partner.test and far.test trust one another.
class TrustedForestsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::vector<ForestSpec> specs = {
        {.domains = {{"corp.test", "CORP"}, {"uk.corp.test", "UK"}}},
        {.domains = {{"partner.test", "PARTNER"}, {"lab.partner.test", "LAB"}}},
        {.domains = {{"far.test", "FAR"}}}};
    const std::vector<TrustSpec> trusts = {{"corp.test", "partner.test"},
                                           {"partner.test", "far.test", true}};
    forests_ = Forests::Create({.run_dir = run_.path(), .forests = specs, .trusts = trusts}, clock_,
                               random_)
                   .value();
    DT_ASSERT_OK(kerberos::UseConfig(forests_->kdc().config_path()));
    const char* const people[] = {"ada", "uma", "pat", "lee", "fay"};
    for (std::uint32_t realm = 0; realm < 5; ++realm) {
      const NewAccount account{.name = people[realm],
                               .password = "Kq7-u2m",
                               .upn = fmt::format("{}@mail.example", people[realm])};
      DT_ASSERT_OK(forests_->accounts().Add(realm, {&account, 1}));
    }
    const std::vector<std::string> services = {std::string(kWeb) + "@UK.CORP.TEST",
                                               "HTTP/web.partner.test@PARTNER.TEST"};
    for (const std::string& service : services) DT_ASSERT_OK(forests_->AddService(service));
    DT_ASSERT_OK(forests_->WriteKeytab(run_ / "web.keytab", services));
    acceptor_ = kerberos::Acceptor::Create({run_ / "web.keytab", run_ / "web.rcache"}).value();
  }

  // What unmodified clients say who ask for a ticket.
  std::string Kvno(const std::string& principal, const std::string& service,
                   const std::string& options = "") {
    const std::string out = fmt::format("{}/out.{}", run_.path(), runs_++);
    const auto child = ChildProcess::Start(
        {.arguments = {"/bin/sh", "-c",
                       fmt::format("echo Kq7-u2m | kinit {} {} && kvno {} && klist", options,
                                   principal, service)},
         .environment = {"PATH=/usr/bin:/bin", "KRB5_CONFIG=" + forests_->kdc().config_path(),
                         "KRB5CCNAME=FILE:" + run_ / "cc"},
         .output = out});
    if (!child.ok()) return std::string(child.status().message());
    (*child)->WaitForEnd(std::chrono::seconds(30));
    return (*child)->LastOutput();
  }
  absl::StatusOr<kerberos::Identity> Visit(const std::string& principal,
                                           const std::string& service = kWeb) {
    const auto credentials = Credentials::FromPassword(principal, "Kq7-u2m");
    if (!credentials.ok()) return credentials.status();
    const auto exchange = Initiator::Start(*credentials, service, {});
    if (!exchange.ok()) return exchange.status();
    const auto accepted = acceptor_->Accept(exchange->token(), {});
    if (!accepted.ok()) return accepted.status();
    return accepted->identity;
  }
  const Realm& RealmAt(std::uint32_t realm) { return forests_->view().realms()[realm]; }
  std::uint32_t RidOf(std::uint32_t realm, const char* name) {
    const AccountView& view = forests_->view();
    return view.Read(view.FindName(realm, name).value()).account.rid;
  }

  static constexpr std::uint32_t kCorp = 0, kUk = 1, kPartner = 2, kLab = 3;
  testing::TempFolder run_;
  SystemClock clock_;
  SystemRandom random_;
  std::unique_ptr<Forests> forests_;
  std::unique_ptr<kerberos::Acceptor> acceptor_;
  int runs_ = 0;
};

TEST_F(TrustedForestsTest, KvnoFollowsReferralsThroughTreesAndAcrossTheTrust) {
  EXPECT_THAT(Kvno("ada@CORP.TEST", kWeb), HasSubstr("HTTP/web.uk.corp.test@"));
  const std::string from_afar = Kvno("lee@LAB.PARTNER.TEST", kWeb);
  EXPECT_THAT(from_afar, HasSubstr("kvno = 1"));
  EXPECT_THAT(from_afar, HasSubstr("Ticket server: HTTP/web.uk.corp.test@UK.CORP.TEST"));
  EXPECT_THAT(Kvno("ada@mail.example", kWeb, "-E -C"), HasSubstr("kvno = 1"));
}

TEST_F(TrustedForestsTest, AGssapiServiceAcceptsThemAndKnowsTheirDomain) {
  for (const auto& [principal, realm] :
       std::vector<std::pair<std::string, std::uint32_t>>{{"ada@CORP.TEST", kCorp},
                                                          {"uma@UK.CORP.TEST", kUk},
                                                          {"pat@PARTNER.TEST", kPartner},
                                                          {"lee@LAB.PARTNER.TEST", kLab}}) {
    const auto identity = Visit(principal);
    DT_ASSERT_OK(identity) << principal;
    EXPECT_EQ(identity->principal, principal);
    EXPECT_EQ(identity->domain_sid, DomainSid(RealmAt(realm)));
    EXPECT_EQ(identity->service_realm, "UK.CORP.TEST");
  }
}

TEST_F(TrustedForestsTest, ATrustIsOneWayAndEndsAtTheForest) {
  EXPECT_THAT(Kvno("ada@CORP.TEST", "HTTP/web.partner.test"), Not(HasSubstr("kvno = 1")));
  EXPECT_FALSE(Visit("fay@FAR.TEST").ok());
  DT_EXPECT_OK(Visit("fay@FAR.TEST", "HTTP/web.partner.test"));
  DT_ASSERT_OK(forests_->SetTrust("corp.test", "partner.test", TrustDirection::kBoth));
  DT_EXPECT_OK(Visit("ada@CORP.TEST", "HTTP/web.partner.test"));
  DT_ASSERT_OK(forests_->SetTrust("corp.test", "partner.test", TrustDirection::kNone));
  EXPECT_FALSE(Visit("pat@PARTNER.TEST").ok());
  DT_EXPECT_OK(Visit("ada@CORP.TEST"));
}

TEST_F(TrustedForestsTest, SidsOfOtherForestsAreFilteredAtTheTrust) {
  AccountTable& table = forests_->accounts();
  const auto sid = [&](std::uint32_t realm, std::uint32_t rid) {
    const auto& d = RealmAt(realm).domain;
    return std::array<std::uint32_t, 4>{d[0], d[1], d[2], rid};
  };
  const std::vector<std::array<std::uint32_t, 4>> history = {sid(kCorp, 519), sid(kLab, 4711)};
  DT_ASSERT_OK(table.SetSidHistory(kPartner, "pat", history));
  DT_ASSERT_OK(table.SetSidHistory(kCorp, "ada", history));
  const auto guest = Visit("pat@PARTNER.TEST");
  DT_ASSERT_OK(guest);
  EXPECT_THAT(guest->group_sids, Not(Contains(Sid(RealmAt(kCorp), 519))));
  EXPECT_THAT(guest->group_sids, Contains(Sid(RealmAt(kLab), 4711)));
  const auto own = Visit("ada@CORP.TEST");
  DT_ASSERT_OK(own);
  EXPECT_THAT(own->group_sids, Contains(Sid(RealmAt(kCorp), 519)));
}

TEST_F(TrustedForestsTest, GroupsInGroupsAreInTheTicketWhereTheyCount) {
  AccountTable& table = forests_->accounts();
  const std::uint32_t staff = table.AddGroup(kPartner, "Staff").value();
  const std::uint32_t all = table.AddGroup(kPartner, "All", GroupScope::kUniversal).value();
  const std::uint32_t local = table.AddGroup(kPartner, "Local", GroupScope::kDomainLocal).value();
  const std::uint32_t guests = table.AddGroup(kUk, "Guests", GroupScope::kDomainLocal).value();
  const std::uint32_t outer = table.AddGroup(kUk, "Outer", GroupScope::kDomainLocal).value();
  DT_ASSERT_OK(table.SetGroups(kPartner, "pat", std::vector{staff, local}));
  DT_ASSERT_OK(table.SetGroupParents(kPartner, staff, std::vector{all}));
  DT_ASSERT_OK(table.SetGroupParents(kUk, guests, std::vector{outer}));
  DT_ASSERT_OK(table.SetForeignMember(kUk, guests, {kPartner, all}, true));
  const auto guest = Visit("pat@PARTNER.TEST");
  DT_ASSERT_OK(guest);
  EXPECT_THAT(guest->group_sids, Contains(Sid(RealmAt(kPartner), staff)));
  EXPECT_THAT(guest->group_sids, Contains(Sid(RealmAt(kPartner), all)));
  EXPECT_THAT(guest->group_sids, Not(Contains(Sid(RealmAt(kPartner), local))));
  EXPECT_THAT(guest->group_sids, Contains(Sid(RealmAt(kUk), guests)));
  EXPECT_THAT(guest->group_sids, Contains(Sid(RealmAt(kUk), outer)));
  const auto at_home = Visit("pat@PARTNER.TEST", "HTTP/web.partner.test");
  DT_ASSERT_OK(at_home);
  EXPECT_THAT(at_home->group_sids, Contains(Sid(RealmAt(kPartner), local)));
  EXPECT_THAT(at_home->group_sids, Not(Contains(Sid(RealmAt(kUk), guests))));
}

TEST_F(TrustedForestsTest, AForestHasAClockOfItsOwn) {
  DT_ASSERT_OK(forests_->accounts().SetClockSkew(kPartner, 3600));
  const char* const own = "HTTP/web.partner.test@PARTNER.TEST";
  EXPECT_THAT(Kvno("pat@PARTNER.TEST", own), HasSubstr("kvno = 1"));
  EXPECT_THAT(Kvno("pat@PARTNER.TEST", kWeb), HasSubstr("Ticket not yet valid"));
  DT_EXPECT_OK(Visit("ada@CORP.TEST"));
  DT_ASSERT_OK(forests_->accounts().SetClockSkew(kPartner, 0));
  EXPECT_THAT(Kvno("pat@PARTNER.TEST", kWeb), HasSubstr("kvno = 1"));
}

TEST_F(TrustedForestsTest, NobodyLogsOnOutsideOfTheirHoursOrWithAnExpiredPassword) {
  AccountTable& table = forests_->accounts();
  DT_ASSERT_OK(table.SetLogonHours(kCorp, "ada", {}));
  EXPECT_THAT(Kvno("ada@CORP.TEST", kWeb), HasSubstr("revoked"));
  DT_ASSERT_OK(table.SetLogonHours(kCorp, "ada", AllHours()));
  DT_ASSERT_OK(table.SetPasswordExpiry(kCorp, "ada", 1));
  EXPECT_EQ(kerberos::FailureOf(Visit("ada@CORP.TEST").status()),
            kerberos::Failure::kPasswordExpired);
  DT_ASSERT_OK(table.SetPassword(kCorp, "ada", "Kq7-u2m"));
  DT_EXPECT_OK(Visit("ada@CORP.TEST"));
}

}  // namespace
}  // namespace devicetrust::simulator
