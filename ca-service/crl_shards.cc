#include "ca-service/crl_shards.h"

#include <fmt/format.h>

#include <utility>

#include "ca-service/certificate_store.h"
#include "ca-service/issuer.h"

namespace devicetrust::ca {

std::string ShardListId(const std::string& issuer_id, std::int64_t number) {
  return fmt::format("{}-{}", issuer_id, number);
}

absl::StatusOr<CrlShard> CrlShards::Next(const std::string& issuer_id,
                                         const std::string& public_url) {
  const MutexLock lock(mutex_);
  if (!issued_) {
    DT_ASSIGN_OR_RETURN(
        issued_, database_.Read([](db::Transaction& txn) -> absl::StatusOr<std::int64_t> {
          DT_ASSIGN_OR_RETURN(const auto rows, txn.Run("SELECT count(*) FROM certificates"));
          return db::Int(rows.at(0)[0]);
        }));
  }
  if (++*issued_ <= options_.first_after)
    return CrlShard{issuer_id, 0, public_url + CrlPath(issuer_id)};
  if (!open_.contains(issuer_id)) {
    DT_ASSIGN_OR_RETURN(open_[issuer_id], Latest(issuer_id));
  }
  Open& open = open_[issuer_id];
  if (open.left <= 0 ||
      open.shard.url != public_url + CrlPath(ShardListId(issuer_id, open.shard.number))) {
    DT_ASSIGN_OR_RETURN(open.shard, Begin(issuer_id, public_url));
    open.left = options_.certificates_each;
  }
  --open.left;
  return open.shard;
}

absl::StatusOr<CrlShards::Open> CrlShards::Latest(const std::string& issuer_id) {
  return database_.Read([&](db::Transaction& txn) -> absl::StatusOr<Open> {
    DT_ASSIGN_OR_RETURN(const auto rows,
                        txn.Run("SELECT shard, url, opened_at FROM crl_shards"
                                " WHERE issuer_id = $1 ORDER BY shard DESC LIMIT 1",
                                {issuer_id}));
    if (rows.empty()) return Open{};
    Open open{{issuer_id, db::Int(rows[0][0]), db::Text(rows[0][1])}, 0};
    DT_ASSIGN_OR_RETURN(const auto counted,
                        txn.Run("SELECT count(*) FROM certificates WHERE issued_at >= $1"
                                " AND issuer_id = $2 AND crl_shard = $3",
                                {db::Int(rows[0][2]), issuer_id, open.shard.number}));
    open.left = options_.certificates_each - db::Int(counted.at(0)[0]);
    return open;
  });
}

absl::StatusOr<CrlShard> CrlShards::Begin(const std::string& issuer_id,
                                          const std::string& public_url) {
  // A certificate of it may be dated by a clock that was set back meanwhile, or by a second less.
  const std::int64_t opened_at = UnixSeconds(clock_.Now() - std::chrono::hours(1));
  return database_.Write([&](db::Transaction& txn) -> absl::StatusOr<CrlShard> {
    DT_ASSIGN_OR_RETURN(
        const auto rows,
        txn.Run("SELECT COALESCE(max(shard), 0) FROM crl_shards WHERE issuer_id = $1",
                {issuer_id}));
    const std::int64_t number = db::Int(rows.at(0)[0]) + 1;
    CrlShard shard{issuer_id, number, public_url + CrlPath(ShardListId(issuer_id, number))};
    DT_RETURN_IF_ERROR(txn.Run("INSERT INTO crl_shards (issuer_id, shard, url, opened_at)"
                               " VALUES ($1, $2, $3, $4)",
                               {issuer_id, number, shard.url, opened_at})
                           .status());
    txn.Announce(kRevocationSequence);  // Its list is due.
    return shard;
  });
}

absl::StatusOr<std::vector<CrlShard>> CrlShards::All(db::Transaction& txn) {
  DT_ASSIGN_OR_RETURN(const auto rows, txn.Run("SELECT issuer_id, shard, url FROM crl_shards"
                                               " ORDER BY issuer_id, shard"));
  std::vector<CrlShard> shards;
  shards.reserve(rows.size());
  for (const db::Row& row : rows) {
    shards.push_back({db::Text(row[0]), db::Int(row[1]), db::Text(row[2])});
  }
  return shards;
}

}  // namespace devicetrust::ca
