// A policy in part or whole, as it is wished: checked as one, so that rules, zones and settings
// that only fit together come together.
#pragma once

#include <string>
#include <vector>

#include "devicetrust/org/v1/policy_document.pb.h"
#include "libs/base/clock.h"
#include "policy-engine/apps/rule_references.h"
#include "policy-engine/org/org_edit.h"

namespace devicetrust::policy {

struct PolicyWish {
  const org::v1::PolicySettings* settings = nullptr;  // Null: as they are.
  const ZoneMessages* zones = nullptr;                // Null: as they are.
  std::vector<org::v1::App> apps;                     // With their rules.
  bool no_other_apps = false;                         // The org's other apps go.
  bool allow_unknown = false;
  bool force = false;
  std::string changed_by;
  WallTime now;
};

// All that is wrong, in the order of the document.
using PolicyProblems = std::vector<org::v1::PolicyProblem>;

// Puts the ids of people into the rules of the wish, before the change: it may ask a directory.
PolicyProblems ResolvePeople(const RuleReferences& references, PolicyWish& wish);

// What makes `before` what is wished; objects that are that already are not named. Without problems
// `edit` may be written.
PolicyProblems EditPolicy(const PolicyWish& wish, const OrgState& before, OrgEdit& edit);

// The first problem as the error of a call.
absl::Status ErrorOf(const PolicyProblems& problems);

}  // namespace devicetrust::policy
