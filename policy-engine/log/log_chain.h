// Where the chain of events stands (libs/eventlog/chain.h), as the store keeps it.
#pragma once

#include <cstdint>

#include "libs/base/status.h"
#include "libs/db/connection.h"
#include "libs/eventlog/chain.h"

namespace devicetrust::policy {

struct ChainState {
  std::int64_t sequence = 0;  // Of the newest event with a hash; 0: there was none.
  eventlog::Hash hash = eventlog::kNoHash;
  std::int64_t anchor_sequence = 0;  // Of the last one that was pruned; 0: none.
  eventlog::Hash anchor_hash = eventlog::kNoHash;
  std::int64_t chained_from = 0;  // Events below are older than the chain.
  std::int64_t indexed_from = 0;  // Events below are not in the index by every actor and target.
};

// kDataLoss: the row is gone.
absl::StatusOr<ChainState> ReadChain(db::Transaction& txn);

absl::Status WriteChainHead(db::Transaction& txn, std::int64_t sequence,
                            const eventlog::Hash& hash);
absl::Status WriteChainAnchor(db::Transaction& txn, std::int64_t sequence,
                              const eventlog::Hash& hash);

// A release that knows no chain may have written since: its events are indexed as it did.
absl::Status MendIndexedFrom(db::Transaction& txn, ChainState& state);

}  // namespace devicetrust::policy
