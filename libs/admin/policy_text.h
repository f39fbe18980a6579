// What rules would do, for people.
#pragma once

#include <string>

#include "devicetrust/org/v1/policy_analysis.pb.h"
#include "libs/admin/decision_text.h"

namespace devicetrust::admin {

// The outcome first, then every condition of every rule.
std::string WhatIfText(const org::v1::WhatIfResponse& answer, Color color = Color::kNever);

// A line for each finding, and its example below it. Notes are left out but counted unless
// `with_notes`.
std::string FindingsText(const org::v1::AnalyzePolicyResponse& answer, bool with_notes);

std::string ComparisonText(const org::v1::ComparePoliciesResponse& answer);

// "7F3K-9QXD  2026-11-24 08:00:00Z  ada@corp.test  ALLOWED → DENIED  rule 2 ... matches before".
std::string FlipLine(const org::v1::SignInFlip& flip);
std::string ReplayText(const org::v1::ReplaySummary& summary);

}  // namespace devicetrust::admin
