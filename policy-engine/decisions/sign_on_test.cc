#include "policy-engine/decisions/sign_on.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "libs/testing/fake_directory.h"
#include "policy-engine/decisions/decision_store.h"
#include "policy-engine/decisions/sign_on_fixture.h"
#include "policy-engine/sessions/session_limits.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using std::chrono::minutes;
using std::chrono::seconds;

class SignOnTest : public SignOnFixture {};

TEST_F(SignOnTest, ATrustedComputerIsAllowedWithItsFactor) {
  const v1::SignOnResult response = Evaluate(Trusted());
  EXPECT_EQ(response.outcome(), v1::OUTCOME_FACTOR_REQUIRED);
  EXPECT_EQ(response.rule_name(), "Windows, trusted");
  EXPECT_EQ(response.rule_index(), 2);
  EXPECT_EQ(response.trust(), v1::TRUST_STATE_TRUSTED);
  EXPECT_EQ(response.certificate_serial(), "0a1b");
  EXPECT_EQ(response.user().principal(), "ada@corp.test");
  EXPECT_FALSE(response.show_security_message());

  clock_.Advance(seconds(20));
  ASSERT_TRUE(Complete(response.code()).ok());
  EXPECT_EQ(completed_.result().outcome(), v1::OUTCOME_ALLOWED);
  EXPECT_EQ(completed_.result().code(), response.code());
  EXPECT_EQ(completed_.result().certificate_serial(), "0a1b");
  EXPECT_EQ(completed_.factor_at().seconds(), UnixSeconds(clock_.Now()));

  // The next app in this session asks for no factor again.
  v1::EvaluateRequest next = Trusted();
  *next.mutable_session()->mutable_factor_at() = completed_.factor_at();
  EXPECT_EQ(Evaluate(next).outcome(), v1::OUTCOME_ALLOWED);
}

TEST_F(SignOnTest, LegacyMailNeedsNoDevice) {
  v1::EvaluateRequest request = Request("Apple-iPhone/1.0");
  request.set_client_kind(v1::CLIENT_KIND_EXCHANGE_ACTIVESYNC_OR_LEGACY);
  EXPECT_EQ(Evaluate(request).rule_index(), 1);
  EXPECT_EQ(Evaluate(request).outcome(), v1::OUTCOME_ALLOWED);
}

TEST_F(SignOnTest, UntrustedWindowsIsDeniedWithItsReason) {
  ExpectUntrusted(Evaluate(Request()), reason::v1::REASON_CHALLENGE_NOT_DONE);
  ExpectUntrusted(Evaluate(Refused(reason::v1::REASON_CERTIFICATE_NOT_PRESENTED, "")),
                  reason::v1::REASON_CERTIFICATE_NOT_PRESENTED);
  ExpectUntrusted(Evaluate(Refused(reason::v1::REASON_CERTIFICATE_REVOKED, "0a1b")),
                  reason::v1::REASON_CERTIFICATE_REVOKED);
  ExpectUntrusted(Evaluate(Refused(reason::v1::REASON_REVOCATION_DATA_STALE, "0a1b")),
                  reason::v1::REASON_REVOCATION_DATA_STALE);
}

TEST_F(SignOnTest, AGatewayMayWithdrawWhatAProofSays) {
  for (const auto reason :
       {reason::v1::REASON_CERTIFICATE_REVOKED, reason::v1::REASON_REVOCATION_DATA_STALE}) {
    v1::EvaluateRequest request = Trusted();
    request.set_trust_override_reason(reason);
    ExpectUntrusted(Evaluate(request), reason);
  }
  // The log finds such a computer by its id.
  const auto events = EventsOf("user.authentication.authenticate");
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].debug_data().at("device_id"), "device-1");
}

TEST_F(SignOnTest, AMacIsAllowedWithAFactorAndAnUnknownSystemIsNot) {
  v1::EvaluateRequest mac = Request(kMacAgent);
  EXPECT_EQ(Evaluate(mac).rule_index(), 3);
  for (const char* unknown : {"", "curl/8.0", "\x01\xff"}) {
    EXPECT_EQ(Evaluate(Request(unknown)).outcome(), v1::OUTCOME_DENIED);
  }
}

TEST_F(SignOnTest, TheDirectorysSystemOutranksTheUserAgent) {
  v1::EvaluateRequest request = Request(kMacAgent);
  request.set_proof(Signed(NewProof()));
  const v1::SignOnResult response = Evaluate(request);
  EXPECT_EQ(response.rule_index(), 2);
  EXPECT_EQ(Explain(response.code()).verified_platform(), v1::PLATFORM_KIND_WINDOWS);
  EXPECT_EQ(Explain(response.code()).claimed_platform(), v1::PLATFORM_KIND_MACOS);
}

TEST_F(SignOnTest, AProofIsGoodOnce) {
  const v1::EvaluateRequest request = Trusted();
  EXPECT_EQ(Evaluate(request).trust(), v1::TRUST_STATE_TRUSTED);
  ExpectUntrusted(Evaluate(request), reason::v1::REASON_PROOF_REPLAYED);
  clock_.Advance(seconds(29));
  ExpectUntrusted(Evaluate(request), reason::v1::REASON_PROOF_REPLAYED);
  // Also after clean-up.
  DT_ASSERT_OK(
      database_->Write([this](db::Transaction& txn) { return PruneDecisions(txn, clock_.Now()); }));
  ExpectUntrusted(Evaluate(request), reason::v1::REASON_PROOF_REPLAYED);
  clock_.Advance(seconds(1));  // No clock skew is allowed at its end.
  ExpectUntrusted(Evaluate(request), reason::v1::REASON_PROOF_INVALID);
}

TEST_F(SignOnTest, AProofOfAnotherTransactionSessionOrKeyProvesNothing) {
  v1::EvaluateRequest request = Trusted();
  request.set_transaction_hash(Hash("transaction-2"));
  ExpectUntrusted(Evaluate(request), reason::v1::REASON_PROOF_INVALID);
  request.clear_transaction_hash();
  ExpectUntrusted(Evaluate(request), reason::v1::REASON_PROOF_INVALID);
  request = Trusted();
  request.set_session_hash(Hash("session-2"));
  ExpectUntrusted(Evaluate(request), reason::v1::REASON_PROOF_INVALID);
  request.set_proof("a.b.c");
  ExpectUntrusted(Evaluate(request), reason::v1::REASON_PROOF_INVALID);
  const auto foreign = pki::PrivateKey::Generate().value();
  request = Request();
  request.set_proof(token::Sign(NewProof(), {ProofKey().kid, foreign}).value());
  ExpectUntrusted(Evaluate(request), reason::v1::REASON_PROOF_INVALID);
  // None of these spent anything: a refused proof leaves a good one good.
  EXPECT_EQ(Evaluate(Trusted()).trust(), v1::TRUST_STATE_TRUSTED);
}

TEST_F(SignOnTest, ACertificateCountsForItsOwnUserOnly) {
  AddEnrollment("enrollment-2", AddUser("bob"), Platform::kWindows);
  token::Proof proof = NewProof();
  proof.enrollment_id = "enrollment-2";
  v1::EvaluateRequest request = Request();
  request.set_proof(Signed(proof));
  ExpectUntrusted(Evaluate(request), reason::v1::REASON_CERTIFICATE_OF_ANOTHER_USER);
  proof = NewProof();
  proof.enrollment_id = "enrollment-9";
  request.set_proof(Signed(proof));
  ExpectUntrusted(Evaluate(request), reason::v1::REASON_CERTIFICATE_UNKNOWN);
  proof = NewProof();
  proof.device_id = "device-9";
  request.set_proof(Signed(proof));
  ExpectUntrusted(Evaluate(request), reason::v1::REASON_CERTIFICATE_UNKNOWN);
}

// ORG-2: neither message nor link, and no rule that names trust matches.
TEST_F(SignOnTest, WithDeviceTrustOffTheRefusalIsBare) {
  v1::SetDeviceTrustRequest learn_more;
  learn_more.set_enabled(true);
  learn_more.set_learn_more_url("https://help.example.com/");
  DT_ASSERT_OK(SetDeviceTrust(learn_more));
  EXPECT_EQ(Evaluate(Request()).learn_more_url(), "https://help.example.com/");

  ASSERT_TRUE(SetDeviceTrust(false, /*force=*/true).ok());
  for (const v1::EvaluateRequest& request : {Request(), Trusted()}) {
    const v1::SignOnResult response = Evaluate(request);
    EXPECT_EQ(response.outcome(), v1::OUTCOME_DENIED);
    EXPECT_EQ(response.trust(), v1::TRUST_STATE_UNSPECIFIED);
    EXPECT_EQ(response.reason(), reason::v1::REASON_DENIED_BY_RULE);
    EXPECT_FALSE(response.show_security_message());
    EXPECT_EQ(response.learn_more_url(), "");
  }
  EXPECT_EQ(Evaluate(Request(kMacAgent)).outcome(), v1::OUTCOME_FACTOR_REQUIRED);
}

TEST_F(SignOnTest, AnAppWithoutATrustRuleBlamesNoDevice) {
  ASSERT_TRUE(SetRules("mail", {FiveRules()[3]}).ok());
  const v1::SignOnResult response = Evaluate(Request());
  EXPECT_EQ(response.outcome(), v1::OUTCOME_DENIED);
  EXPECT_EQ(response.trust(), v1::TRUST_STATE_UNSPECIFIED);
  EXPECT_EQ(response.reason(), reason::v1::REASON_DENIED_BY_RULE);
  EXPECT_FALSE(response.show_security_message());
}

TEST_F(SignOnTest, SignInsGoOnInReadOnlyModeAndWithoutTheCapability) {
  v1::SetReadOnlyRequest read_only;
  read_only.set_read_only(true);
  DT_ASSERT_OK(settings_->SetReadOnly(admin_, read_only));
  EXPECT_EQ(Evaluate(Trusted()).outcome(), v1::OUTCOME_FACTOR_REQUIRED);

  v1::SetCapabilityRequest off;
  DT_ASSERT_OK(settings_->SetCapability(admin_, off));
  EXPECT_EQ(Evaluate(Trusted()).trust(), v1::TRUST_STATE_UNSPECIFIED);
  EXPECT_EQ(Evaluate(Request(kMacAgent)).outcome(), v1::OUTCOME_FACTOR_REQUIRED);
}

TEST_F(SignOnTest, ASessionEndsByAgeBySignOutAndWithItsUser) {
  v1::EvaluateRequest request = Request();
  *request.mutable_session()->mutable_authenticated_at() =
      rpc::ToTimestamp(clock_.Now() - kSessionLifetime);
  EXPECT_EQ(Refusal(request), reason::v1::REASON_SESSION_EXPIRED);
  *request.mutable_session()->mutable_authenticated_at() =
      rpc::ToTimestamp(clock_.Now() + minutes(1));
  EXPECT_EQ(Refusal(request), reason::v1::REASON_SESSION_EXPIRED);

  DT_ASSERT_OK(sessions_->EndSession("session-1", clock_.Now()));
  EXPECT_EQ(Refusal(Request()), reason::v1::REASON_SESSION_ENDED);
  request = Request();
  request.mutable_session()->set_session_id("session-2");
  EXPECT_EQ(Evaluate(request).outcome(), v1::OUTCOME_DENIED);

  DT_ASSERT_OK(database_->Write(
      [](db::Transaction& txn) { return txn.Run("UPDATE users SET status = 2").status(); }));
  EXPECT_EQ(Refusal(request), reason::v1::REASON_SESSION_ENDED);
}

// Whom Active Directory has disabled meanwhile opens no further app.
TEST_F(SignOnTest, ASessionEndsWhenItsAccountIsNoLongerGood) {
  testing::FakeDirectory* directory = nullptr;
  std::vector<directory::Domain> domains;
  domains.push_back(testing::NewFakeDomain("corp.test", "CORP", "S-1-5-21-1-2-3", &directory));
  Watch(std::move(domains));
  const std::string sid = "S-1-5-21-1-2-3-1105";
  DT_ASSERT_OK(database_->Write(
      [&](db::Transaction& txn) { return txn.Run("UPDATE users SET sid = $1", {sid}).status(); }));
  directory->users[sid].enabled = true;
  EXPECT_EQ(Evaluate(Request()).outcome(), v1::OUTCOME_DENIED);
  directory->users[sid].enabled = false;
  EXPECT_EQ(Evaluate(Request()).outcome(), v1::OUTCOME_DENIED);  // Seen a moment ago.
  clock_.Advance(minutes(15));
  const v1::EvaluateRequest request = Request();
  EXPECT_EQ(ReasonOf(sign_on_->Preview(request).status()), reason::v1::REASON_USER_DISABLED);
  EXPECT_EQ(EventsOf("user.session.end").size(), 0u);
  EXPECT_EQ(Refusal(request), reason::v1::REASON_USER_DISABLED);
  EXPECT_EQ(Refusal(request), reason::v1::REASON_USER_DISABLED);
  const auto events = EventsOf("user.session.end");
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].outcome().reason(), "USER_DISABLED");
  directory->users[sid].enabled = true;
  EXPECT_EQ(Refusal(request), reason::v1::REASON_SESSION_ENDED);  // For good.
}

TEST_F(SignOnTest, RefusesUnknownAppsAndUsersAndMalformedRequests) {
  v1::EvaluateRequest request = Request();
  request.set_app_id("none");
  EXPECT_EQ(Refusal(request), reason::v1::REASON_APP_UNKNOWN);
  request = Request();
  request.mutable_session()->set_user_id("nobody");
  EXPECT_EQ(Refusal(request), reason::v1::REASON_USER_UNKNOWN);
  request.mutable_session()->clear_user_id();
  EXPECT_EQ(Refusal(request), reason::v1::REASON_MALFORMED_REQUEST);
}

// What LOG-1 asks for, and what a run compares with what its devices saw.
TEST_F(SignOnTest, TheLogTellsOfDevicesAndDecisions) {
  Evaluate(Trusted());
  Evaluate(Refused(reason::v1::REASON_CERTIFICATE_REVOKED, "0a1b"));
  Evaluate(Refused(reason::v1::REASON_CERTIFICATE_NOT_PRESENTED, ""));
  const auto devices = EventsOf("user.authentication.authenticate");
  ASSERT_EQ(devices.size(), 2u);  // Nobody shows nothing.
  EXPECT_EQ(devices[0].outcome().result(), v1::EventOutcome::RESULT_SUCCESS);
  EXPECT_EQ(devices[0].debug_data().at("device_id"), "device-1");
  EXPECT_EQ(devices[0].actor().display_name(), "ada@corp.test");
  EXPECT_EQ(devices[1].outcome().result(), v1::EventOutcome::RESULT_FAILURE);
  EXPECT_EQ(devices[1].outcome().reason(), "CERTIFICATE_REVOKED");
  const auto decisions = EventsOf("policy.evaluate_sign_on");
  ASSERT_EQ(decisions.size(), 3u);
  EXPECT_EQ(decisions[0].outcome().result(), v1::EventOutcome::RESULT_CHALLENGE);
  EXPECT_EQ(decisions[1].outcome().result(), v1::EventOutcome::RESULT_DENY);
  EXPECT_EQ(decisions[1].client().address(), "203.0.113.5");
}

// What dashboard, what-if and reports rest on.
TEST_F(SignOnTest, APreviewLeavesNoTrace) {
  const auto rows = [this](const std::string& table) {
    return database_
        ->Read([&](db::Transaction& txn) { return txn.Run("SELECT COUNT(*) FROM " + table); })
        .value();
  };
  const v1::EvaluateRequest request = Trusted();
  const std::size_t events = EventsOf("").size();
  for (int i = 0; i < 2; ++i) {
    const auto preview = sign_on_->Preview(request);
    DT_ASSERT_OK(preview);
    EXPECT_EQ(preview->outcome(), v1::OUTCOME_FACTOR_REQUIRED);
    EXPECT_EQ(preview->trust(), v1::TRUST_STATE_TRUSTED);
    EXPECT_EQ(preview->rule_name(), "Windows, trusted");
    EXPECT_EQ(preview->code(), "");
  }
  EXPECT_EQ(db::Int(rows("decisions")[0][0]), 0);
  EXPECT_EQ(db::Int(rows("used_proofs")[0][0]), 0);
  EXPECT_EQ(EventsOf("").size(), events);
  // The proof is still good, and what was previewed comes true.
  EXPECT_EQ(Evaluate(request).trust(), v1::TRUST_STATE_TRUSTED);
  const auto spent = sign_on_->Preview(request);
  DT_ASSERT_OK(spent);
  EXPECT_EQ(spent->reason(), reason::v1::REASON_PROOF_REPLAYED);
}

TEST_F(SignOnTest, APreviewRefusesWhatAnEvaluationWould) {
  v1::EvaluateRequest request = Request();
  request.set_app_id("none");
  EXPECT_EQ(ReasonOf(sign_on_->Preview(request).status()), reason::v1::REASON_APP_UNKNOWN);
  DT_ASSERT_OK(sessions_->EndSession("session-1", clock_.Now()));
  EXPECT_EQ(ReasonOf(sign_on_->Preview(Request()).status()), reason::v1::REASON_SESSION_ENDED);
}

// Two gateways that both hold the proof: one of them is believed.
TEST_F(SignOnTest, OfManyAtOnceOneSpendsTheProof) {
  const v1::EvaluateRequest request = Trusted();
  std::atomic<int> trusted = 0;
  std::vector<std::thread> gateways;
  for (int i = 0; i < 8; ++i) {
    gateways.emplace_back([&] {
      const auto response = sign_on_->Evaluate(request);
      if (response.ok() && response->result().trust() == v1::TRUST_STATE_TRUSTED) ++trusted;
    });
  }
  for (std::thread& gateway : gateways) gateway.join();
  EXPECT_EQ(trusted, 1);
}

// Whatever a gateway passes on of a browser: some rule decides, and nothing gains trust.
TEST_F(SignOnTest, GarbageIsDecidedAndNeverTrusted) {
  std::mt19937_64 random(4);
  const auto garbage = [&random](std::size_t length_max) {
    std::string text(random() % length_max, '\0');
    for (char& c : text) c = static_cast<char>(random());
    return text;
  };
  for (int i = 0; i < 300; ++i) {
    v1::EvaluateRequest request = Request();
    request.mutable_client()->set_address(garbage(40));
    request.mutable_client()->set_user_agent(garbage(700));
    request.set_client_kind(static_cast<v1::ClientKind>(static_cast<int>(random() % 9)));
    if (i % 3 == 0) request.set_proof(garbage(300));
    const auto decided = sign_on_->Evaluate(request);
    DT_ASSERT_OK(decided);
    ASSERT_NE(decided->result().trust(), v1::TRUST_STATE_TRUSTED);
    ASSERT_NE(decided->result().outcome(), v1::OUTCOME_UNSPECIFIED);
    ASSERT_GE(decided->result().rule_index(), 1);
  }
}

// Attack 18 of the findings. Rules that would deny, ask for a factor and ask for a device leave
// what a gateway gets as it was, to the octet but for the code and the rule's place; they ask for
// no challenge; and the decision and the System Log say what they would have done.
TEST_F(SignOnTest, ReportOnlyRulesAreToldAndHaveNoEffect) {
  const auto without_code = [](v1::SignOnResult result) {
    result.clear_code();
    result.clear_rule_index();
    return result.SerializeAsString();
  };
  const v1::Rule plain = MakeRule("Everybody", {}, {}, v1::TRUST_CONDITION_ANY, true, false);
  const auto report_only = [](v1::Rule rule) {
    rule.set_active(false);
    rule.set_report_only(true);
    return rule;
  };
  ASSERT_TRUE(SetRules("mail", {plain}).ok());
  const std::string before = without_code(Evaluate(Request()));
  const std::string before_trusted = without_code(Evaluate(Trusted()));

  ASSERT_TRUE(
      SetRules(
          "mail",
          {report_only(MakeRule("Trusted Windows", {v1::CLIENT_KIND_WEB_BROWSER},
                                {v1::PLATFORM_KIND_WINDOWS}, v1::TRUST_CONDITION_TRUSTED, true,
                                true)),
           report_only(MakeRule("Factor", {}, {}, v1::TRUST_CONDITION_ANY, true, true)),
           report_only(MakeRule("No Windows", {}, {v1::PLATFORM_KIND_WINDOWS},
                                v1::TRUST_CONDITION_ANY, false, false)),
           report_only(MakeRule("No Mac", {}, {v1::PLATFORM_KIND_MACOS}, v1::TRUST_CONDITION_ANY,
                                false, false)),
           plain, report_only(MakeRule("Too late", {}, {}, v1::TRUST_CONDITION_ANY, false, false))})
          .ok());
  EXPECT_FALSE(apps_->ListApps({}).apps(0).needs_device_challenge());
  const v1::SignOnResult after = Evaluate(Request());
  EXPECT_EQ(without_code(after), before);
  EXPECT_EQ(without_code(Evaluate(Trusted())), before_trusted);

  const v1::Decision decision = Explain(after.code());
  ASSERT_EQ(decision.reported_size(), 2);
  EXPECT_EQ(decision.reported(0).name(), "Factor");
  EXPECT_EQ(decision.reported(0).index(), 2);
  EXPECT_EQ(decision.reported(0).outcome(), v1::OUTCOME_FACTOR_REQUIRED);
  EXPECT_EQ(decision.reported(1).name(), "No Windows");
  EXPECT_EQ(decision.reported(1).outcome(), v1::OUTCOME_DENIED);
  EXPECT_TRUE(decision.rules(2).report_only() && decision.rules(2).holds());
  EXPECT_FALSE(decision.rules(2).matched());
  const auto events = EventsOf("policy.evaluate_sign_on");
  EXPECT_EQ(events[2].debug_data().at("report_only"),
            "rule 2 'Factor': FACTOR_REQUIRED; rule 3 'No Windows': DENIED");
  EXPECT_FALSE(events[0].debug_data().contains("report_only"));
}

TEST_F(SignOnTest, ARuleIsNotActiveAndReportOnlyAtOnce) {
  v1::Rule both = MakeRule("Both", {}, {}, v1::TRUST_CONDITION_ANY, true, false);
  both.set_report_only(true);
  EXPECT_EQ(ReasonOf(SetRules("mail", {both})), reason::v1::REASON_RULE_INVALID);
}

}  // namespace
}  // namespace devicetrust::policy
