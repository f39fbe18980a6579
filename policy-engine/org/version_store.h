// Versions of settings, zones and apps as rows: who made each when, and what it holds. Functions on
// a transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "devicetrust/org/v1/history.pb.h"
#include "devicetrust/org/v1/system_log.pb.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/db/connection.h"

namespace devicetrust::policy {

// Decisions are explained by the rules of their time, which is why none goes before its decisions
// have (decisions/decision_store.h).
inline constexpr std::int64_t kVersionsKept = 500;  // Of each object.
inline constexpr std::chrono::hours kVersionKeptFor{100 * 24};
inline constexpr std::chrono::hours kRemovedAppKeptFor{400 * 24};

org::v1::ObjectName SettingsObject();
org::v1::ObjectName ZonesObject();
org::v1::ObjectName AppObject(std::string app_id);
// "settings", "zones", "app mail": for people.
std::string ObjectText(const org::v1::ObjectName& object);

// The number of the version that comes next; none is ever given twice.
absl::StatusOr<std::int64_t> NextVersionNumber(db::Transaction& txn,
                                               const org::v1::ObjectName& object);

// Writes that `event` makes `number` of the object, with which an app perhaps went, and forgets
// versions that are no longer kept.
struct NewVersion {
  org::v1::ObjectName object;
  std::int64_t number = 0;
  std::int64_t org_version = 0;
  bool removed = false;
};
absl::Status WriteVersion(db::Transaction& txn, const NewVersion& version,
                          const org::v1::Event& event);

// What settings were; zones and apps have revisions of the same numbers (org_store.h).
absl::Status WriteSettingsRevision(db::Transaction& txn, std::int64_t number,
                                   const org::v1::OrgSettings& settings);

// Where a list goes on: after this version, in the order of the list.
struct VersionCursor {
  std::int64_t at_ms = INT64_MAX;
  std::string object;  // As stored.
  std::int64_t number = 0;
};
// Newest first; of `object`, or of all. The cursor moves behind the last one.
absl::StatusOr<std::vector<org::v1::ObjectVersion>> ListVersions(
    db::Transaction& txn, const std::optional<org::v1::ObjectName>& object, int count_max,
    VersionCursor& cursor);

// `number` 0: the newest. kNotFound, VERSION_UNKNOWN. An app is as it was registered, with its
// rules as they are stored.
absl::StatusOr<org::v1::GetVersionResponse> FindVersion(db::Transaction& txn,
                                                        const org::v1::ObjectName& object,
                                                        std::int64_t number);

}  // namespace devicetrust::policy
