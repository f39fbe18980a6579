// What the changes of apps, rules and zones have in common.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "devicetrust/org/v1/rules.pb.h"
#include "libs/base/status.h"
#include "policy-engine/org/org_state.h"
#include "policy-engine/org/settings_admin.h"  // CheckVersion()

namespace devicetrust::policy {

// kInvalidArgument, RULE_INVALID, about `app_id`: a rule is not valid for apps like `app`, or
// names a zone that `zones` lacks.
absl::Status CheckRules(const org::v1::App& app, const RuleMessages& rules,
                        const std::vector<Zone>& zones);

// What an admin registers of an app; the rest of the message is output only, or has calls of its
// own.
org::v1::App RegistrationOf(org::v1::App app);

// Says what an unset condition means, so that a reader of the rules need not know it.
RuleMessages WithDefaults(RuleMessages rules);

}  // namespace devicetrust::policy
