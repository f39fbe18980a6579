#include "policy-engine/console/console.h"

#include <gmock/gmock.h>

#include "libs/rpc/grant.h"
#include "libs/throwaway/throwaway_pki.h"
#include "policy-engine/console/admin_roles.h"
#include "policy-engine/decisions/sign_on_fixture.h"
#include "policy-engine/sessions/session_limits.h"
#include "policy-engine/sessions/session_store.h"
#include "policy-engine/users/user_admin_fixture.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using ::testing::HasSubstr;

constexpr char kListApps[] = "/devicetrust.org.v1.AppService/ListApps";
constexpr char kSetRules[] = "/devicetrust.org.v1.AppService/SetRules";
constexpr char kSetStatus[] = "/devicetrust.org.v1.UserService/SetUserStatus";
constexpr char kSetDeviceTrust[] = "/devicetrust.org.v1.SettingsService/SetDeviceTrust";
constexpr char kRevoke[] = "/devicetrust.ca.v1.CertificateAdminService/RevokeForUser";

class ConsoleTest : public SignOnFixture {
 protected:
  ConsoleTest() : pki_("acme", clock_.Now()) {
    console_.emplace(
        Console::Parts{*database_, *store_, *events_, scripted_factors_, clock_, "acme",
                       [signer = rpc::GrantSigner::Create(IdentityOf(pki_, "policy")).value()](
                           const access::v1::Grant& grant) { return signer.Sign(grant); }});
    verifier_ =
        rpc::GrantVerifier::Create("acme", pki_.deployment_ca().certificate.Pem(), clock_).value();
  }

  static rpc::Identity IdentityOf(throwaway::ThrowawayPki& pki, const std::string& name) {
    const pki::ExportableIdentity& made = pki.Component(name);
    return {made.certificate.Pem(), made.key.Pem()};
  }

  absl::Status Give(access::v1::Role role, const rpc::Caller* by = nullptr) {
    v1::GrantRoleRequest request;
    request.set_user("ada@corp.test");
    request.set_role(role);
    const auto granted = roles_.Grant(by == nullptr ? admin_ : *by, request);
    if (granted.ok()) granted_ = *granted;
    return granted.status();
  }
  absl::Status Take(const rpc::Caller* by = nullptr) {
    v1::RevokeRoleRequest request;
    request.set_user(user_id_);
    return roles_.Revoke(by == nullptr ? admin_ : *by, request).status();
  }
  void Store(const std::string& id) {
    StoredSession session;
    session.id = id;
    session.user_id = user_id_;
    session.started_at = clock_.Now();
    session.expires_at = clock_.Now() + kSessionLifetime;
    session.used_at = clock_.Now();
    DT_ASSERT_OK(
        database_->Write([&](db::Transaction& txn) { return StoreSession(txn, session); }));
  }
  // As the authenticator notes it.
  void SignIn(const std::string& session = "session-a") {
    DT_ASSERT_OK(database_->Write([&](db::Transaction& txn) {
      return NoteAdminSession(txn, session, user_id_, clock_.Now());
    }));
  }
  absl::Status Open(const std::string& session = "session-a") {
    v1::OpenConsoleRequest request;
    request.set_session_id(session);
    request.set_totp_code("123456");
    request.mutable_client()->set_address("203.0.113.5");
    return console_->Open(request).status();
  }
  absl::Status Ask(const std::string& method, const std::string& session = "session-a") {
    v1::AuthorizeCallRequest request;
    request.set_session_id(session);
    request.set_method(method);
    auto answer = console_->Authorize(request);
    if (answer.ok()) signed_ = answer->signed_grant();
    return answer.status();
  }
  v1::ConsoleState State() {
    v1::GetConsoleRequest request;
    request.set_session_id("session-a");
    return console_->Get(request)->state();
  }
  void Begin(access::v1::Role role) {
    DT_ASSERT_OK(Give(role));
    SignIn();
    DT_ASSERT_OK(Open());
  }

  throwaway::ThrowawayPki pki_;
  AdminRoles roles_{AdminRoles::Parts{*database_, *events_, clock_}};
  FakeCa ca_;
  UserRevoker revoker_{*database_, ca_};
  TotpFactors totp_{*kek_, random_};
  UserAdmin users_{UserAdmin::Parts{*database_, *events_, revoker_, totp_, clock_, random_,
                                    [this] { return store_->state()->DisplayName(); }}};
  std::optional<Console> console_;
  std::shared_ptr<const rpc::GrantVerifier> verifier_;
  v1::GrantRoleResponse granted_;
  std::string signed_;
};

TEST_F(ConsoleTest, AnAdministratorWithASecondFactorGetsAGrantForOneCall) {
  Begin(access::v1::ROLE_SUPER_ADMIN);
  DT_ASSERT_OK(Ask(kRevoke));
  const auto grant = verifier_->Check(signed_, kRevoke);
  DT_ASSERT_OK(grant);
  EXPECT_EQ(grant->principal(), "ada@corp.test");
  EXPECT_EQ(grant->user_id(), user_id_);
  EXPECT_EQ(ReasonOf(verifier_->Check(signed_, kListApps).status()),
            reason::v1::REASON_TOKEN_WRONG_AUDIENCE);
  clock_.Advance(rpc::kGrantLifetime);
  EXPECT_EQ(ReasonOf(verifier_->Check(signed_, kRevoke).status()),
            reason::v1::REASON_TOKEN_EXPIRED);
}

TEST_F(ConsoleTest, ASessionOfNoAdministratorOpensNothing) {
  SignIn();  // Before there was a role.
  DT_ASSERT_OK(Give(access::v1::ROLE_SUPER_ADMIN));
  EXPECT_EQ(ReasonOf(Open()), reason::v1::REASON_SESSION_EXPIRED);
  EXPECT_EQ(ReasonOf(Ask(kListApps)), reason::v1::REASON_SESSION_EXPIRED);
  EXPECT_EQ(ReasonOf(Ask(kListApps, "made-up")), reason::v1::REASON_SESSION_EXPIRED);
  EXPECT_EQ(ReasonOf(Ask(kListApps, "")), reason::v1::REASON_SESSION_EXPIRED);
  SignIn("session-b");
  DT_EXPECT_OK(Open("session-b"));
}

TEST_F(ConsoleTest, WithoutASecondFactorItStaysClosed) {
  DT_ASSERT_OK(Give(access::v1::ROLE_SUPER_ADMIN));
  EXPECT_THAT(granted_.warning(), HasSubstr("no second factor"));
  SignIn();
  EXPECT_EQ(ReasonOf(Ask(kListApps)), reason::v1::REASON_FACTOR_NEEDED);
  scripted_factors_.verdict = FactorVerdict::kWrong;
  EXPECT_EQ(ReasonOf(Open()), reason::v1::REASON_FACTOR_WRONG);
  scripted_factors_.verdict = FactorVerdict::kNotEnrolled;
  EXPECT_EQ(ReasonOf(Open()), reason::v1::REASON_FACTOR_NOT_ENROLLED);
  EXPECT_FALSE(State().open());
  EXPECT_EQ(ReasonOf(Ask(kListApps)), reason::v1::REASON_FACTOR_NEEDED);
  EXPECT_EQ(EventsOf("admin.console.open").size(), 2U);
}

TEST_F(ConsoleTest, TheCodeThatLocksTheFactorIsTold) {
  DT_ASSERT_OK(Give(access::v1::ROLE_READ_ONLY));
  SignIn();
  scripted_factors_.verdict = FactorVerdict::kWrong;
  EXPECT_EQ(ReasonOf(Open()), reason::v1::REASON_FACTOR_WRONG);
  EXPECT_TRUE(EventsOf("user.mfa.factor.lock").empty());
  scripted_factors_.locks = true;
  EXPECT_EQ(ReasonOf(Open()), reason::v1::REASON_FACTOR_WRONG);
  const auto events = EventsOf("user.mfa.factor.lock");
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].actor().id(), user_id_);
  EXPECT_EQ(events[0].client().address(), "203.0.113.5");
}

TEST_F(ConsoleTest, EachRoleMayWhatItsMethodsSay) {
  struct Row {
    access::v1::Role role;
    bool rules, status, settings;
  };
  for (const Row& row : {Row{access::v1::ROLE_READ_ONLY, false, false, false},
                         Row{access::v1::ROLE_HELP_DESK, false, true, false},
                         Row{access::v1::ROLE_APP_ADMIN, true, false, false},
                         Row{access::v1::ROLE_SUPER_ADMIN, true, true, true}}) {
    Begin(row.role);
    DT_EXPECT_OK(Ask(kListApps)) << row.role;
    EXPECT_EQ(Ask(kSetRules).ok(), row.rules) << row.role;
    EXPECT_EQ(Ask(kSetStatus).ok(), row.status) << row.role;
    EXPECT_EQ(Ask(kSetDeviceTrust).ok(), row.settings) << row.role;
    EXPECT_EQ(Ask(kRevoke).ok(), row.status) << row.role;
  }
  EXPECT_EQ(EventsOf("admin.call.refuse").size(), 4U + 2U + 3U);
}

TEST_F(ConsoleTest, WhatIsNotExposedIsNotThere) {
  Begin(access::v1::ROLE_SUPER_ADMIN);
  for (const char* method :
       {"/devicetrust.org.v1.UserService/ImportUsers", "/devicetrust.org.v1.AppService/None",
        "/devicetrust.org.v1.GatewayKeyService/GetGatewayKeys", "", "/", "AppService/ListApps",
        "/devicetrust.org.v1.UserService/EnrollFactor"}) {
    EXPECT_EQ(ReasonOf(Ask(method)), reason::v1::REASON_UNKNOWN_SUBJECT) << method;
  }
}

TEST_F(ConsoleTest, ItClosesWhenIdleAfterADayAndWhenAsked) {
  Begin(access::v1::ROLE_READ_ONLY);
  for (int i = 0; i < 15; ++i) {  // 7 hours and a half, with a call now and then.
    clock_.Advance(kConsoleIdleMax - std::chrono::seconds{1});
    DT_EXPECT_OK(Ask(kListApps)) << i;
  }
  clock_.Advance(kConsoleOpenMax - 15 * (kConsoleIdleMax - std::chrono::seconds{1}));
  EXPECT_EQ(ReasonOf(Ask(kListApps)), reason::v1::REASON_FACTOR_NEEDED);
  DT_ASSERT_OK(Open());
  clock_.Advance(kConsoleIdleMax);
  EXPECT_EQ(ReasonOf(Ask(kListApps)), reason::v1::REASON_FACTOR_NEEDED);
  DT_ASSERT_OK(Open());
  DT_EXPECT_OK(Ask(kListApps));
  v1::CloseConsoleRequest close;
  close.set_session_id("session-a");
  DT_ASSERT_OK(console_->Close(close));
  EXPECT_EQ(ReasonOf(Ask(kListApps)), reason::v1::REASON_FACTOR_NEEDED);
}

TEST_F(ConsoleTest, APageThatOnlyListensKeepsNothingOpen) {
  Begin(access::v1::ROLE_READ_ONLY);
  clock_.Advance(kConsoleIdleMax - std::chrono::minutes{1});
  DT_EXPECT_OK(Ask("/devicetrust.org.v1.SystemLogService/TailEvents"));
  clock_.Advance(std::chrono::minutes{1});
  EXPECT_EQ(ReasonOf(Ask(kListApps)), reason::v1::REASON_FACTOR_NEEDED);
}

TEST_F(ConsoleTest, ACallKeepsItsSessionFromBeingIdle) {
  v1::SetSessionLimitsRequest limits;
  limits.mutable_idle_timeout()->set_seconds(seconds(minutes{5}).count());
  DT_ASSERT_OK(settings_->SetSessionLimits(admin_, limits));
  Store("session-a");
  Begin(access::v1::ROLE_READ_ONLY);
  for (int i = 0; i < 3; ++i) {
    clock_.Advance(minutes{4});
    DT_EXPECT_OK(Ask(kListApps)) << i;
  }
  // As one that only listens does not.
  clock_.Advance(minutes{4});
  DT_EXPECT_OK(Ask("/devicetrust.org.v1.SystemLogService/TailEvents"));
  clock_.Advance(minutes{4});
  EXPECT_EQ(ReasonOf(Ask(kListApps)), reason::v1::REASON_SESSION_EXPIRED);
}

TEST_F(ConsoleTest, WhatOpensDoorsAsksForTheFactorAgain) {
  Begin(access::v1::ROLE_SUPER_ADMIN);
  DT_EXPECT_OK(Ask(kSetDeviceTrust));
  clock_.Advance(kConsoleFactorFreshFor);
  EXPECT_FALSE(State().has_fresh_until());
  for (const char* method :
       {kSetDeviceTrust, kSetRules, kRevoke, "/devicetrust.org.v1.AppService/PutApp",
        "/devicetrust.org.v1.UserService/ResetFactors",
        "/devicetrust.org.v1.EventHookService/AddHook"}) {
    EXPECT_EQ(ReasonOf(Ask(method)), reason::v1::REASON_FACTOR_NEEDED) << method;
  }
  DT_EXPECT_OK(Ask(kListApps));
  DT_ASSERT_OK(Open());
  DT_EXPECT_OK(Ask(kSetDeviceTrust));
}

TEST_F(ConsoleTest, ARoleTakenAwayCountsAtOnce) {
  Begin(access::v1::ROLE_SUPER_ADMIN);
  DT_ASSERT_OK(Take());
  EXPECT_EQ(ReasonOf(Ask(kListApps)), reason::v1::REASON_CALLER_NOT_ALLOWED);
  EXPECT_EQ(ReasonOf(Open()), reason::v1::REASON_CALLER_NOT_ALLOWED);
  const auto events = EventsOf("admin.role.revoke");
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].debug_data().at("before"), "SUPER_ADMIN");
}

TEST_F(ConsoleTest, AChangeOfFactorOrRoleClosesIt) {
  v1::ResetFactorsRequest reset;
  reset.set_user_id(user_id_);
  v1::EnrollFactorRequest enroll;
  enroll.set_user_id(user_id_);
  enroll.mutable_totp();
  Begin(access::v1::ROLE_APP_ADMIN);
  DT_EXPECT_OK(Ask(kListApps));
  DT_ASSERT_OK(users_.ResetFactors(admin_, reset));
  EXPECT_EQ(ReasonOf(Ask(kListApps)), reason::v1::REASON_FACTOR_NEEDED);
  DT_ASSERT_OK(Open());
  DT_ASSERT_OK(users_.EnrollFactor(admin_, enroll));
  EXPECT_EQ(ReasonOf(Ask(kListApps)), reason::v1::REASON_FACTOR_NEEDED);
  DT_ASSERT_OK(Open());
  DT_ASSERT_OK(Give(access::v1::ROLE_SUPER_ADMIN));
  EXPECT_EQ(ReasonOf(Ask(kListApps)), reason::v1::REASON_FACTOR_NEEDED);
  DT_ASSERT_OK(Open());
  DT_ASSERT_OK(Take());
  DT_ASSERT_OK(Give(access::v1::ROLE_SUPER_ADMIN));
  EXPECT_EQ(ReasonOf(Ask(kListApps)), reason::v1::REASON_FACTOR_NEEDED);
}

// Attack: a help desk takes an administrator's factor away, and gives itself another.
TEST_F(ConsoleTest, AHelpDeskResetsFactorsOfOrdinaryPeopleAlone) {
  DT_ASSERT_OK(Give(access::v1::ROLE_SUPER_ADMIN));
  const std::string help_id = AddUser("help", {});
  v1::GrantRoleRequest grant;
  grant.set_user("help@corp.test");
  grant.set_role(access::v1::ROLE_HELP_DESK);
  DT_ASSERT_OK(roles_.Grant(admin_, grant));
  const rpc::Caller help{rpc::Caller::Kind::kAdmin, "help@corp.test", "admin", "acme", help_id};
  v1::ResetFactorsRequest reset;
  reset.set_user_id(user_id_);
  EXPECT_EQ(ReasonOf(users_.ResetFactors(help, reset).status()),
            reason::v1::REASON_CALLER_NOT_ALLOWED);
  reset.set_user_id(help_id);
  EXPECT_EQ(ReasonOf(users_.ResetFactors(help, reset).status()),
            reason::v1::REASON_CALLER_NOT_ALLOWED);
  reset.set_user_id(AddUser("bob", {}));
  DT_EXPECT_OK(users_.ResetFactors(help, reset));
}

TEST_F(ConsoleTest, AGrantNamesWhomTheCallMustNotTouch) {
  Begin(access::v1::ROLE_HELP_DESK);
  DT_ASSERT_OK(Ask(kRevoke));
  const auto grant = verifier_->Check(signed_, kRevoke);
  DT_ASSERT_OK(grant);
  const rpc::Caller caller = rpc::AdminOf(*grant);
  EXPECT_FALSE(caller.MayTouch(user_id_));
  EXPECT_TRUE(caller.MayTouch("id-bob"));
  DT_ASSERT_OK(Give(access::v1::ROLE_SUPER_ADMIN));
  DT_ASSERT_OK(Open());
  DT_ASSERT_OK(Ask(kRevoke));
  EXPECT_TRUE(rpc::AdminOf(verifier_->Check(signed_, kRevoke).value()).MayTouch(user_id_));
}

TEST_F(ConsoleTest, OfManyRefusedCallsTheLogHasTheNumber) {
  Begin(access::v1::ROLE_READ_ONLY);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(ReasonOf(Ask(kSetRules)), reason::v1::REASON_CALLER_NOT_ALLOWED);
  }
  EXPECT_EQ(EventsOf("admin.call.refuse").size(), 10U);
  DT_ASSERT_OK(console_->TellRefusals());
  const auto events = EventsOf("admin.call.refuse");
  ASSERT_EQ(events.size(), 11U);
  EXPECT_EQ(events[10].debug_data().at("count"), "990");
  EXPECT_EQ(events[10].targets(0).id(), user_id_);
  DT_ASSERT_OK(console_->TellRefusals());
  EXPECT_EQ(EventsOf("admin.call.refuse").size(), 11U);
}

TEST_F(ConsoleTest, AnEndedSessionOrADeactivatedUserOpensNothing) {
  Begin(access::v1::ROLE_SUPER_ADMIN);
  DT_ASSERT_OK(sessions_->EndSession("session-a", clock_.Now()));
  EXPECT_EQ(ReasonOf(Ask(kListApps)), reason::v1::REASON_SESSION_ENDED);
  SignIn("session-b");
  DT_ASSERT_OK(Open("session-b"));
  DT_ASSERT_OK(database_->Write([&](db::Transaction& txn) {
    return WriteUserStatus(txn, user_id_, v1::USER_STATUS_DEACTIVATED, clock_.Now());
  }));
  EXPECT_EQ(ReasonOf(Ask(kListApps, "session-b")), reason::v1::REASON_SESSION_ENDED);
  EXPECT_EQ(ReasonOf(Give(access::v1::ROLE_HELP_DESK)), reason::v1::REASON_USER_DEACTIVATED);
}

TEST_F(ConsoleTest, ASignInWithinTheSecondOfASignOutEverywhereOpens) {
  clock_.Set(kTestStart + std::chrono::milliseconds(500));
  DT_ASSERT_OK(database_->Write(
      [&](db::Transaction& txn) { return WriteSessionsFrom(txn, user_id_, clock_.Now()); }));
  clock_.Set(kTestStart + std::chrono::milliseconds(800));
  Store("session-a");
  Begin(access::v1::ROLE_READ_ONLY);
  DT_EXPECT_OK(Ask(kListApps));
}

TEST_F(ConsoleTest, NobodyChangesTheOwnRole) {
  DT_ASSERT_OK(Give(access::v1::ROLE_SUPER_ADMIN));
  rpc::Caller self{rpc::Caller::Kind::kAdmin, "ada@corp.test", "admin", "acme", user_id_};
  EXPECT_EQ(ReasonOf(Give(access::v1::ROLE_READ_ONLY, &self)),
            reason::v1::REASON_CONFLICTING_STATE);
  EXPECT_EQ(ReasonOf(Take(&self)), reason::v1::REASON_CONFLICTING_STATE);
  EXPECT_EQ(roles_.List()->admins(0).role(), access::v1::ROLE_SUPER_ADMIN);
}

TEST_F(ConsoleTest, RolesAreGrantedToUsersThatThereAre) {
  v1::GrantRoleRequest request;
  request.set_user("nobody@corp.test");
  request.set_role(access::v1::ROLE_HELP_DESK);
  EXPECT_EQ(ReasonOf(roles_.Grant(admin_, request).status()), reason::v1::REASON_USER_UNKNOWN);
  EXPECT_EQ(ReasonOf(Give(access::v1::ROLE_UNSPECIFIED)), reason::v1::REASON_MALFORMED_REQUEST);
  EXPECT_EQ(ReasonOf(Give(static_cast<access::v1::Role>(77))),
            reason::v1::REASON_MALFORMED_REQUEST);
  DT_ASSERT_OK(Give(access::v1::ROLE_HELP_DESK));
  DT_ASSERT_OK(Give(access::v1::ROLE_HELP_DESK));
  EXPECT_EQ(EventsOf("admin.role.grant").size(), 1U);  // The second changed nothing.
}

TEST_F(ConsoleTest, OnlyTheOrgsOwnCertificateVouches) {
  Begin(access::v1::ROLE_SUPER_ADMIN);
  DT_ASSERT_OK(Ask(kListApps));
  const auto wrong_signer = [&](const rpc::Identity& identity) {
    access::v1::SignedGrant message;
    access::v1::Grant grant;
    EXPECT_TRUE(message.ParseFromString(signed_) && grant.ParseFromString(message.grant()));
    const std::string forged = rpc::GrantSigner::Create(identity)->Sign(grant).value();
    return ReasonOf(verifier_->Check(forged, kListApps).status());
  };
  EXPECT_EQ(wrong_signer(IdentityOf(pki_, "gateway-1")), reason::v1::REASON_TOKEN_WRONG_ISSUER);
  throwaway::ThrowawayPki elsewhere("acme", clock_.Now());
  EXPECT_EQ(wrong_signer(IdentityOf(elsewhere, "policy")), reason::v1::REASON_TOKEN_WRONG_ISSUER);
  std::string changed = signed_;
  changed[6] ^= 1;
  EXPECT_FALSE(verifier_->Check(changed, kListApps).ok());
  EXPECT_FALSE(verifier_->Check("", kListApps).ok());
}

}  // namespace
}  // namespace devicetrust::policy
