#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/snapshot.h"
#include "libs/db/database.h"
#include "policy-engine/log/events.h"
#include "policy-engine/org/org_state.h"

namespace devicetrust::policy {

// What a new org begins with; an org that exists keeps its own, version_min aside.
struct OrgDefaults {
  std::string org_id;
  std::vector<std::string> ad_domains;  // Not empty: the AD integration is active from the start.
  bool capability_enabled = true;       // The operator's switch (ORG-1).
  // Versions begin here; Unix milliseconds of the start. So they grow across a restore from a
  // backup, for those who know what came after it.
  std::int64_t version_min = 1;
};

// Reads and changes the org's state. Thread-safe: readers take a snapshot without a lock on
// the store, changes run one after the other.
class OrgStore {
 public:
  // Loads the org, or makes it from `defaults`. `database` has OrgMigrations(). Both
  // references must outlive this.
  static absl::StatusOr<std::unique_ptr<OrgStore>> Create(db::Database& database, EventSink& events,
                                                          const OrgDefaults& defaults);

  std::shared_ptr<const OrgState> state() const { return state_.Get(); }

  // What a change came to.
  struct Effect {
    bool changed = true;  // False: it wrote nothing, and leaves neither event nor new version.
    std::vector<std::string> warnings;          // For the admin.
    std::vector<org::v1::Target> targets = {};  // What was changed, for the event.
  };

  // Runs `change` in a transaction, beside an event; when both are durable the state is loaded
  // anew. `change` sees the state that it starts from, and may run more than once; the effect of
  // the last run is returned. What it refuses changes nothing.
  using ChangeFn = std::function<absl::StatusOr<Effect>(db::Transaction&, const OrgState&)>;
  absl::StatusOr<Effect> Change(org::v1::Event event, const ChangeFn& change);

  // An app as it was at a revision, for explaining an old decision. kNotFound: never was.
  absl::StatusOr<AppState> AppAt(const std::string& app_id, std::int64_t revision,
                                 std::int64_t zones_revision) const;

 private:
  OrgStore(db::Database& database, EventSink& events, std::string org_id)
      : database_(database), events_(events), org_id_(std::move(org_id)) {}

  absl::StatusOr<std::shared_ptr<const OrgState>> Load();
  absl::Status Reload();

  db::Database& database_;
  EventSink& events_;
  const std::string org_id_;
  Mutex change_mutex_;  // Held by the one change at a time.
  Snapshot<OrgState> state_;
};

// Changes of single things, for use inside Change().
absl::Status WriteSettings(db::Transaction& txn, const org::v1::OrgSettings& settings,
                           bool disabled_by_force);
// The next revision of an app. kAlreadyExists, ALREADY_EXISTS: another app is known to its
// protocol by the same name.
absl::Status WriteApp(db::Transaction& txn, const org::v1::App& app, const RuleMessages& rules);
// The app's revisions stay, for AppAt().
absl::Status DeleteApp(db::Transaction& txn, const std::string& app_id);
absl::Status WriteZones(db::Transaction& txn, const ZoneMessages& zones, std::int64_t revision);

// What an app with its rules takes in the store.
std::size_t StoredBytes(const org::v1::App& app, const RuleMessages& rules);

}  // namespace devicetrust::policy
