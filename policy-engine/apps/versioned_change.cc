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

absl::Status CheckVersion(std::int64_t expected, const OrgState& before) {
  if (expected == 0 || expected == before.version) return absl::OkStatus();
  return rpc::MakeError(absl::StatusCode::kAborted, reason::v1::REASON_CONFLICTING_STATE,
                        fmt::format("the org is at version {}, not at {}: somebody changed it",
                                    before.version, expected),
                        {}, "List the apps again, and apply the change to what they are now.");
}

absl::Status CheckRules(const org::v1::App& app, const RuleMessages& rules,
                        const std::vector<Zone>& zones) {
  const absl::Status status = Compiles(app, rules, zones);
  if (status.ok()) return status;
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_RULE_INVALID,
                        std::string(status.message()), app.id());
}

}  // namespace devicetrust::policy
