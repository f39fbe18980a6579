// What the changes of apps, rules and zones have in common.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "devicetrust/org/v1/rules.pb.h"
#include "libs/base/status.h"
#include "policy-engine/org/org_state.h"

namespace devicetrust::policy {

// kAborted, CONFLICTING_STATE: the org is no longer at the version `expected` that the admin's
// change begins from. 0 fits any version.
absl::Status CheckVersion(std::int64_t expected, const OrgState& before);

// kInvalidArgument, RULE_INVALID, about `app_id`: a rule is not valid for apps like `app`, or
// names a zone that `zones` lacks.
absl::Status CheckRules(const org::v1::App& app, const RuleMessages& rules,
                        const std::vector<Zone>& zones);

}  // namespace devicetrust::policy
