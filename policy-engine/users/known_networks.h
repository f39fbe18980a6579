// From where a user has shown a password or a code lately: what strangers do elsewhere does not
// shut the owner out there. Only a right password or code adds one, so nobody can fill it for
// another. In the store, since a restart must not forget it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/db/connection.h"

namespace devicetrust::policy {

enum class Shown : std::int64_t { kPassword = 1, kFactor = 2 };  // As stored.

inline constexpr std::chrono::hours kNetworkKnownFor{30 * 24};
inline constexpr std::int64_t kKnownNetworksMax = 8;  // Of one user and kind; the oldest goes.

// `network`: libs/base/client_network.h.
absl::StatusOr<bool> IsKnownNetwork(db::Transaction& txn, const std::string& user_id, Shown shown,
                                    const std::string& network, WallTime now);
// Whether anybody has shown a password from there lately.
absl::StatusOr<bool> IsKnownToAnybody(db::Transaction& txn, const std::string& network,
                                      WallTime now);

// Writes at most once a day for each.
absl::Status RememberNetwork(db::Transaction& txn, const std::string& user_id, Shown shown,
                             const std::string& network, WallTime now);

}  // namespace devicetrust::policy
