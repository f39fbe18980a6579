#include "policy-engine/users/known_networks.h"

namespace devicetrust::policy {
namespace {

constexpr std::chrono::hours kRewrittenAfter{24};

std::int64_t Oldest(WallTime now) { return UnixSeconds(now - kNetworkKnownFor); }

}  // namespace

absl::StatusOr<bool> IsKnownNetwork(db::Transaction& txn, const std::string& user_id, Shown shown,
                                    const std::string& network, WallTime now) {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn.Run("SELECT shown_at FROM known_networks WHERE user_id = $1"
                              " AND shown = $2 AND network = $3 AND shown_at >= $4",
                              {user_id, static_cast<std::int64_t>(shown), network, Oldest(now)}));
  return !rows.empty();
}

absl::StatusOr<bool> IsKnownToAnybody(db::Transaction& txn, const std::string& network,
                                      WallTime now) {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn.Run("SELECT user_id FROM known_networks WHERE network = $1 AND shown = $2"
                              " AND shown_at >= $3 LIMIT 1",
                              {network, static_cast<std::int64_t>(Shown::kPassword), Oldest(now)}));
  return !rows.empty();
}

absl::Status RememberNetwork(db::Transaction& txn, const std::string& user_id, Shown shown,
                             const std::string& network, WallTime now) {
  const auto kind = static_cast<std::int64_t>(shown);
  DT_ASSIGN_OR_RETURN(const auto fresh,
                      txn.Run("SELECT shown_at FROM known_networks WHERE user_id = $1"
                              " AND shown = $2 AND network = $3 AND shown_at > $4",
                              {user_id, kind, network, UnixSeconds(now - kRewrittenAfter)}));
  if (!fresh.empty()) return absl::OkStatus();
  DT_RETURN_IF_ERROR(txn.Run("INSERT INTO known_networks (user_id, shown, network, shown_at)"
                             " VALUES ($1, $2, $3, $4) ON CONFLICT (user_id, shown, network)"
                             " DO UPDATE SET shown_at = excluded.shown_at",
                             {user_id, kind, network, UnixSeconds(now)})
                         .status());
  return txn
      .Run(
          "DELETE FROM known_networks WHERE user_id = $1 AND shown = $2 AND network NOT IN"
          " (SELECT network FROM known_networks WHERE user_id = $1 AND shown = $2"
          " ORDER BY shown_at DESC, network LIMIT $3)",
          {user_id, kind, kKnownNetworksMax})
      .status();
}

}  // namespace devicetrust::policy
