#include "agent/enrollment_fixture.h"

namespace devicetrust::agent {
namespace {

const absl::Status kDown = absl::UnavailableError("connection refused");

TEST_F(EnrollmentTest, TheWholeWay) {
  std::vector<std::string> steps;
  Enrollment enrollment(computer_, services_, clock_, random_, {},
                        [&](Step step, std::chrono::nanoseconds, const std::string& detail) {
                          steps.push_back(std::string(StepName(step)));
                          EXPECT_FALSE(detail.empty());
                        });
  const Outcome outcome = enrollment.Attempt();
  EXPECT_EQ(outcome.kind, Kind::kEnrolled) << outcome.status;
  const std::vector<std::string> calls = {"discover", "device@iwa-1", "user@iwa-1", "enroll"};
  EXPECT_EQ(services_.calls, calls);
  const std::vector<std::string> names = {"discover",   "make key",    "device token",
                                          "user token", "certificate", "install"};
  EXPECT_EQ(steps, names);
  ASSERT_EQ(computer_.store.size(), 1u);
  ASSERT_EQ(computer_.store[0].chain.size(), 2u);
  EXPECT_EQ(computer_.store[0].chain[1].subject_der(), services_.ca.certificate.subject_der());
  EXPECT_EQ(computer_.store[0].key_id, "key-1");
  EXPECT_EQ(outcome.serial, computer_.store[0].chain[0].serial_hex());
  ASSERT_EQ(computer_.events.size(), 1u);
  EXPECT_EQ(computer_.events[0].id, 1000);
  EXPECT_FALSE(computer_.pending);
}

TEST_F(EnrollmentTest, NothingIsDoneWhileACertificateIsPresent) {
  Enrollment first = New();
  EXPECT_EQ(first.Attempt().kind, Kind::kEnrolled);
  services_.calls.clear();
  Enrollment second = New();
  EXPECT_EQ(second.Attempt().kind, Kind::kNothingToDo);
  EXPECT_TRUE(services_.calls.empty());
  EXPECT_EQ(computer_.events.back().id, kEventNothingToDo);
}

TEST_F(EnrollmentTest, CertificatesOfOthersDoNotCount) {
  const pki::Identity other = throwaway::NewCa("Some Other CA", clock_.Now());
  computer_.store.push_back(
      {{throwaway::NewIdentity("smartcard", pki::Usage::kClientAuth, other, clock_.Now())
            .certificate},
       "smartcard"});
  Enrollment enrollment = New();
  EXPECT_EQ(enrollment.Attempt().kind, Kind::kEnrolled);
}

TEST_F(EnrollmentTest, WithoutDomainUserOrNetworkItWaits) {
  const auto reason = [&] {
    Enrollment enrollment = New();
    const Outcome outcome = enrollment.Attempt();
    EXPECT_EQ(outcome.kind, Kind::kNotNow);
    EXPECT_EQ(computer_.events.back().id, kEventNotNow);
    EXPECT_FALSE(computer_.events.back().remedy.empty());
    return rpc::ReasonOf(outcome.status);
  };
  computer_.place = NetworkPlace::kInternet;
  EXPECT_EQ(reason(), reason::v1::REASON_DOMAIN_CONTROLLER_UNREACHABLE);
  computer_.user.reset();
  EXPECT_EQ(reason(), reason::v1::REASON_NOT_A_USER);
  computer_.domain_name.clear();
  EXPECT_EQ(reason(), reason::v1::REASON_NOT_DOMAIN_JOINED);
  EXPECT_TRUE(services_.calls.empty());
}

// The CA issued and recorded, then the connection broke.
TEST_F(EnrollmentTest, ALostAnswerEndsWithTheSameOneCertificate) {
  services_.errors["enroll"] = {absl::DeadlineExceededError("no answer"), kDown};
  Enrollment enrollment = New();
  int attempts = 0;
  EXPECT_EQ(RunToEnd(enrollment, &attempts).kind, Kind::kEnrolled);
  EXPECT_EQ(attempts, 3);
  EXPECT_EQ(services_.issued.size(), 1u);
  EXPECT_EQ(computer_.store.size(), 1u);
  EXPECT_EQ(services_.user_tokens[0], services_.user_tokens[1]);
  EXPECT_EQ(services_.user_tokens[0], services_.user_tokens[2]);
  EXPECT_EQ(std::count(services_.calls.begin(), services_.calls.end(), "device@iwa-1"), 1);
  EXPECT_EQ(computer_.events[0].id, kEventTryAgain);
  EXPECT_EQ(computer_.events.back().id, kEventEnrolled);
}

TEST_F(EnrollmentTest, ALostAnswerAndARestartEndWithTheSameOneCertificate) {
  services_.errors["enroll"] = {absl::DeadlineExceededError("no answer")};
  {
    Enrollment enrollment = New();
    EXPECT_EQ(enrollment.Attempt().kind, Kind::kTryAgain);
  }
  Enrollment next_run = New();
  EXPECT_EQ(next_run.Attempt().kind, Kind::kEnrolled);
  EXPECT_EQ(services_.issued.size(), 1u);
  EXPECT_NE(services_.user_tokens[0], services_.user_tokens[1]);
}

// A TPM that is busy, or was pulled out.
TEST_F(EnrollmentTest, AKeeperOfKeysThatDoesNotAnswerIsAskedAgain) {
  computer_.key_status = absl::UnavailableError("the TPM does not answer");
  Enrollment enrollment = New();
  const Outcome outcome = enrollment.Attempt();
  EXPECT_EQ(outcome.kind, Kind::kTryAgain);
  EXPECT_EQ(outcome.failed_step, Step::kMakeKey);
  computer_.key_status = absl::OkStatus();
  EXPECT_EQ(RunToEnd(enrollment).kind, Kind::kEnrolled);
}

TEST_F(EnrollmentTest, OldTokensAreReplacedTheKeyStays) {
  services_.errors["enroll"] = {kDown};
  Enrollment enrollment = New();
  EXPECT_EQ(enrollment.Attempt().kind, Kind::kTryAgain);
  clock_.Advance(std::chrono::seconds(290));
  EXPECT_EQ(enrollment.Attempt().kind, Kind::kEnrolled);
  EXPECT_NE(services_.user_tokens[0], services_.user_tokens[1]);
  EXPECT_EQ(services_.issued.size(), 1u);
}

TEST_F(EnrollmentTest, AnExpiredTokenIsReplacedWhateverOurClockSays) {
  services_.errors["enroll"] = {rpc::MakeError(absl::StatusCode::kUnauthenticated,
                                               reason::v1::REASON_TOKEN_EXPIRED, "too old")};
  Enrollment enrollment = New();
  EXPECT_EQ(RunToEnd(enrollment).kind, Kind::kEnrolled);
  EXPECT_EQ(services_.issued.size(), 1u);
}

TEST_F(EnrollmentTest, ASpentKeyIsGivenUp) {
  services_.errors["enroll"] = {rpc::MakeError(absl::StatusCode::kPermissionDenied,
                                               reason::v1::REASON_TOKEN_REPLAYED, "revoked")};
  Enrollment enrollment = New();
  EXPECT_EQ(RunToEnd(enrollment).kind, Kind::kEnrolled);
  EXPECT_EQ(services_.issued.size(), 2u);
  EXPECT_EQ(computer_.store.size(), 1u);
}

// The next run makes another key, unless the key was not what the CA minded.
TEST_F(EnrollmentTest, AKeyThatTheCaDoesNotTakeIsForgotten) {
  services_.refuse_before_issuing = true;
  for (const auto& [reason, forgotten] : {std::pair{reason::v1::REASON_KEY_NOT_ACCEPTED, true},
                                          {reason::v1::REASON_CSR_MALFORMED, false},
                                          {reason::v1::REASON_CSR_PROOF_INVALID, false}}) {
    services_.errors["enroll"] = {rpc::MakeError(absl::StatusCode::kInvalidArgument, reason,
                                                 "certificate request: no", {}, "Make another.")};
    Enrollment enrollment = New();
    EXPECT_EQ(enrollment.Attempt().kind, Kind::kRefused);
    EXPECT_EQ(!computer_.pending.has_value(), forgotten);
    EXPECT_EQ(computer_.events.back().remedy, "Make another.");
  }
}

TEST_F(EnrollmentTest, TheNextIwaIsAskedWhenOneIsDown) {
  services_.errors["device"] = {kDown};
  Enrollment enrollment = New();
  EXPECT_EQ(RunToEnd(enrollment).kind, Kind::kEnrolled);
  const std::vector<std::string> calls = {"discover", "device@iwa-1", "device@iwa-2", "user@iwa-2",
                                          "enroll"};
  EXPECT_EQ(services_.calls, calls);
}

TEST_F(EnrollmentTest, ARefusalIsFinalAndSaysWhatToDo) {
  services_.errors["device"] = {rpc::MakeError(absl::StatusCode::kPermissionDenied,
                                               reason::v1::REASON_COMPUTER_DISABLED,
                                               "the computer account is disabled", "PC1$")};
  Enrollment enrollment = New();
  const Outcome outcome = enrollment.Attempt();
  EXPECT_EQ(outcome.kind, Kind::kRefused);
  EXPECT_EQ(outcome.failed_step, Step::kDeviceToken);
  const Event& event = computer_.events.back();
  EXPECT_EQ(event.id, kEventRefused);
  EXPECT_EQ(event.reason, "COMPUTER_DISABLED");
  EXPECT_NE(event.remedy.find("Enable the computer"), std::string::npos);
}

TEST_F(EnrollmentTest, AReadOnlyOrgIsTriedAgainWhenItSays) {
  services_.errors["enroll"] = {rpc::MakeError(absl::StatusCode::kUnavailable,
                                               reason::v1::REASON_ORG_READ_ONLY, "read-only", {},
                                               {}, std::chrono::seconds(30))};
  services_.refuse_before_issuing = true;
  Enrollment enrollment = New();
  const Outcome outcome = enrollment.Attempt();
  EXPECT_EQ(outcome.kind, Kind::kTryAgain);
  EXPECT_GE(outcome.pause, std::chrono::seconds(30));
  EXPECT_EQ(computer_.events.back().reason, "ORG_READ_ONLY");
}

TEST_F(EnrollmentTest, ItGivesUpUntilTheNextRun) {
  for (int i = 0; i < 50; ++i) services_.errors["discover"].push_back(kDown);
  Enrollment enrollment = New({.attempts_max = 4});
  int attempts = 0;
  EXPECT_EQ(RunToEnd(enrollment, &attempts).kind, Kind::kNotNow);
  EXPECT_EQ(attempts, 4);
  EXPECT_EQ(computer_.events.back().reason, "DEPENDENCY_UNAVAILABLE");
}

TEST_F(EnrollmentTest, KerberosFailuresAreNamed) {
  const auto reason = [&](kerberos::Failure failure) {
    computer_.kerberos_status = kerberos::MakeFailure(failure, "said no");
    Enrollment enrollment = New({.attempts_max = 1});
    return rpc::ReasonName(enrollment.Attempt().status);
  };
  EXPECT_EQ(reason(kerberos::Failure::kClockSkew), "CLOCK_SKEW");
  EXPECT_EQ(reason(kerberos::Failure::kAccountRevoked), "COMPUTER_DISABLED");
  EXPECT_EQ(reason(kerberos::Failure::kUnknownAccount), "NOT_DOMAIN_JOINED");
  EXPECT_EQ(reason(kerberos::Failure::kUnreachable), "DOMAIN_CONTROLLER_UNREACHABLE");
}

TEST_F(EnrollmentTest, AnImpostorsTokenIsNotUsed) {
  services_.impostor = true;
  Enrollment enrollment = New();
  const Outcome outcome = enrollment.Attempt();
  EXPECT_EQ(outcome.kind, Kind::kRefused);
  EXPECT_TRUE(services_.user_tokens.empty());
}

TEST_F(EnrollmentTest, ACertificateForAnotherKeyIsNotInstalled) {
  services_.substitute = true;
  Enrollment enrollment = New();
  EXPECT_EQ(enrollment.Attempt().kind, Kind::kRefused);
  EXPECT_TRUE(computer_.store.empty());
}

TEST_F(EnrollmentTest, TheDeviceTaskBringsItsTokenWhereTheUserMayNotBeTheComputer) {
  std::string asked;
  computer_.device_task = [&](const std::string& iwa, const std::string& thumbprint) {
    asked = iwa + " " + thumbprint;
    return fmt::format("d.{}.0", thumbprint);
  };
  Enrollment enrollment = New();
  EXPECT_EQ(enrollment.Attempt().kind, Kind::kEnrolled);
  EXPECT_TRUE(asked.starts_with("iwa-1 "));
  const std::vector<std::string> calls = {"discover", "user@iwa-1", "enroll"};
  EXPECT_EQ(services_.calls, calls);
}

TEST_F(EnrollmentTest, ADeviceTaskThatRefusesIsHeard) {
  computer_.device_task = [&](const std::string&, const std::string&) {
    return rpc::MakeError(absl::StatusCode::kPermissionDenied, reason::v1::REASON_COMPUTER_DISABLED,
                          "disabled", "PC1$", "Enable it.");
  };
  Enrollment enrollment = New();
  EXPECT_EQ(enrollment.Attempt().kind, Kind::kRefused);
  EXPECT_EQ(computer_.events.back().reason, "COMPUTER_DISABLED");
  EXPECT_EQ(computer_.events.back().remedy, "Enable it.");
}

TEST_F(EnrollmentTest, ASecondUsersLogonIsRefusedWithAnEventOfItsOwn) {
  computer_.other = "bob@CORP.TEST";
  Enrollment enrollment = New();
  EXPECT_EQ(enrollment.Attempt().kind, Kind::kRefused);
  EXPECT_EQ(computer_.events.back().id, kEventSharedTerminal);
  EXPECT_NE(computer_.events.back().message.find("bob@CORP.TEST"), std::string::npos);
  EXPECT_TRUE(services_.calls.empty());
}

TEST_F(EnrollmentTest, NoIwaServesThisForest) {
  services_.iwas = {{"iwa-1", "iwa:1", "HTTP/iwa", {"elsewhere.test"}, true}};
  Enrollment enrollment = New();
  const Outcome outcome = enrollment.Attempt();
  EXPECT_EQ(outcome.kind, Kind::kRefused);
  EXPECT_EQ(rpc::ReasonOf(outcome.status), reason::v1::REASON_UNTRUSTED_FOREST);
}

TEST_F(EnrollmentTest, WithoutOrgUrlTheRemedyIsToInstallAgain) {
  computer_.org_url.reset();
  Enrollment enrollment = New();
  EXPECT_EQ(enrollment.Attempt().kind, Kind::kRefused);
  EXPECT_NE(computer_.events.back().remedy.find("Install"), std::string::npos);
}

TEST(SpreadBackoffTest, GrowsSpreadsAndStopsGrowing) {
  throwaway::SeededRandom random(1);
  SpreadBackoff backoff(std::chrono::milliseconds(100), std::chrono::milliseconds(400), random);
  const std::array<int, 5> limits = {100, 200, 400, 400, 400};
  for (const int limit : limits) {
    const auto pause = backoff.Next();
    EXPECT_GT(pause.count(), 0);
    EXPECT_LE(pause.count(), limit);
  }
  EXPECT_GT(backoff.Next(std::chrono::seconds(5)), std::chrono::seconds(5));
}

// Full jitter: of 1,000 that failed together as many come back in each tenth of the pause.
TEST(SpreadBackoffTest, AFleetComesBackEvenly) {
  std::array<int, 10> tenths{};
  throwaway::SeededRandom random(1);
  for (int i = 0; i < 1000; ++i) {
    SpreadBackoff backoff(std::chrono::milliseconds(1000), std::chrono::milliseconds(1000), random);
    ++tenths.at(static_cast<std::size_t>((backoff.Next().count() - 1) / 100));
  }
  for (const int count : tenths) {
    EXPECT_GT(count, 60);
    EXPECT_LT(count, 140);
  }
}

TEST(DiscoveryTest, IsReadStrictly) {
  const std::string good =
      R"({"org":"acme","iwas":[{"name":"iwa-1","address":"h:1","spn":"HTTP/x","domains":["a.b"],)"
      R"("primary":true,"later":[1]}],"ca_address":"h:2","ca_bundle":"PEM"})";
  const auto discovery = ParseDiscovery(good);
  DT_ASSERT_OK(discovery);
  EXPECT_EQ(discovery->iwas.at(0).domains, std::vector<std::string>{"a.b"});
  EXPECT_TRUE(discovery->iwas.at(0).primary);
  for (const std::string bad :
       {"", "[]", "{", "null", R"({"org":1})", R"({"org":"a","ca_address":"b","ca_bundle":"c"})",
        R"({"org":"a","ca_address":"b","ca_bundle":"c","iwas":[7]})",
        R"({"org":"a","ca_address":"b","ca_bundle":"c","iwas":[{"name":"n"}]})",
        R"({"org":"","ca_address":"b","ca_bundle":"c","iwas":[]})"}) {
    DT_EXPECT_CODE(ParseDiscovery(bad), kInvalidArgument) << bad;
  }
  DT_EXPECT_CODE(ParseDiscovery(std::string(200'000, '[')), kInvalidArgument);
  DT_EXPECT_CODE(ParseDiscovery(std::string(kDiscoveryBytesMax + 1, ' ')), kInvalidArgument);
}

}  // namespace
}  // namespace devicetrust::agent
