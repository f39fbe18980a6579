#include "policy-engine/decisions/decision_store.h"

#include <array>
#include <utility>

#include "libs/base/names.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"

namespace devicetrust::policy {
namespace {

// Crockford's: no I, L, O, U.
constexpr std::string_view kCodeAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::size_t kCodeCharacters = 8;
constexpr std::size_t kCodeTimeCharacters = 4;
// In which codes differ by their random half alone: at 15,000 sign-ons a second some 240.
constexpr std::chrono::milliseconds kCodeTimeUnit{16};
constexpr std::int64_t kPrunedPerCall = 5000;
// Longer than a proof's lifetime with any skew.
constexpr std::chrono::minutes kProofGrace{5};

absl::Status UnknownDecision(std::string_view code) {
  return rpc::MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_DECISION_UNKNOWN,
                        "there is no decision of this code", std::string(code.substr(0, 32)),
                        "Check the code on the refusal page; decisions are kept for 90 days.");
}

std::string Dashed(std::string code) { return code.insert(kCodeCharacters / 2, "-"); }

}  // namespace

absl::StatusOr<std::string> NewDecisionCode(WallTime at, Random& random) {
  std::array<std::uint8_t, kCodeCharacters - kCodeTimeCharacters> bytes{};
  DT_RETURN_IF_ERROR(random.Fill(bytes));
  std::string code(kCodeTimeCharacters, '0');
  auto time = static_cast<std::uint64_t>(UnixMillis(at) / kCodeTimeUnit.count());
  for (std::size_t i = kCodeTimeCharacters; i-- > 0; time /= kCodeAlphabet.size()) {
    code[i] = kCodeAlphabet[time % kCodeAlphabet.size()];
  }
  for (const std::uint8_t byte : bytes) code += kCodeAlphabet[byte % kCodeAlphabet.size()];
  return Dashed(std::move(code));
}

std::optional<std::string> NormalizeDecisionCode(std::string_view text) {
  std::optional<std::string> code = TypedCode(text);
  if (!code || code->size() != kCodeCharacters) return std::nullopt;
  return Dashed(*std::move(code));
}

absl::StatusOr<std::string> InsertDecision(db::Transaction& txn, std::span<const std::string> codes,
                                           StoredDecision& decision) {
  for (const std::string& code : codes) {
    decision.record.set_code(code);
    Bytes record(decision.record.ByteSizeLong());
    decision.record.SerializeWithCachedSizesToArray(record.data());
    DT_ASSIGN_OR_RETURN(
        const bool inserted,
        txn.Change("INSERT INTO decisions (code, decided_at_ms, session_id, app_id, app_revision,"
                   " zones_revision, record) VALUES ($1, $2, $3, $4, $5, $6, $7)"
                   " ON CONFLICT (code) DO NOTHING",
                   {code, UnixMillis(rpc::FromTimestamp(decision.record.at())), decision.session_id,
                    decision.record.app_id(), decision.app_revision, decision.zones_revision,
                    std::move(record)}));
    if (inserted) return code;
  }
  return absl::AbortedError("no free decision code; try again");
}

absl::StatusOr<StoredDecision> FindDecision(db::Transaction& txn, std::string_view code) {
  const std::optional<std::string> normalized = NormalizeDecisionCode(code);
  if (!normalized) return UnknownDecision(code);
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run("SELECT record, session_id, app_revision, zones_revision, factor_failures,"
              " factor_completed_at_ms FROM decisions WHERE code = $1",
              {*normalized}));
  if (rows.empty()) return UnknownDecision(code);
  const db::Row& row = rows.front();
  StoredDecision decision;
  const Bytes& record = db::Blob(row[0]);
  if (!decision.record.ParseFromArray(record.data(), static_cast<int>(record.size()))) {
    return absl::DataLossError("a stored decision does not parse");
  }
  decision.session_id = db::Text(row[1]);
  decision.app_revision = db::Int(row[2]);
  decision.zones_revision = db::Int(row[3]);
  decision.factor_failures = static_cast<int>(db::Int(row[4]));
  if (!db::IsNull(row[5])) decision.factor_completed_at = AtUnixMillis(db::Int(row[5]));
  return decision;
}

absl::StatusOr<DecisionPage> ListDecisions(db::Transaction& txn, const std::string& app_id,
                                           const DecisionPage& after, std::int64_t until_ms,
                                           int count_max) {
  DT_ASSIGN_OR_RETURN(
      auto rows,
      txn.Run("SELECT record, decided_at_ms, code FROM decisions"
              " WHERE decided_at_ms >= $1 AND decided_at_ms < $2 AND app_id = $3"
              " AND (decided_at_ms > $1 OR code > $4) ORDER BY decided_at_ms, code LIMIT $5",
              {after.last_ms, until_ms, app_id, after.last_code, std::int64_t{count_max}}));
  DecisionPage page;
  page.records.reserve(rows.size());
  if (!rows.empty()) {
    page.last_ms = db::Int(rows.back()[1]);
    page.last_code = db::Text(rows.back()[2]);
  }
  for (db::Row& row : rows) page.records.push_back(db::Blob(row[0]));
  return page;
}

absl::Status CountFactorFailure(db::Transaction& txn, const std::string& code) {
  return txn
      .Run("UPDATE decisions SET factor_failures = factor_failures + 1 WHERE code = $1", {code})
      .status();
}

absl::Status CompleteDecision(db::Transaction& txn, const std::string& code, WallTime at) {
  return txn
      .Run("UPDATE decisions SET factor_completed_at_ms = $2 WHERE code = $1",
           {code, UnixMillis(at)})
      .status();
}

absl::StatusOr<bool> IsProofSpent(db::Transaction& txn, const std::string& id) {
  DT_ASSIGN_OR_RETURN(const auto rows, txn.Run("SELECT id FROM used_proofs WHERE id = $1", {id}));
  return !rows.empty();
}

absl::Status SpendProof(db::Transaction& txn, const std::string& id, WallTime expires_at) {
  DT_ASSIGN_OR_RETURN(const bool inserted,
                      txn.Change("INSERT INTO used_proofs (id, expires_at) VALUES ($1, $2)"
                                 " ON CONFLICT (id) DO NOTHING",
                                 {id, UnixSeconds(expires_at)}));
  if (inserted) return absl::OkStatus();
  return absl::AbortedError("the proof was spent meanwhile");
}

absl::Status PruneDecisions(db::Transaction& txn, WallTime now) {
  DT_RETURN_IF_ERROR(txn.Run("DELETE FROM used_proofs WHERE id IN"
                             " (SELECT id FROM used_proofs WHERE expires_at < $1 LIMIT $2)",
                             {UnixSeconds(now - kProofGrace), kPrunedPerCall})
                         .status());
  return txn
      .Run(
          "DELETE FROM decisions WHERE code IN"
          " (SELECT code FROM decisions WHERE decided_at_ms < $1 LIMIT $2)",
          {UnixMillis(now - kDecisionRetention), kPrunedPerCall})
      .status();
}

}  // namespace devicetrust::policy
