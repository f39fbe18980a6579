// An org for tests of the gateway: two people, one app, and the rule "trusted: allowed (with
// a factor when asked), else denied". Verifies proofs as the real one does and takes each
// once, whichever gateway brings it. Tests only.
#pragma once

#include <fmt/format.h>

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <tuple>

#include "libs/base/encoding.h"
#include "libs/rpc/enum_name.h"
#include "libs/rpc/error.h"
#include "libs/token/claims.h"
#include "libs/token/names.h"
#include "simulator/gateway/upstream/org_client.h"

namespace devicetrust::gateway {

inline constexpr std::chrono::hours kSessionLifetime{12};

class FakeOrg final : public OrgClient {
 public:
  FakeOrg(const Clock& clock, token::KeySet proof_keys)
      : clock_(clock), proof_keys_(std::move(proof_keys)) {}

  Task<absl::StatusOr<org::v1::StartSessionResponse>> StartSession(
      org::v1::StartSessionRequest request) override {
    if (unavailable) co_return absl::UnavailableError("down");
    if (!Arrives(request)) co_return absl::InternalError("not parsed");
    if (request.password() != "right" && request.password() != "also right") {
      co_return rpc::MakeError(absl::StatusCode::kUnauthenticated,
                               reason::v1::REASON_PASSWORD_WRONG, "wrong");
    }
    last_client = request.client();
    org::v1::StartSessionResponse response;
    response.mutable_user()->set_id("u-" + request.principal());
    response.mutable_user()->set_principal(request.principal());
    response.set_session_id(fmt::format("session-{}", ++sessions_));
    response.mutable_authenticated_at()->set_seconds(UnixSeconds(clock_.Now()));
    response.mutable_expires_at()->set_seconds(UnixSeconds(clock_.Now() + kSessionLifetime));
    co_return response;
  }

  Task<absl::StatusOr<org::v1::StartTicketSessionResponse>> StartTicketSession(
      org::v1::StartTicketSessionRequest request) override {
    if (unavailable) co_return absl::UnavailableError("down");
    last_client = request.client();
    if (request.account_sid() != "S-1-5-21-1-2-3-1104" || request.realm() != "CORP.TEST") {
      co_return rpc::MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_USER_UNKNOWN,
                               "nobody");
    }
    org::v1::StartTicketSessionResponse response;
    response.mutable_user()->set_id("u-ada@corp.test");
    response.mutable_user()->set_principal("ada@corp.test");
    response.set_session_id(fmt::format("session-{}", ++sessions_));
    response.mutable_authenticated_at()->set_seconds(UnixSeconds(clock_.Now()));
    response.mutable_expires_at()->set_seconds(UnixSeconds(clock_.Now() + kSessionLifetime));
    co_return response;
  }

  Task<absl::StatusOr<org::v1::EvaluateResponse>> Evaluate(
      org::v1::EvaluateRequest request) override {
    if (unavailable) co_return absl::UnavailableError("down");
    if (!Arrives(request)) co_return absl::InternalError("not parsed");
    last_client = request.client();
    last_kind = request.client_kind();
    if (ended.contains(request.session().session_id())) {
      co_return rpc::MakeError(absl::StatusCode::kUnauthenticated, reason::v1::REASON_SESSION_ENDED,
                               "ended");
    }
    org::v1::SignOnResult response;
    response.set_code(fmt::format("CODE-{}", ++codes_));
    response.mutable_user()->set_id(request.session().user_id());
    response.mutable_user()->set_principal(request.session().user_id().substr(2));
    response.mutable_user()->set_sid("S-1-5-21-1-2-3-1104");
    response.set_show_security_message(true);
    response.set_learn_more_url("https://help.example/trust?a=1&b=2");
    const reason::v1::Reason problem = TakeProof(request, response);
    response.set_reason(problem);
    const bool legacy = request.client_kind() == org::v1::CLIENT_KIND_EXCHANGE_ACTIVESYNC_OR_LEGACY;
    const bool trusted = problem == reason::v1::REASON_UNSPECIFIED;
    response.set_trust(trusted ? org::v1::TRUST_STATE_TRUSTED : org::v1::TRUST_STATE_NOT_TRUSTED);
    response.set_outcome(!trusted && !(legacy && allow_legacy) ? org::v1::OUTCOME_DENIED
                         : ask_factor && !request.session().has_factor_at()
                             ? org::v1::OUTCOME_FACTOR_REQUIRED
                             : org::v1::OUTCOME_ALLOWED);
    if (no_authenticator) response.set_factor_reason(reason::v1::REASON_FACTOR_NOT_ENROLLED);
    response.set_may_enroll_factor(may_enroll);
    waiting_[response.code()] = response;
    if (response.outcome() == org::v1::OUTCOME_ALLOWED) {
      opened_[request.session().session_id()].insert(request.app_id());
    }
    org::v1::EvaluateResponse evaluated;
    *evaluated.mutable_result() = std::move(response);
    co_return evaluated;
  }

  Task<absl::StatusOr<org::v1::CompleteFactorResponse>> CompleteFactor(
      org::v1::CompleteFactorRequest request) override {
    if (!factor_refusal.ok()) co_return factor_refusal;
    // As the real one within a minute: a second click.
    if (const auto done =
            completed_.find({request.code(), request.session_id(), ShownCode(request)});
        done != completed_.end()) {
      co_return done->second;
    }
    const auto at = waiting_.find(request.code());
    if (at == waiting_.end()) {
      co_return rpc::MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_DECISION_UNKNOWN,
                               "old");
    }
    const bool right = request.has_recovery_code() ? request.recovery_code() == kRecoveryCode
                                                   : request.totp_code() == "123456";
    if (!right) {
      co_return rpc::MakeError(absl::StatusCode::kUnauthenticated, reason::v1::REASON_FACTOR_WRONG,
                               "no");
    }
    org::v1::CompleteFactorResponse response;
    *response.mutable_result() = at->second;
    waiting_.erase(at);
    response.mutable_result()->set_outcome(org::v1::OUTCOME_ALLOWED);
    response.mutable_factor_at()->set_seconds(UnixSeconds(clock_.Now()));
    completed_[{request.code(), request.session_id(), ShownCode(request)}] = response;
    co_return response;
  }

  Task<absl::StatusOr<org::v1::EndSessionResponse>> EndSession(
      org::v1::EndSessionRequest request) override {
    if (unavailable) co_return absl::UnavailableError("down");
    ended.insert(request.session_id());
    org::v1::EndSessionResponse response;
    for (const std::string& app : opened_[request.session_id()]) response.add_app_ids(app);
    co_return response;
  }

  static constexpr const char* kRecoveryCode = "7f3k-9qxd-2mbp-0v4t";

  int evaluations() const { return codes_; }

  // As after five minutes: no decision waits for its factor any more.
  void ForgetDecisions() { waiting_.clear(); }

  bool unavailable = false;
  bool ask_factor = false;
  bool no_authenticator = false;  // Of anybody.
  bool may_enroll = false;        // Who has none.
  absl::Status factor_refusal;    // Not OK: of every code.
  bool allow_legacy = false;      // Whatever the device.
  std::set<std::string> ended;
  org::v1::ClientInfo last_client;
  org::v1::ClientKind last_kind = org::v1::CLIENT_KIND_UNSPECIFIED;

 private:
  std::map<std::string, std::set<std::string>> opened_;  // Apps by session.

  // A server parses what it gets, and refuses strings that are no UTF-8.
  template <typename Message>
  static bool Arrives(const Message& message) {
    return Message().ParseFromString(message.SerializeAsString());
  }

  // As the real one: everything is checked before the proof is spent.
  reason::v1::Reason TakeProof(const org::v1::EvaluateRequest& request,
                               org::v1::SignOnResult& response) {
    if (request.proof().empty()) return reason::v1::REASON_CHALLENGE_NOT_DONE;
    const auto proof = token::VerifyProof(request.proof(), proof_keys_,
                                          token::ProofAudience("acme"), clock_.Now());
    if (!proof.ok() ||
        proof->transaction_hash != Base64UrlEncode(AsBytes(request.transaction_hash())) ||
        proof->session_hash != Base64UrlEncode(AsBytes(request.session_hash()))) {
      return reason::v1::REASON_PROOF_INVALID;
    }
    if (!spent_.insert(proof->envelope.id).second) return reason::v1::REASON_PROOF_REPLAYED;
    response.set_certificate_serial(proof->serial);
    if (proof->trusted) return request.trust_override_reason();
    return rpc::EnumNamed<reason::v1::Reason>(proof->reason)
        .value_or(reason::v1::REASON_PROOF_INVALID);
  }

  const Clock& clock_;
  const token::KeySet proof_keys_;
  std::set<std::string> spent_;
  std::map<std::string, org::v1::SignOnResult> waiting_;
  // By decision, session and code.
  static std::string ShownCode(const org::v1::CompleteFactorRequest& request) {
    return request.has_recovery_code() ? request.recovery_code() : request.totp_code();
  }

  std::map<std::tuple<std::string, std::string, std::string>, org::v1::CompleteFactorResponse>
      completed_;
  int sessions_ = 0;
  int codes_ = 0;
};

}  // namespace devicetrust::gateway
