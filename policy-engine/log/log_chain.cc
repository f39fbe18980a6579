#include "policy-engine/log/log_chain.h"

#include <string>

namespace devicetrust::policy {
namespace {

Bytes HashBytes(const eventlog::Hash& hash) { return {hash.begin(), hash.end()}; }

absl::StatusOr<eventlog::Hash> HashOfColumn(const db::Value& value) {
  if (db::IsNull(value)) return eventlog::kNoHash;
  const auto hash = eventlog::HashFrom(ToString(db::Blob(value)));
  if (!hash) return absl::DataLossError("a hash in the System Log has not 32 bytes");
  return *hash;
}

}  // namespace

absl::StatusOr<ChainState> ReadChain(db::Transaction& txn) {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn.Run("SELECT sequence, hash, anchor_sequence, anchor_hash, chained_from,"
                              " indexed_from FROM log_chain WHERE id = 1"));
  if (rows.size() != 1) return absl::DataLossError("the System Log has lost the row of its chain");
  ChainState state;
  state.sequence = db::Int(rows[0][0]);
  DT_ASSIGN_OR_RETURN(state.hash, HashOfColumn(rows[0][1]));
  state.anchor_sequence = db::Int(rows[0][2]);
  DT_ASSIGN_OR_RETURN(state.anchor_hash, HashOfColumn(rows[0][3]));
  state.chained_from = db::Int(rows[0][4]);
  state.indexed_from = db::Int(rows[0][5]);
  return state;
}

absl::Status WriteChainHead(db::Transaction& txn, std::int64_t sequence,
                            const eventlog::Hash& hash) {
  return txn
      .Run("UPDATE log_chain SET sequence = $1, hash = $2 WHERE id = 1",
           {sequence, HashBytes(hash)})
      .status();
}

absl::Status WriteChainAnchor(db::Transaction& txn, std::int64_t sequence,
                              const eventlog::Hash& hash) {
  return txn
      .Run("UPDATE log_chain SET anchor_sequence = $1, anchor_hash = $2 WHERE id = 1",
           {sequence, HashBytes(hash)})
      .status();
}

absl::Status MendIndexedFrom(db::Transaction& txn, ChainState& state) {
  DT_ASSIGN_OR_RETURN(const auto rows, txn.Run("SELECT MAX(sequence) FROM events"));
  if (rows.empty() || db::IsNull(rows[0][0])) return absl::OkStatus();
  const std::int64_t newest = db::Int(rows[0][0]);
  if (newest <= state.sequence || newest < state.indexed_from) return absl::OkStatus();
  state.indexed_from = newest + 1;
  return txn.Run("UPDATE log_chain SET indexed_from = $1 WHERE id = 1", {state.indexed_from})
      .status();
}

}  // namespace devicetrust::policy
