#include "policy-engine/apps/versioned_change.h"

#include <fmt/format.h>

#include <utility>

#include "libs/rpc/error.h"
#include "policy-engine/rules_wire/rule_messages.h"

namespace devicetrust::policy {
namespace {

absl::Status Compiles(const org::v1::App& app, const RuleMessages& rules,
                      const std::vector<Zone>& zones) {
  DT_ASSIGN_OR_RETURN(auto parsed, RulesFromMessages(rules));
  return CompiledPolicy::Compile(std::move(parsed), KindOf(app), zones).status();
}

}  // namespace

absl::Status CheckRules(const org::v1::App& app, const RuleMessages& rules,
                        const std::vector<Zone>& zones) {
  const absl::Status status = Compiles(app, rules, zones);
  if (status.ok()) return status;
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_RULE_INVALID,
                        std::string(status.message()), app.id());
}

org::v1::App RegistrationOf(org::v1::App app) {
  app.clear_rules();
  app.clear_needs_device_challenge();
  app.clear_lost_references();
  return app;
}

RuleMessages WithDefaults(RuleMessages rules) {
  for (org::v1::Rule& rule : rules) {
    if (!rule.has_people()) rule.mutable_people()->set_everyone(true);
  }
  return rules;
}

}  // namespace devicetrust::policy
