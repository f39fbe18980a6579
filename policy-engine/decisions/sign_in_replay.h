// Recorded sign-ins under rules that are not saved: who would have come out otherwise, and why.
#pragma once

#include <functional>
#include <string>

#include "devicetrust/org/v1/policy_analysis.pb.h"
#include "libs/base/clock.h"
#include "libs/db/database.h"
#include "policy-engine/rules/evaluation.h"

namespace devicetrust::policy {

struct ReplayRange {
  std::string app_id;
  WallTime since;
  WallTime until;
  int flips_max = 100;  // Told one by one.
};

// Takes a flip; false: enough.
using FlipFn = std::function<bool(const org::v1::SignInFlip&)>;

// Evaluates `policy` with what was known of each decision that is kept. Reads the store page by
// page, so that neither memory nor the store's readers are held up by their number. kCancelled:
// `flip` had enough.
absl::StatusOr<org::v1::ReplaySummary> ReplaySignIns(db::Database& database,
                                                     const CompiledPolicy& policy,
                                                     const ReplayRange& range, const FlipFn& flip);

}  // namespace devicetrust::policy
