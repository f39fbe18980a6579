#include "policy-engine/decisions/dashboard.h"

#include <gmock/gmock.h>

#include "policy-engine/apps/app_logos.h"
#include "policy-engine/apps/png.h"
#include "policy-engine/decisions/sign_on_fixture.h"
#include "policy-engine/sessions/session_store.h"
#include "policy-engine/users/admin_store.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using ::testing::ElementsAre;

class DashboardTest : public SignOnFixture {
 protected:
  DashboardTest() {
    StoredSession session;
    session.id = "session-1";
    session.user_id = user_id_;
    session.started_at = clock_.Now();
    session.expires_at = clock_.Now() + kSessionLifetime;
    session.used_at = clock_.Now();
    session.address = "203.0.113.5";
    session.user_agent = kWindowsAgent;
    DT_EXPECT_OK(
        database_->Write([&](db::Transaction& txn) { return StoreSession(txn, session); }));
    EXPECT_TRUE(PutApp(SamlApp("wiki")).ok());
  }

  v1::SessionInfo Info() { return Request().session(); }
  v1::GetDashboardResponse Get(const char* user_agent = kWindowsAgent,
                               v1::ClientKind kind = v1::CLIENT_KIND_WEB_BROWSER) {
    v1::GetDashboardRequest request;
    *request.mutable_session() = Info();
    request.mutable_client()->set_address("203.0.113.5");
    request.mutable_client()->set_user_agent(user_agent);
    request.set_client_kind(kind);
    const auto got = dashboard_.Get(request);
    DT_EXPECT_OK(got);
    return got.value_or(v1::GetDashboardResponse());
  }
  std::vector<std::string> Shown(const char* user_agent = kWindowsAgent) {
    std::vector<std::string> ids;
    const v1::GetDashboardResponse got = Get(user_agent);
    for (const v1::DashboardApp& app : got.apps()) ids.push_back(app.app_id());
    return ids;
  }
  std::vector<std::string> Locked(v1::ClientKind kind = v1::CLIENT_KIND_WEB_BROWSER) {
    std::vector<std::string> ids;
    const v1::GetDashboardResponse got = Get(kWindowsAgent, kind);
    for (const v1::DashboardApp& app : got.apps()) {
      if (app.locked()) ids.push_back(app.app_id());
    }
    return ids;
  }
  void OpenFromDashboard(const std::string& app_id) {
    v1::NoteAppOpenedRequest request;
    *request.mutable_session() = Info();
    request.set_app_id(app_id);
    DT_EXPECT_OK(dashboard_.NoteOpened(request));
  }
  void ShowUntrusted() { Evaluate(Refused(reason::v1::REASON_CERTIFICATE_NOT_PRESENTED, "")); }

  Dashboard dashboard_{Dashboard::Parts{*database_, *store_, clock_}};
  AppLogos logos_{AppLogos::Parts{*database_, *store_, *events_, clock_}};
};

TEST_F(DashboardTest, ShowsWhatCouldOpenForThePersonThereWithATrustedDevice) {
  EXPECT_THAT(Shown(), ElementsAre("mail", "wiki"));
  // For some people, and for some kinds of device.
  auto rule = MakeRule("Staff alone", {}, {}, v1::TRUST_CONDITION_ANY, true, false);
  rule.mutable_people()->add_groups("Board");
  const auto denied = MakeRule("Nobody else", {}, {}, v1::TRUST_CONDITION_ANY, false, false);
  DT_ASSERT_OK(SetRules("wiki", {rule, denied}));
  EXPECT_THAT(Shown(), ElementsAre("mail"));
  DT_ASSERT_OK(SetRules("wiki", {MakeRule("Macs", {}, {v1::PLATFORM_KIND_MACOS},
                                          v1::TRUST_CONDITION_ANY, true, false),
                                 denied}));
  EXPECT_THAT(Shown(), ElementsAre("mail"));
  EXPECT_THAT(Shown(kMacAgent), ElementsAre("mail", "wiki"));
}

// SSO-5: each of the four conditions alone keeps the lock away.
TEST_F(DashboardTest, LocksUnderExactlyFourConditions) {
  EXPECT_THAT(Locked(), ElementsAre());
  ShowUntrusted();
  EXPECT_THAT(Locked(), ElementsAre());  // Nobody has tried from the dashboard.
  OpenFromDashboard("wiki");
  EXPECT_THAT(Locked(), ElementsAre());  // One that asks for no trust is no try.
  OpenFromDashboard("mail");
  EXPECT_THAT(Locked(), ElementsAre("mail"));
  EXPECT_THAT(Locked(v1::CLIENT_KIND_MODERN_AUTH), ElementsAre());  // Not in a browser.
  DT_ASSERT_OK(SetDeviceTrust(false, /*force=*/true));
  EXPECT_THAT(Locked(), ElementsAre());  // Device Trust is off.
  DT_ASSERT_OK(SetDeviceTrust(true));
  EXPECT_THAT(Locked(), ElementsAre("mail"));
  Evaluate(Trusted());
  EXPECT_THAT(Locked(), ElementsAre());  // The device is trusted.
}

TEST_F(DashboardTest, ATryAloneDoesNotLock) {
  OpenFromDashboard("mail");
  EXPECT_THAT(Locked(), ElementsAre());  // Nothing is known of the device yet.
  ShowUntrusted();
  EXPECT_THAT(Locked(), ElementsAre("mail"));
  // Every app that asks for trust, not only the one that was tried.
  DT_ASSERT_OK(SetRules(
      "wiki", {MakeRule("Trusted", {v1::CLIENT_KIND_WEB_BROWSER}, {v1::PLATFORM_KIND_WINDOWS},
                        v1::TRUST_CONDITION_TRUSTED, true, false)}));
  EXPECT_THAT(Locked(), ElementsAre("mail", "wiki"));
}

TEST_F(DashboardTest, SaysWhetherAFactorMayBeEnrolled) {
  EXPECT_FALSE(Get().may_enroll_factor());
  v1::SetFactorSelfEnrollmentRequest request;
  request.set_enabled(true);
  DT_ASSERT_OK(settings_->SetFactorSelfEnrollment(admin_, request));
  EXPECT_TRUE(Get().may_enroll_factor());
  EXPECT_FALSE(Get().has_factor());
  // An administrator's comes from another one.
  DT_ASSERT_OK(database_->Write([&](db::Transaction& txn) {
    return StoreAdminRole(txn,
                          {user_id_, access::v1::ROLE_READ_ONLY, admin_.ToString(), clock_.Now()});
  }));
  EXPECT_FALSE(Get().may_enroll_factor());
}

TEST_F(DashboardTest, IsNobodysOnceTheSessionHasEnded) {
  DT_ASSERT_OK(sessions_->EndSession("session-1", clock_.Now()));
  v1::GetDashboardRequest request;
  *request.mutable_session() = Info();
  EXPECT_EQ(ReasonOf(dashboard_.Get(request).status()), reason::v1::REASON_SESSION_ENDED);
}

TEST_F(DashboardTest, AppsHaveLogosThatAdminsGive) {
  v1::SetAppLogoRequest request;
  request.set_app_id("mail");
  request.set_png("<svg/>");
  EXPECT_EQ(ReasonOf(logos_.Set(admin_, request).status()), reason::v1::REASON_MALFORMED_REQUEST);
  const Bytes png =
      Base64Decode(
          "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGMQUDAAAACkAGE0Zn1yAAAA"
          "AElFTkSuQmCC")
          .value();
  request.set_png(ToString(png));
  const auto set = logos_.Set(admin_, request);
  DT_ASSERT_OK(set);
  EXPECT_EQ(Get().apps(0).logo_sha256(), set->sha256());
  v1::GetAppLogoRequest get;
  get.set_sha256(set->sha256());
  EXPECT_EQ(dashboard_.Logo(get)->png(), ToString(png));
  request.clear_png();
  DT_ASSERT_OK(logos_.Set(admin_, request));
  EXPECT_EQ(Get().apps(0).logo_sha256(), "");
  EXPECT_EQ(ReasonOf(dashboard_.Logo(get).status()), reason::v1::REASON_LOGO_UNKNOWN);
  EXPECT_EQ(EventsOf("application.logo.change").size(), 2u);
}

TEST_F(DashboardTest, ALogoGoesWithItsApp) {
  v1::SetAppLogoRequest logo;
  logo.set_app_id("mail");
  logo.set_png(ToString(
      Base64Decode(
          "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGMQUDAAAACkAGE0Zn1yAAAA"
          "AElFTkSuQmCC")
          .value()));
  const auto set = logos_.Set(admin_, logo);
  DT_ASSERT_OK(set);
  v1::RemoveAppRequest remove;
  remove.set_app_id("mail");
  DT_ASSERT_OK(apps_->RemoveApp(admin_, remove));
  v1::GetAppLogoRequest get;
  get.set_sha256(set->sha256());
  EXPECT_EQ(ReasonOf(dashboard_.Logo(get).status()), reason::v1::REASON_LOGO_UNKNOWN);
}

}  // namespace
}  // namespace devicetrust::policy
