#include "policy-engine/decisions/sign_on_facts.h"

#include <optional>
#include <utility>

#include "libs/rpc/timestamps.h"
#include "policy-engine/decisions/decision_store.h"
#include "policy-engine/decisions/session_check.h"
#include "policy-engine/enrollment/enrollment_store.h"
#include "policy-engine/log/plain_text.h"
#include "policy-engine/rules/platform_evidence.h"
#include "policy-engine/rules_wire/rule_messages.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr std::size_t kAddressBytesMax = 64;

// What the challenge has shown of the device.
struct DeviceFacts {
  Trust trust = Trust::kNotTrusted;
  reason::v1::Reason reason = reason::v1::REASON_UNSPECIFIED;  // Why not trusted.
  std::optional<Platform> platform;                            // As the directory records it.
  bool spends_proof = false;
};

absl::StatusOr<DeviceFacts> JudgeDevice(db::Transaction& txn, const SignOnInput& input,
                                        const std::string& user_id) {
  const ProofVerdict& proof = input.proof;
  DeviceFacts device;
  // Where no rule asks, gateways make no challenge, and its absence says nothing.
  const bool asked = input.app->policy->uses_trust() || proof.valid;
  if (!input.state->DeviceTrustEffective() || !asked) {
    device.trust = Trust::kNotEvaluated;
    return device;
  }
  device.reason = proof.reason;
  if (!proof.valid) return device;
  DT_ASSIGN_OR_RETURN(const bool spent, IsProofSpent(txn, proof.id));
  if (spent) {
    device.reason = reason::v1::REASON_PROOF_REPLAYED;
    return device;
  }
  device.spends_proof = true;
  if (!proof.trusted) return device;

  DT_ASSIGN_OR_RETURN(const auto enrollment, FindEnrollment(txn, proof.enrollment_id));
  if (!enrollment || enrollment->device_id != proof.device_id) {
    device.reason = reason::v1::REASON_CERTIFICATE_UNKNOWN;
    return device;
  }
  device.platform = enrollment->platform;
  if (enrollment->user_id != user_id) {
    device.reason = reason::v1::REASON_CERTIFICATE_OF_ANOTHER_USER;
    return device;
  }
  device.trust = Trust::kTrusted;
  return device;
}

// Nothing: unspecified, or a system that this release does not know.
std::optional<Platform> VerifiedPlatform(const v1::Decision& known) {
  const Platform platform = PlatformFromMessage(known.verified_platform());
  return platform == Platform::kUnknown ? std::nullopt : std::optional<Platform>(platform);
}

}  // namespace

v1::User KeptUser(const v1::User& user) {
  v1::User kept;
  kept.set_id(user.id());
  kept.set_principal(user.principal());
  kept.set_display_name(user.display_name());
  *kept.mutable_groups() = user.groups();
  return kept;
}

absl::StatusOr<SignOnFacts> GatherFacts(db::Transaction& txn, const SignOnInput& input) {
  const v1::EvaluateRequest& request = input.request;
  const v1::SessionInfo& session = request.session();
  DT_ASSIGN_OR_RETURN(
      OpenSession open,
      CheckSession(txn, ClaimOf(session), SessionLimitsOf(input.state->settings), input.now));
  StoredUser& found = open.user;
  DT_ASSIGN_OR_RETURN(const DeviceFacts device, JudgeDevice(txn, input, found.user.id()));

  SignOnFacts facts;
  facts.session = std::move(open.stored);
  facts.spends_proof = device.spends_proof;
  v1::Decision& known = facts.known;
  *known.mutable_at() = rpc::ToTimestamp(input.now);
  known.set_app_id(input.app->app.id());
  known.set_app_label(input.app->app.label());
  *known.mutable_user() = KeptUser(found.user);
  const v1::ClientInfo& client = request.client();
  known.mutable_client()->set_address(ToPlainText(client.address(), kAddressBytesMax));
  known.mutable_client()->set_user_agent(ToPlainText(client.user_agent(), kUserAgentBytesRead));
  known.set_client_kind(ToMessage(ClientFromMessage(request.client_kind())));
  known.set_claimed_platform(ToMessage(PlatformFromUserAgent(client.user_agent())));
  if (device.platform) known.set_verified_platform(ToMessage(*device.platform));
  known.set_trust(ToMessage(device.trust));
  known.set_trust_reason(device.reason);
  *known.mutable_authenticated_at() = session.authenticated_at();
  if (session.has_factor_at()) *known.mutable_factor_at() = session.factor_at();
  known.set_certificate_serial(input.proof.serial);
  known.set_device_id(input.proof.device_id);
  facts.user = std::move(found.user);
  return facts;
}

KnownFacts::KnownFacts(const v1::Decision& known)
    : groups_(known.user().groups().begin(), known.user().groups().end()) {
  facts_.user_id = known.user().id();
  facts_.principal = known.user().principal();
  facts_.groups = groups_;
  facts_.address = IpAddress::Parse(known.client().address());
  facts_.client = ClientFromMessage(known.client_kind());
  facts_.claimed_platform = PlatformFromMessage(known.claimed_platform());
  facts_.verified_platform = VerifiedPlatform(known);
  facts_.trust = TrustFromMessage(known.trust());
  facts_.now = rpc::FromTimestamp(known.at());
  facts_.authenticated_at = rpc::FromTimestamp(known.authenticated_at());
  if (known.has_factor_at()) facts_.factor_at = rpc::FromTimestamp(known.factor_at());
}

void Decide(const CompiledPolicy& policy, v1::Decision& decision) {
  const KnownFacts known(decision);
  const Decision decided = policy.Evaluate(known.facts());
  decision.clear_reported();
  AddReported(policy, known.facts(), decided, *decision.mutable_reported());
  decision.set_outcome(ToMessage(decided.outcome));
  decision.set_rule_name(policy.rule(decided.rule).name);
  decision.set_rule_index(static_cast<std::int32_t>(decided.rule + 1));
}

Platform EffectivePlatform(const v1::Decision& decision) {
  return VerifiedPlatform(decision).value_or(PlatformFromMessage(decision.claimed_platform()));
}

}  // namespace devicetrust::policy
