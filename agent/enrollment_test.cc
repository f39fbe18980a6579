#include "agent/enrollment.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>

#include "libs/base/encoding.h"
#include "libs/kerberos/failure.h"
#include "libs/pki/csr.h"
#include "libs/rpc/error.h"
#include "libs/testing/settable_clock.h"
#include "libs/testing/status.h"
#include "libs/throwaway/seeded_random.h"
#include "libs/throwaway/throwaway_pki.h"

namespace devicetrust::agent {
namespace {

using Kind = Outcome::Kind;

// Its token names account, service and bindings; the right reply is "reply to" that.
class FakeNegotiation final : public Negotiation {
 public:
  explicit FakeNegotiation(std::string token) : token_(token.begin(), token.end()) {}
  const Bytes& token() const override { return token_; }
  absl::Status Finish(std::span<const std::uint8_t> reply) override {
    return ToString(reply) == "reply to " + ToString(token_) ? absl::OkStatus()
                                                             : absl::UnauthenticatedError("no");
  }
  std::string Describe() const override { return "fake tickets"; }

 private:
  Bytes token_;
};

class FakeComputer final : public Computer {
 public:
  std::string name() const override { return "PC1"; }
  std::string domain() const override { return domain_name; }
  NetworkPlace network_place() const override { return place; }
  std::optional<std::string> logged_on_user() const override { return user; }
  std::optional<std::string> RegistryValue(std::string_view value) const override {
    return value == kOrgUrlValue ? org_url : std::nullopt;
  }
  std::vector<pki::Certificate> PersonalCertificates() const override {
    std::vector<pki::Certificate> certificates;
    for (const Installed& installed : store) certificates.push_back(installed.chain.front());
    return certificates;
  }
  absl::Status InstallPersonal(const std::vector<pki::Certificate>& chain,
                               const DeviceKey& key) override {
    store.push_back({chain, key.id});
    pending.reset();
    return absl::OkStatus();
  }
  absl::StatusOr<DeviceKey> CreateKey() override {
    DT_RETURN_IF_ERROR(key_status);
    pending = DeviceKey{fmt::format("key-{}", ++keys_made), pki::PrivateKey::Generate().value()};
    return *pending;
  }
  std::optional<DeviceKey> OpenPendingKey() const override { return pending; }
  void DeletePendingKey() override { pending.reset(); }
  absl::StatusOr<std::unique_ptr<Negotiation>> Negotiate(
      Account account, std::string_view service, const kerberos::Bindings& bindings) override {
    if (!kerberos_status.ok()) return kerberos_status;
    return std::make_unique<FakeNegotiation>(fmt::format(
        "{}|{}|{}", account == Account::kComputer ? "PC1$" : "ada", service, HexEncode(bindings)));
  }
  void WriteEvent(const Event& event) override { events.push_back(event); }

  std::string domain_name = "corp.test";
  NetworkPlace place = NetworkPlace::kCorporate;
  std::optional<std::string> user = "ada@CORP.TEST";
  std::optional<std::string> org_url = "https://acme.test";
  struct Installed {
    std::vector<pki::Certificate> chain;
    std::string key_id;
  };
  std::vector<Installed> store;
  std::optional<DeviceKey> pending;
  int keys_made = 0;
  absl::Status key_status;  // Of CreateKey().
  absl::Status kerberos_status;
  std::vector<Event> events;
};

// Certifies like the CA: a key once. Errors queued by a test come first.
class FakeServices final : public Services {
 public:
  absl::StatusOr<std::shared_ptr<const Discovery>> Discover(const std::string&) override {
    calls.push_back("discover");
    if (auto error = Next("discover")) return *error;
    return std::make_shared<const Discovery>(Discovery{"acme", iwas, "ca:1", "bundle"});
  }
  absl::StatusOr<TokenAnswer> IssueDeviceToken(const Discovery&, const IwaEntry& iwa,
                                               const Bytes& spnego,
                                               const std::string& thumbprint) override {
    calls.push_back("device@" + iwa.name);
    if (auto error = Next("device")) return *error;
    EXPECT_EQ(
        ToString(spnego),
        fmt::format("PC1$|{}|{}", iwa.spn,
                    HexEncode(token::BindingsOf({"IssueDeviceToken", iwa.name, thumbprint, {}}))));
    return Answer(spnego, fmt::format("d.{}.{}", thumbprint, ++tokens));
  }
  absl::StatusOr<TokenAnswer> IssueUserToken(const Discovery&, const IwaEntry& iwa,
                                             const Bytes& spnego, const std::string& thumbprint,
                                             const std::string& device_token) override {
    calls.push_back("user@" + iwa.name);
    if (auto error = Next("user")) return *error;
    EXPECT_EQ(
        ToString(spnego),
        fmt::format(
            "ada|{}|{}", iwa.spn,
            HexEncode(token::BindingsOf({"IssueUserToken", iwa.name, thumbprint, device_token}))));
    return Answer(spnego, fmt::format("u.{}.{}", thumbprint, ++tokens));
  }
  absl::StatusOr<CertificateAnswer> Enroll(const Discovery&, const std::string& user_token,
                                           const Bytes& csr_der) override {
    calls.push_back("enroll");
    user_tokens.push_back(user_token);
    const auto csr = pki::ParseCsr(csr_der);
    EXPECT_TRUE(csr.ok());
    if (!issued.contains(csr->public_key.Thumbprint()) && !refuse_before_issuing) {
      issued.emplace(
          csr->public_key.Thumbprint(),
          pki::SignCertificate({.common_name = "x",
                                .serial_hex = fmt::format("{:02x}", ++serial),
                                .not_before = SystemClock().Now(),
                                .not_after = SystemClock().Now() + std::chrono::hours(24)},
                               substitute ? other_key.public_key() : csr->public_key, ca)
              .value());
    }
    if (auto error = Next("enroll")) return *error;
    return CertificateAnswer{issued.at(csr->public_key.Thumbprint()).der(), {ca.certificate}};
  }

  TokenAnswer Answer(const Bytes& spnego, std::string token) {
    const std::string reply = (impostor ? "forged " : "reply to ") + ToString(spnego);
    return {std::move(token), Bytes(reply.begin(), reply.end())};
  }
  std::optional<absl::Status> Next(const std::string& call) {
    auto& queue = errors[call];
    if (queue.empty()) return std::nullopt;
    const absl::Status error = queue.front();
    queue.pop_front();
    if (error.ok()) return std::nullopt;
    return error;
  }

  std::vector<IwaEntry> iwas = {{"iwa-1", "iwa:1", "HTTP/iwa.corp.test", {"corp.test"}, true},
                                {"iwa-2", "iwa:2", "HTTP/iwa2.corp.test", {}, false}};
  const pki::Identity ca = throwaway::NewCa(std::string(kIssuerCommonName), SystemClock().Now());
  const pki::PrivateKey other_key = pki::PrivateKey::Generate().value();
  bool impostor = false;
  bool substitute = false;
  bool refuse_before_issuing = false;
  int tokens = 0;
  int serial = 0;
  std::map<std::string, std::deque<absl::Status>> errors;
  std::vector<std::string> calls;
  std::vector<std::string> user_tokens;
  std::map<std::string, pki::Certificate> issued;
};

class EnrollmentTest : public ::testing::Test {
 protected:
  Enrollment New(EnrollmentOptions options = {}) {
    return Enrollment(computer_, services_, clock_, random_, options);
  }
  // Attempts until it need not come back; how often.
  Outcome RunToEnd(Enrollment& enrollment, int* attempts = nullptr) {
    for (int i = 1;; ++i) {
      Outcome outcome = enrollment.Attempt();
      if (attempts != nullptr) *attempts = i;
      if (outcome.kind != Kind::kTryAgain) return outcome;
      EXPECT_GT(outcome.pause.count(), 0);
      clock_.Advance(outcome.pause);
    }
  }

  FakeComputer computer_;
  FakeServices services_;
  testing::SettableClock clock_{SystemClock().Now()};
  throwaway::SeededRandom random_{1};
};

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
    EXPECT_GE(pause.count(), limit / 2);
    EXPECT_LE(pause.count(), limit);
  }
  EXPECT_GE(backoff.Next(std::chrono::seconds(5)), std::chrono::seconds(5));
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
