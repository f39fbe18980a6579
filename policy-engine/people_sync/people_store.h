// The sync's pictures and positions in the store: functions on a transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/db/connection.h"
#include "policy-engine/people_sync/people_plan.h"
#include "policy-engine/people_sync/picture.h"

namespace devicetrust::policy {

// Up to where a domain controller has been read.
struct SyncPosition {
  std::string scope;  // What was read: of another scope it says nothing.
  std::string invocation_id;
  std::uint64_t usn = 0;
  std::int64_t everybody_at = 0;  // Unix seconds: when everybody was read last.
  std::int64_t synced_at = 0;
};

absl::StatusOr<std::optional<SyncPosition>> FindPosition(db::Transaction& txn,
                                                         const std::string& domain);
absl::Status StorePosition(db::Transaction& txn, const std::string& domain,
                           const SyncPosition& position);

// Domains whose people a directory has kept so far. ReleaseDomain: it keeps them no more; they stay
// as they are, for imports and administrators to change.
absl::StatusOr<std::vector<std::string>> SyncedDomains(db::Transaction& txn);
absl::Status ReleaseDomain(db::Transaction& txn, const std::string& domain);

absl::StatusOr<Picture> LoadPicture(db::Transaction& txn, const std::string& domain);
// With the change of the user, in one transaction. Null `person`: gone.
absl::Status StorePerson(db::Transaction& txn, const std::string& domain, const std::string& guid,
                         const PicturedPerson* person);
// With the position, when all people are stored: what a group brings counts as applied from then.
absl::Status StoreGroups(db::Transaction& txn, const std::string& domain, const Picture& before,
                         const Picture& after);

}  // namespace devicetrust::policy
