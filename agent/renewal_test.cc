#include "agent/renewal.h"

#include "agent/enrollment_fixture.h"

namespace devicetrust::agent {
namespace {

using std::chrono::days;
using std::chrono::hours;

class RenewalTest : public EnrollmentTest {
 protected:
  void SetUp() override {
    Enrollment enrollment = New();
    ASSERT_EQ(enrollment.Attempt().kind, Kind::kEnrolled);
    services_.calls.clear();
    services_.renewed.clear();
  }
  const pki::Certificate& certificate(std::size_t at = 0) const {
    return computer_.store.at(at).chain.front();
  }
  void ToMoment() { clock_.Set(RenewalMoment(certificate())); }
  Outcome RunOnce(EnrollmentOptions options = {}) {
    Enrollment enrollment = New(options);
    return RunToEnd(enrollment);
  }
  pki::Certificate Certificate(int serial, WallTime from, WallTime until) {
    return pki::SignCertificate({.common_name = "x",
                                 .serial_hex = fmt::format("{:02x}", serial),
                                 .not_before = from,
                                 .not_after = until},
                                services_.other_key.public_key(), services_.ca)
        .value();
  }
  // One certificate of ours, with its key, and no other key.
  void ExpectOneWithItsKey(const std::string& where) {
    ASSERT_EQ(computer_.store.size(), 1u) << where;
    EXPECT_EQ(computer_.keys, std::set<std::string>{computer_.store[0].key_id}) << where;
    EXPECT_FALSE(computer_.pending) << where;
  }
};

TEST_F(RenewalTest, NothingHappensBeforeTheMomentAndThenOneFollowsTheOther) {
  const std::string former = certificate().serial_hex();
  ToMoment();
  clock_.Advance(-std::chrono::seconds(1));
  EXPECT_EQ(RunOnce().kind, Kind::kNothingToDo);
  EXPECT_TRUE(services_.calls.empty());

  clock_.Advance(std::chrono::seconds(1));
  const Outcome outcome = RunOnce();
  EXPECT_EQ(outcome.kind, Kind::kEnrolled) << outcome.status;
  EXPECT_TRUE(outcome.renewed);
  EXPECT_NE(certificate().serial_hex(), former);
  EXPECT_EQ(services_.renewed.at(0).serial, former);
  EXPECT_FALSE(services_.renewed.at(0).forced);
  EXPECT_EQ(computer_.events.back().id, kEventRenewed);
  ExpectOneWithItsKey("renewed");
  EXPECT_EQ(RunOnce().kind, Kind::kNothingToDo);
}

TEST_F(RenewalTest, TheMomentIsInTheWindowThatTheCaHinted) {
  const WallTime end = clock_.Now() + days(365);
  services_.renewal = {end - days(5), end - days(4)};
  EXPECT_EQ(RunOnce({.force_renewal = true}).kind, Kind::kEnrolled);
  clock_.Set(end - days(5) - hours(1));
  EXPECT_EQ(RunOnce().kind, Kind::kNothingToDo);
  clock_.Set(end - days(4));
  EXPECT_EQ(RunOnce().kind, Kind::kEnrolled);
}

// A store that has lost it; or one in which somebody wrote nonsense.
TEST_F(RenewalTest, WithoutTheHintedMomentItIsTheOneOfTheCertificate) {
  for (const std::optional<WallTime> kept : {std::optional<WallTime>{}, {AtUnixSeconds(0)}}) {
    computer_.store[0].renew_at = kept;
    clock_.Set(RenewableFrom(certificate()) - hours(1));
    EXPECT_EQ(RunOnce().kind, Kind::kNothingToDo);
  }
  computer_.store[0].renew_at.reset();
  ToMoment();
  EXPECT_EQ(RunOnce().kind, Kind::kEnrolled);
}

TEST_F(RenewalTest, OneThatExpiredMeanwhileIsRenewedAsWell) {
  clock_.Set(certificate().not_after() + days(3));
  EXPECT_EQ(RunOnce().kind, Kind::kEnrolled);
  ExpectOneWithItsKey("expired");
}

TEST_F(RenewalTest, TheFormerOneStaysWhileTheNetworkOrTheCaIsAway) {
  ToMoment();
  computer_.place = NetworkPlace::kInternet;
  EXPECT_EQ(RunOnce().kind, Kind::kNotNow);
  computer_.place = NetworkPlace::kCorporate;
  services_.errors["enroll"] = {rpc::MakeError(absl::StatusCode::kPermissionDenied,
                                               reason::v1::REASON_CERTIFICATE_REVOKED, "revoked")};
  const Outcome refused = RunOnce();
  EXPECT_EQ(refused.kind, Kind::kRefused);
  EXPECT_NE(computer_.events.back().message.find("Renewal failed"), std::string::npos);
  EXPECT_NE(computer_.events.back().remedy.find("--forceRenewal"), std::string::npos);
  EXPECT_EQ(computer_.store.size(), 1u);
}

TEST_F(RenewalTest, ForcedItTakesThePlaceOfOneThatIsRevokedOrHasLostItsKey) {
  const std::string former = certificate().serial_hex();
  computer_.keys.clear();
  EXPECT_EQ(RunOnce().kind, Kind::kNothingToDo);
  EXPECT_EQ(computer_.events.back().level, EventLevel::kWarning);
  EXPECT_NE(computer_.events.back().remedy.find("--forceRenewal"), std::string::npos);

  EXPECT_EQ(RunOnce({.force_renewal = true}).kind, Kind::kEnrolled);
  EXPECT_EQ(services_.renewed.at(0).serial, former);
  EXPECT_TRUE(services_.renewed.at(0).forced);
  EXPECT_NE(certificate().serial_hex(), former);
  ExpectOneWithItsKey("lost key");
}

TEST_F(RenewalTest, ForcedWithoutAnyItEnrolls) {
  computer_.store.clear();  // Deleted by hand; the key is left.
  const Outcome outcome = RunOnce({.force_renewal = true});
  EXPECT_EQ(outcome.kind, Kind::kEnrolled);
  EXPECT_FALSE(outcome.renewed);
  ExpectOneWithItsKey("deleted");
}

TEST_F(RenewalTest, AnAgentBeforeItsTimeCannotForceIt) {
  const Outcome outcome = RunOnce({.force_renewal = true, .version = {1, 2, 2}});
  EXPECT_EQ(outcome.kind, Kind::kRefused);
  EXPECT_NE(computer_.events.back().remedy.find("1.3.1"), std::string::npos);
  EXPECT_TRUE(services_.calls.empty());
  EXPECT_EQ(RunOnce({.force_renewal = true, .version = {1, 3, 1}}).kind, Kind::kEnrolled);
}

// A locked or damaged store is not an empty one.
TEST_F(RenewalTest, AStoreThatCannotBeReadIsNotTakenForAnEmptyOne) {
  computer_.store_status = absl::UnavailableError("the store is busy");
  Enrollment enrollment = New({.attempts_max = 2});
  EXPECT_EQ(enrollment.Attempt().kind, Kind::kTryAgain);
  EXPECT_EQ(enrollment.Attempt().kind, Kind::kNotNow);
  computer_.store_status = absl::DataLossError("the store is damaged");
  EXPECT_EQ(RunOnce().kind, Kind::kRefused);
  EXPECT_EQ(RunOnce({.force_renewal = true}).kind, Kind::kRefused);
  EXPECT_TRUE(services_.calls.empty());
}

TEST_F(RenewalTest, AFormerOneThatCannotBeRemovedGoesAtTheNextRun) {
  ToMoment();
  computer_.remove_status = absl::UnavailableError("busy");
  EXPECT_EQ(RunOnce().kind, Kind::kEnrolled);
  EXPECT_EQ(computer_.store.size(), 2u);
  EXPECT_EQ(computer_.events.back().level, EventLevel::kWarning);
  computer_.remove_status = absl::OkStatus();
  EXPECT_EQ(RunOnce().kind, Kind::kNothingToDo);
  ExpectOneWithItsKey("second run");
}

struct PowerCut {
  std::string where;
};

// At every place where something was just made durable, or is about to be, the power goes once:
// the old or the new certificate is usable then, and the next run ends with the new one alone.
TEST_F(RenewalTest, APowerCutAtAnyStepLeavesTheOldOrTheNewOneUsable) {
  std::set<std::string> places;
  for (int cut_at = 1;; ++cut_at) {
    ToMoment();
    const std::string former = certificate().serial_hex();
    int reached = 0;
    const auto cut = [&](const std::string& where) {
      if (++reached == cut_at) throw PowerCut{where};
    };
    computer_.reached = cut;
    services_.reached = cut;
    std::string where;
    try {
      EXPECT_EQ(RunOnce().kind, Kind::kEnrolled);
    } catch (const PowerCut& power) {
      where = power.where;
    }
    computer_.reached = nullptr;
    services_.reached = nullptr;
    places.insert(where);
    EXPECT_TRUE(std::any_of(computer_.store.begin(), computer_.store.end(), [&](const auto& one) {
      return computer_.keys.contains(one.key_id);
    })) << where;

    const std::size_t issued = services_.issued.size();
    const Outcome next = RunOnce();
    EXPECT_TRUE(next.kind == Kind::kEnrolled || next.kind == Kind::kNothingToDo) << where;
    EXPECT_NE(certificate().serial_hex(), former) << where;
    ExpectOneWithItsKey(where);
    // What the CA had issued is what is installed.
    if (where == "enroll: issued") {
      EXPECT_EQ(services_.issued.size(), issued);
    }
    if (where.empty()) break;
  }
  const std::set<std::string> all = {"",
                                     "orphans",
                                     "create key",
                                     "create key: made",
                                     "key created",
                                     "enroll: issued",
                                     "install",
                                     "install: certificate written",
                                     "installed",
                                     "remove",
                                     "remove: certificate gone",
                                     "removed"};
  EXPECT_EQ(places, all);
}

TEST_F(RenewalTest, TheMomentsOfOneDayAreSpread) {
  const WallTime end = clock_.Now() + days(365);
  std::map<int, int> by_day;
  for (int i = 1; i <= 2000; ++i) {
    const pki::Certificate one = Certificate(i, clock_.Now(), end);
    const WallTime moment = RenewalMoment(one);
    EXPECT_EQ(moment, RenewalMoment(one));
    const auto before_end = std::chrono::duration_cast<hours>(end - moment);
    ASSERT_GE(before_end, days(10));
    ASSERT_LE(before_end, days(30));
    ++by_day[static_cast<int>(before_end / days(1))];
  }
  EXPECT_LE(by_day.size(), 21u);
  for (const auto& [day, count] : by_day) EXPECT_LT(count, 160) << day;
}

TEST_F(RenewalTest, AWindowThatMakesNoSenseIsNotKept) {
  const WallTime now = clock_.Now();
  const pki::Certificate year = Certificate(1, now, now + days(365));
  const WallTime end = year.not_after();
  const auto own = RenewalMoment(year);
  for (const RenewalWindow& window :
       {RenewalWindow{end, end - days(1)}, RenewalWindow{now, now + days(1)},
        RenewalWindow{end + days(1), end + days(2)}}) {
    EXPECT_EQ(RenewalMoment(year, window), own);
  }
  const auto early = RenewalMoment(year, RenewalWindow{now, end - days(29)});
  EXPECT_GE(early, end - days(30));
  EXPECT_LE(early, end - days(29));
  // A certificate of a week: in its last third.
  const pki::Certificate week = Certificate(2, now, now + days(7));
  EXPECT_GE(RenewalMoment(week), now + days(4));
  EXPECT_LT(RenewalMoment(week), now + days(7));
}

}  // namespace
}  // namespace devicetrust::agent
