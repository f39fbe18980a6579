// What makes settings right (ORG-1 to ORG-4), whoever changes them: a call for one of them, a
// policy document, the way back to an earlier version.
#pragma once

#include <string>
#include <vector>

#include "devicetrust/org/v1/policy_document.pb.h"
#include "devicetrust/org/v1/system_log.pb.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "policy-engine/org/org_edit.h"

namespace devicetrust::policy {

struct SettingsWish {
  org::v1::PolicySettings settings;  // What is absent stays.
  bool force = false;                // Device Trust goes off although rules use it.
  std::string changed_by;
  WallTime now;
};

// kInvalidArgument, MALFORMED_REQUEST: names a setting that is wrong whatever the org is.
absl::Status CheckSettings(const org::v1::PolicySettings& settings);

// Makes of `before` what is wished and puts it into `edit`, when it is something else, with the
// warnings and targets that belong to it. `rules_after`: a state with the rules as the change
// leaves them.
//
// kInvalidArgument: as CheckSettings(), or an active integration without a domain.
// kFailedPrecondition, SETTING_IN_USE: Device Trust would go off while active rules name it
// (ORG-2); the message lists them.
absl::Status EditSettings(const SettingsWish& wish, const OrgState& before,
                          const OrgState& rules_after, OrgEdit& edit);

// Settings as a document has them: all that an admin may change.
org::v1::PolicySettings PolicySettingsOf(const org::v1::OrgSettings& settings);

}  // namespace devicetrust::policy
