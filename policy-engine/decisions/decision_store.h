// Decisions as rows, found again by a code that people can type. A row keeps the facts and the
// outcome; the trace is computed from the facts and the rules of their time.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "devicetrust/org/v1/decisions.pb.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/db/connection.h"

namespace devicetrust::policy {

inline constexpr std::chrono::days kDecisionRetention{90};

// Eight characters of an alphabet without look-alikes: "7F3K-9QXD". It finds a decision; what may
// be done with it needs an admin or the decision's own session. The first four are of the time, and
// come again after some hours, so that codes made together lie together in the store; the rest are
// 20 random bits.
absl::StatusOr<std::string> NewDecisionCode(WallTime at, Random& random);

// The form in which codes are stored, of one that a person typed (libs/base/names.h). nullopt: no
// code at all.
std::optional<std::string> NormalizeDecisionCode(std::string_view text);

struct StoredDecision {
  org::v1::Decision record;  // `rules` empty.
  std::string session_id;
  std::int64_t app_revision = 0;
  std::int64_t zones_revision = 0;
  int factor_failures = 0;
  std::optional<WallTime> factor_completed_at;
};

// Stores it under the first of `codes` that is free, and returns that one. kAborted: none is.
absl::StatusOr<std::string> InsertDecision(db::Transaction& txn, std::span<const std::string> codes,
                                           StoredDecision& decision);

// kNotFound, DECISION_UNKNOWN: no decision of this code.
absl::StatusOr<StoredDecision> FindDecision(db::Transaction& txn, std::string_view code);

// The decisions of one app of a span of time, a page at a time, in the order of time and code.
struct DecisionPage {
  std::vector<Bytes> records;  // Of org.v1.Decision.
  std::int64_t last_ms = 0;    // Of the last of them, for the next page.
  std::string last_code;
};
// From the one after `after` (whose records do not matter), decided before `until_ms`.
absl::StatusOr<DecisionPage> ListDecisions(db::Transaction& txn, const std::string& app_id,
                                           const DecisionPage& after, std::int64_t until_ms,
                                           int count_max);

absl::Status CountFactorFailure(db::Transaction& txn, const std::string& code);
absl::Status CompleteDecision(db::Transaction& txn, const std::string& code, WallTime at);

// Single use of proofs. kAborted: somebody else has spent the proof meanwhile.
absl::StatusOr<bool> IsProofSpent(db::Transaction& txn, const std::string& id);
absl::Status SpendProof(db::Transaction& txn, const std::string& id, WallTime expires_at);

// Forgets decisions past kDecisionRetention, and proofs that nobody would accept any more.
// A bounded number of each per call.
absl::Status PruneDecisions(db::Transaction& txn, WallTime now);

}  // namespace devicetrust::policy
