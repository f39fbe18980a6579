// Rules and zones between the contract's messages and the types that decide.
#pragma once

#include <span>
#include <vector>

#include "devicetrust/org/v1/apps.pb.h"
#include "devicetrust/org/v1/client.pb.h"
#include "devicetrust/org/v1/decisions.pb.h"
#include "devicetrust/org/v1/rules.pb.h"
#include "devicetrust/org/v1/zones.pb.h"
#include "libs/base/status.h"
#include "policy-engine/rules/explanation.h"

namespace devicetrust::policy {

inline AppKind KindOf(const org::v1::App& app) {
  return app.has_client_conditions() ? AppKind::kOffice : AppKind::kGeneric;
}

// An unset condition is its widest value. kInvalidArgument: a value that this release does
// not know (it must not silently match more, or less, than its author meant), or a contradiction
// that Validate() can't see; the message names the rule.
absl::StatusOr<Rule> RuleFromMessage(const org::v1::Rule& message);
absl::StatusOr<std::vector<Rule>> RulesFromMessages(
    const google::protobuf::RepeatedPtrField<org::v1::Rule>& messages);
org::v1::Rule DefaultRuleMessage();

// kInvalidArgument: as Zone::Compile(), or a name twice.
absl::StatusOr<std::vector<Zone>> ZonesFromMessages(
    const google::protobuf::RepeatedPtrField<org::v1::Zone>& messages);

// Numbers that this release does not know become unknown.
Platform PlatformFromMessage(org::v1::PlatformKind platform);
org::v1::PlatformKind ToMessage(Platform platform);
ClientKind ClientFromMessage(org::v1::ClientKind client);
org::v1::ClientKind ToMessage(ClientKind client);
org::v1::TrustState ToMessage(Trust trust);
Trust TrustFromMessage(org::v1::TrustState trust);
org::v1::Outcome ToMessage(Outcome outcome);

void AddTrace(const std::vector<RuleExplanation>& rules,
              google::protobuf::RepeatedPtrField<org::v1::RuleTrace>& traces);

// What the report-only rules would have made of `facts`, of which `decision` is what
// `policy.Evaluate(facts)` returned.
void AddReported(const CompiledPolicy& policy, const Facts& facts, const Decision& decision,
                 google::protobuf::RepeatedPtrField<org::v1::ReportedRule>& reported);

}  // namespace devicetrust::policy
