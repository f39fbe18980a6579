#pragma once

#include <string>

#include "libs/rpc/timestamps.h"
#include "libs/testing/status.h"
#include "policy-engine/org_fixture.h"

namespace devicetrust::policy {

// An org with one app, five rules, one user and one enrolled computer, and a gateway's requests
// about it.
class SignOnFixture : public OrgFixture {
 protected:
  SignOnFixture() {
    EXPECT_TRUE(PutApp(SamlApp("mail")).ok());
    EXPECT_TRUE(SetRules("mail", FiveRules()).ok());
    EXPECT_TRUE(SetDeviceTrust(true).ok());
    user_id_ = AddUser("ada", {"Staff"});
    AddEnrollment("enrollment-1", user_id_, Platform::kWindows);
  }

  void AddEnrollment(const std::string& id, const std::string& user_id, Platform platform) {
    DT_ASSERT_OK(database_->Write([&](db::Transaction& txn) {
      return txn
          .Run(
              "INSERT INTO enrollments (enrollment_id, user_id, device_id, computer_sid, platform,"
              " iwa_name, authorized_at) VALUES ($1, $2, 'device-1', 'S-1', $3, 'iwa-1', 0)",
              {id, user_id, static_cast<std::int64_t>(platform)})
          .status();
    }));
  }

  static std::string Hash(std::string_view text) {
    const pki::Sha256Digest digest = pki::Sha256(text);
    return {digest.begin(), digest.end()};
  }

  org::v1::EvaluateRequest Request(const char* user_agent = kWindowsAgent) {
    org::v1::EvaluateRequest request;
    request.set_app_id("mail");
    request.mutable_session()->set_session_id("session-1");
    request.mutable_session()->set_user_id(user_id_);
    *request.mutable_session()->mutable_authenticated_at() = rpc::ToTimestamp(clock_.Now());
    request.mutable_client()->set_address("203.0.113.5");
    request.mutable_client()->set_user_agent(user_agent);
    request.set_client_kind(org::v1::CLIENT_KIND_WEB_BROWSER);
    request.set_transaction_hash(Hash("transaction-1"));
    request.set_session_hash(Hash("session-1"));
    return request;
  }

  token::Proof NewProof() {
    token::Proof proof;
    proof.envelope.issuer = token::ProofIssuer("acme");
    proof.envelope.audience = token::ProofAudience("acme");
    proof.envelope.id = token::NewTokenId(clock_.Now(), random_).value();
    proof.envelope.issued_at = clock_.Now();
    proof.envelope.expires_at = clock_.Now() + std::chrono::seconds(30);
    proof.transaction_hash = Base64UrlEncode(AsBytes(Hash("transaction-1")));
    proof.session_hash = Base64UrlEncode(AsBytes(Hash("session-1")));
    proof.trusted = true;
    proof.serial = "0a1b";
    proof.device_id = "device-1";
    proof.enrollment_id = "enrollment-1";
    return proof;
  }
  static std::string Signed(const token::Proof& proof) {
    return token::Sign(proof, ProofKey()).value();
  }
  org::v1::EvaluateRequest Trusted() {
    org::v1::EvaluateRequest request = Request();
    request.set_proof(Signed(NewProof()));
    return request;
  }
  org::v1::EvaluateRequest Refused(reason::v1::Reason reason, const std::string& serial) {
    token::Proof proof = NewProof();
    proof.trusted = false;
    proof.reason = rpc::ReasonName(reason);
    proof.serial = serial;
    proof.device_id.clear();
    proof.enrollment_id.clear();
    org::v1::EvaluateRequest request = Request();
    request.set_proof(Signed(proof));
    return request;
  }

  org::v1::SignOnResult Evaluate(const org::v1::EvaluateRequest& request) {
    const auto response = sign_on_->Evaluate(request);
    DT_EXPECT_OK(response);
    return response.ok() ? response->result() : org::v1::SignOnResult();
  }
  reason::v1::Reason Refusal(const org::v1::EvaluateRequest& request) {
    return rpc::ReasonOf(sign_on_->Evaluate(request).status());
  }
  absl::Status Complete(const std::string& code, const std::string& session = "session-1",
                        const std::string& totp = "123456") {
    org::v1::CompleteFactorRequest request;
    request.set_code(code);
    request.set_session_id(session);
    request.set_totp_code(totp);
    request.mutable_client()->set_address("203.0.113.5");
    const auto completed = factor_completion_->Complete(request);
    if (completed.ok()) completed_ = *completed;
    return completed.status();
  }
  org::v1::Decision Explain(const std::string& code) {
    org::v1::ExplainDecisionRequest request;
    request.set_code(code);
    const auto explained = history_->Explain(request);
    DT_EXPECT_OK(explained);
    return explained.ok() ? explained->decision() : org::v1::Decision();
  }
  void ExpectUntrusted(const org::v1::SignOnResult& response, reason::v1::Reason reason) {
    EXPECT_EQ(response.outcome(), org::v1::OUTCOME_DENIED);
    EXPECT_EQ(response.rule_index(), 4);
    EXPECT_EQ(response.trust(), org::v1::TRUST_STATE_NOT_TRUSTED);
    EXPECT_EQ(response.reason(), reason) << rpc::ReasonName(response.reason());
    EXPECT_TRUE(response.show_security_message());
  }

  std::string user_id_;
  org::v1::CompleteFactorResponse completed_;
};

}  // namespace devicetrust::policy
