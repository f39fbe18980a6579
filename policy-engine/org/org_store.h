#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/snapshot.h"
#include "libs/db/database.h"
#include "policy-engine/log/events.h"
#include "policy-engine/org/org_edit.h"
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
  WallTime now = {};  // When the history of a new org begins.
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
    bool changed = true;       // False: it wrote nothing, and leaves neither event nor new version.
    std::int64_t version = 0;  // The org's, after it.
    std::vector<std::string> warnings;  // For the admin.
  };

  // Writes what `change` decides on, in one transaction with an event and a version of each object
  // (version_store.h); when all are durable the state is loaded anew. `change` sees the state that
  // it starts from. What it refuses changes nothing.
  // kAlreadyExists, ALREADY_EXISTS: another app is known to its protocol by the same name.
  using ChangeFn = std::function<absl::Status(const OrgState&, OrgEdit&)>;
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

// What an app with its rules takes in the store.
std::size_t StoredBytes(const org::v1::App& app, const RuleMessages& rules);

// An app as a state has it. kInvalidArgument: as CompiledPolicy::Compile() and RulesFromMessages().
absl::StatusOr<AppState> CompileApp(org::v1::App app, RuleMessages rules,
                                    const std::vector<Zone>& zones);

}  // namespace devicetrust::policy
