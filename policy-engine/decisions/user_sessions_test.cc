#include "policy-engine/decisions/user_sessions.h"

#include <gmock/gmock.h>

#include "policy-engine/decisions/session_check.h"
#include "policy-engine/decisions/sign_on_fixture.h"
#include "policy-engine/sessions/session_store.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;

class UserSessionsTest : public SignOnFixture {
 protected:
  UserSessionsTest() { Open("session-1"); }

  void Open(const std::string& id, const char* user_agent = kWindowsAgent,
            std::chrono::seconds lifetime = kSessionLifetime) {
    StoredSession session;
    session.id = id;
    session.user_id = user_id_;
    session.started_at = clock_.Now();
    session.expires_at = clock_.Now() + lifetime;
    session.used_at = clock_.Now();
    session.address = "203.0.113.5";
    session.user_agent = user_agent;
    DT_ASSERT_OK(
        database_->Write([&](db::Transaction& txn) { return StoreSession(txn, session); }));
  }
  v1::SessionInfo Info(const std::string& id, WallTime begun = kTestStart) {
    v1::SessionInfo info;
    info.set_session_id(id);
    info.set_user_id(user_id_);
    *info.mutable_authenticated_at() = rpc::ToTimestamp(begun);
    return info;
  }
  absl::StatusOr<v1::ListSessionsResponse> List(const std::string& by = "session-1") {
    v1::ListSessionsRequest request;
    *request.mutable_session() = Info(by);
    return user_sessions_.List(gateway_, request);
  }
  absl::StatusOr<v1::EndSessionsResponse> End(const std::vector<std::string>& ids,
                                              const std::string& by = "session-1") {
    v1::EndSessionsRequest request;
    *request.mutable_session() = Info(by);
    for (const std::string& id : ids) request.add_ids(id);
    request.set_all(ids.empty());
    return user_sessions_.End(gateway_, request);
  }
  reason::v1::Reason WhyNot(const std::string& id) {
    const auto read = [&](db::Transaction& txn) {
      return CheckSession(txn, ClaimOf(Info(id)), SessionLimitsOf(store_->state()->settings),
                          clock_.Now())
          .status();
    };
    return rpc::ReasonOf(database_->Read(read));
  }
  void SetLimits(std::chrono::seconds lifetime, std::chrono::seconds idle) {
    v1::SetSessionLimitsRequest request;
    request.mutable_lifetime()->set_seconds(lifetime.count());
    request.mutable_idle_timeout()->set_seconds(idle.count());
    DT_ASSERT_OK(settings_->SetSessionLimits(admin_, request));
  }
  std::vector<v1::SessionChange> Changes() { return sessions_->After(0, 100).value().changes; }
  v1::EvaluateRequest At(v1::EvaluateRequest request) {
    *request.mutable_session() = Info("session-1");
    return request;
  }

  const rpc::Caller gateway_ = Component("gateway-1", "gateway");
  UserSessions user_sessions_{UserSessions::Parts{*database_, *store_, *events_, clock_}};
};

TEST_F(UserSessionsTest, AreListedWithBrowserPlaceDeviceAndLastUse) {
  v1::SetZonesRequest zones;
  v1::Zone& zone = *zones.add_zones();
  zone.set_name("office");
  zone.add_cidr("203.0.113.0/24");
  DT_ASSERT_OK(zones_->SetZones(admin_, zones).status());
  clock_.Advance(minutes(2));
  Open("session-2", kMacAgent);
  clock_.Advance(minutes(3));
  EXPECT_EQ(Evaluate(At(Trusted())).trust(), v1::TRUST_STATE_TRUSTED);

  const auto listed = List("session-2");
  DT_ASSERT_OK(listed);
  ASSERT_EQ(listed->sessions_size(), 2);
  const v1::UserSession& used = listed->sessions(0);
  EXPECT_EQ(used.browser(), "Chrome");
  EXPECT_EQ(used.system(), "Windows");
  EXPECT_THAT(used.zones(), ElementsAre("office"));
  EXPECT_EQ(used.client().address(), "203.0.113.5");
  EXPECT_EQ(used.device_id(), "device-1");
  EXPECT_EQ(used.certificate_serial(), "0a1b");
  EXPECT_EQ(rpc::FromTimestamp(used.used_at()), kTestStart + minutes(5));
  EXPECT_EQ(rpc::FromTimestamp(used.started_at()), kTestStart);
  EXPECT_EQ(rpc::FromTimestamp(used.expires_at()), kTestStart + kSessionLifetime);
  EXPECT_FALSE(used.asks());
  EXPECT_TRUE(listed->sessions(1).asks());
  EXPECT_EQ(listed->sessions(1).system(), "macOS");
  EXPECT_NE(used.id(), "session-1");  // What pages show opens nothing.
}

TEST_F(UserSessionsTest, EndOneByOneOrAllAtOnce) {
  Open("session-2");
  Open("session-3");
  clock_.Advance(minutes(1));
  auto listed = List();
  DT_ASSERT_OK(listed);
  std::string other;
  for (const v1::UserSession& session : listed->sessions()) {
    if (!session.asks()) other = session.id();
  }
  EXPECT_EQ(End({other, "of nobody"})->ended(), 1);
  EXPECT_EQ(List()->sessions_size(), 2);
  ASSERT_EQ(Changes().size(), 1u);
  EXPECT_TRUE(Changes()[0].ended_session_id() == "session-2" ||
              Changes()[0].ended_session_id() == "session-3");
  EXPECT_EQ(WhyNot(Changes()[0].ended_session_id()), reason::v1::REASON_SESSION_ENDED);

  // Those too that a release before opened, of which nothing is kept.
  EXPECT_EQ(End({})->ended(), 2);
  for (const char* id : {"session-1", "session-2", "session-3", "session-of-before"}) {
    EXPECT_EQ(WhyNot(id), reason::v1::REASON_SESSION_ENDED) << id;
  }
  ASSERT_EQ(Changes().size(), 2u);
  EXPECT_EQ(Changes()[1].deactivated_user_id(), user_id_);
  EXPECT_EQ(ReasonOf(List().status()), reason::v1::REASON_SESSION_ENDED);
  EXPECT_EQ(EventsOf("user.session.end").size(), 1u);
  EXPECT_EQ(EventsOf("user.session.clear").size(), 1u);

  // Who signs in again is in: the person is as active as before.
  Open("session-4");
  EXPECT_EQ(rpc::ReasonOf(database_->Read([&](db::Transaction& txn) {
              return CheckSession(txn, ClaimOf(Info("session-4", clock_.Now())), {}, clock_.Now())
                  .status();
            })),
            reason::v1::REASON_UNSPECIFIED);
}

TEST_F(UserSessionsTest, AreNobodyElses) {
  const std::string stranger = AddUser("eve");
  v1::EndSessionsRequest request;
  *request.mutable_session() = Info("session-9");
  request.mutable_session()->set_user_id(stranger);
  request.add_ids(List()->sessions(0).id());
  EXPECT_EQ(user_sessions_.End(gateway_, request)->ended(), 0);
  EXPECT_EQ(WhyNot("session-1"), reason::v1::REASON_UNSPECIFIED);

  // A gateway speaks for sessions, an administrator for people.
  v1::ListSessionsRequest by_name;
  by_name.set_user_id(user_id_);
  EXPECT_EQ(ReasonOf(user_sessions_.List(gateway_, by_name).status()),
            reason::v1::REASON_CALLER_NOT_ALLOWED);
  EXPECT_EQ(user_sessions_.List(admin_, by_name)->sessions_size(), 1);
  EXPECT_EQ(ReasonOf(user_sessions_.List(admin_, {}).status()),
            reason::v1::REASON_MALFORMED_REQUEST);
  // The session of one user is not that of another, whatever a gateway says.
  v1::ListSessionsRequest mixed;
  *mixed.mutable_session() = Info("session-1");
  mixed.mutable_session()->set_user_id(stranger);
  EXPECT_EQ(ReasonOf(user_sessions_.List(gateway_, mixed).status()),
            reason::v1::REASON_SESSION_ENDED);
}

TEST_F(UserSessionsTest, EndByTheirLimits) {
  SetLimits(hours(8), minutes(30));
  EXPECT_EQ(WhyNot("session-1"), reason::v1::REASON_UNSPECIFIED);
  // A use keeps it open, being left alone does not.
  for (int i = 0; i < 4; ++i) {
    clock_.Advance(minutes(29));
    DT_ASSERT_OK(sign_on_->Evaluate(At(Request())));
  }
  clock_.Advance(minutes(31));
  EXPECT_EQ(WhyNot("session-1"), reason::v1::REASON_SESSION_EXPIRED);
  EXPECT_EQ(Refusal(At(Request())), reason::v1::REASON_SESSION_EXPIRED);
  SetLimits(hours(8), seconds(0));
  EXPECT_EQ(WhyNot("session-1"), reason::v1::REASON_UNSPECIFIED);
  // Tighter limits count at once, for sessions of before too.
  SetLimits(minutes(5), seconds(0));
  EXPECT_EQ(WhyNot("session-1"), reason::v1::REASON_SESSION_EXPIRED);
  EXPECT_EQ(WhyNot("session-of-before"), reason::v1::REASON_SESSION_EXPIRED);
  // Wider ones give no session more than it had.
  SetLimits(hours(48), seconds(0));
  clock_.Set(kTestStart + kSessionLifetime);
  EXPECT_EQ(WhyNot("session-1"), reason::v1::REASON_SESSION_EXPIRED);
  EXPECT_EQ(WhyNot("session-of-before"), reason::v1::REASON_SESSION_EXPIRED);
}

TEST_F(UserSessionsTest, LimitsOutOfRangeAreRefused) {
  for (const std::int64_t limit : {60, 299, 301, 7 * 86'400 + 60, -300}) {
    v1::SetSessionLimitsRequest request;
    request.mutable_idle_timeout()->set_seconds(limit);
    EXPECT_EQ(ReasonOf(settings_->SetSessionLimits(admin_, request).status()),
              reason::v1::REASON_MALFORMED_REQUEST)
        << limit;
  }
  SetLimits(hours(1), minutes(10));
  const auto events = EventsOf("org.settings.change");
  ASSERT_EQ(events.back().targets_size(), 2);
  EXPECT_EQ(events.back().targets(0).display_name(), "session lifetime from none to 60 min");
}

TEST_F(UserSessionsTest, AnEndedSessionStaysEndedForAsLongAsAnyIsOpen) {
  Open("long", kWindowsAgent, hours(7 * 24));
  Open("gone", kWindowsAgent, hours(7 * 24));
  SetLimits(hours(7 * 24), seconds(0));
  DT_ASSERT_OK(sessions_->EndSession("gone", clock_.Now()));
  for (int day = 1; day < 7; ++day) {
    clock_.Advance(hours(24));
    DT_ASSERT_OK(sessions_->Prune(clock_.Now()));
    EXPECT_EQ(WhyNot("gone"), reason::v1::REASON_SESSION_ENDED) << day;
    // Gateways must not forget it sooner.
    const auto following = sessions_->After(0, 10).value();
    EXPECT_EQ(following.oldest_session_at, kTestStart) << day;
    EXPECT_EQ(following.changes.size(), 1u) << day;
  }
  clock_.Advance(hours(25));
  DT_ASSERT_OK(sessions_->Prune(clock_.Now()));
  EXPECT_TRUE(sessions_->After(0, 10).value().changes.empty());
  EXPECT_EQ(WhyNot("gone"), reason::v1::REASON_SESSION_EXPIRED);
}

// As a replica of the release before does, which knows no rows of sessions.
TEST_F(UserSessionsTest, AreOverWhenAnOlderReplicaEndedThem) {
  Open("session-2");
  DT_ASSERT_OK(database_->Write([&](db::Transaction& txn) {
    return txn
        .Run("INSERT INTO ended_sessions (session_id, ended_at_ms) VALUES ('session-2', 1)", {})
        .status();
  }));
  EXPECT_EQ(WhyNot("session-2"), reason::v1::REASON_SESSION_ENDED);
  EXPECT_EQ(List()->sessions_size(), 1);
}

TEST_F(UserSessionsTest, KnowWhatWasOpenedInThem) {
  EXPECT_TRUE(PutApp(SamlApp("wiki")).ok());
  v1::EvaluateRequest wiki = At(Request());
  wiki.set_app_id("wiki");
  EXPECT_EQ(Evaluate(wiki).outcome(), v1::OUTCOME_ALLOWED);
  EXPECT_EQ(Evaluate(At(Request())).outcome(), v1::OUTCOME_DENIED);
  EXPECT_THAT(List()->sessions(0).app_ids(), ElementsAre("wiki"));
  // One that asked for a factor counts when that was shown.
  const v1::SignOnResult mail = Evaluate(At(Trusted()));
  EXPECT_EQ(mail.outcome(), v1::OUTCOME_FACTOR_REQUIRED);
  EXPECT_THAT(List()->sessions(0).app_ids(), ElementsAre("wiki"));
  DT_ASSERT_OK(Complete(mail.code()));
  EXPECT_THAT(List()->sessions(0).app_ids(), ElementsAre("mail", "wiki"));
}

}  // namespace
}  // namespace devicetrust::policy
