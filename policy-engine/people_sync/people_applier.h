// Makes users of what a plan says, batch by batch, each with the picture of its people in one
// transaction.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/db/database.h"
#include "libs/rpc/caller.h"
#include "policy-engine/log/events.h"
#include "policy-engine/people_sync/people_plan.h"
#include "policy-engine/users/user_store.h"

namespace devicetrust::policy {

// Who changes people when a directory does.
rpc::Caller PeopleSyncCaller();

struct SyncCounts {
  std::int64_t added = 0;
  std::int64_t updated = 0;
  std::int64_t activated = 0;
  std::int64_t deactivated = 0;
  std::int64_t refused = 0;
  std::vector<std::string> refusals;  // The first few, for people.

  void Add(const SyncCounts& other);
  bool any() const { return added + updated + activated + deactivated > 0; }
};

// Of one plan. Not thread-safe.
class PeopleApplier {
 public:
  struct Parts {
    db::Database& database;
    EventSink& events;
    const Clock& clock;
    Random& random;
  };
  // All outlive it. `after` is the picture that the plan refers to.
  PeopleApplier(Parts parts, const PeopleScope& scope, const PeoplePlan& plan, Picture& after);

  // How many active users the plan deactivates: those that a directory has not kept so far, too.
  absl::StatusOr<std::size_t> CountDeactivations(std::vector<std::string>& examples);

  // All changes; with the last ones in one transaction what `finish` writes. Applied ones stay
  // applied when a later batch fails.
  using Finish = std::function<absl::Status(db::Transaction&, const SyncCounts&)>;
  absl::StatusOr<SyncCounts> Apply(const Finish& finish);

 private:
  struct Prepared {
    const PersonChange* change = nullptr;
    std::string id;  // That the org knows or will know the user by.
    bool known = false;
    std::string event_id;  // Empty: the change is told of in the sum alone.
    std::string second_event_id;
    org::v1::UserImport user;  // With a profile.
    absl::Status status;       // Why the person cannot be taken.
  };
  struct Outcome {
    SyncCounts counts;
    std::vector<std::pair<std::string, Applied>> applied;  // By GUID.
  };

  absl::StatusOr<std::vector<Prepared>> Prepare(std::span<const PersonChange> changes);
  absl::StatusOr<Outcome> ApplyBatch(db::Transaction& txn, std::span<const Prepared> batch) const;
  absl::StatusOr<Applied> ApplyOne(db::Transaction& txn, const Prepared& prepared,
                                   GroupChanges& groups, SyncCounts& counts) const;
  absl::StatusOr<Applied> Leave(db::Transaction& txn, const Prepared& prepared,
                                SyncCounts& counts) const;
  absl::StatusOr<Applied> ComeBack(db::Transaction& txn, const Prepared& prepared,
                                   const KnownUser& known, SyncCounts& counts) const;
  // "": the principal is free, or the person's. Else why not.
  absl::StatusOr<std::string> TakePrincipal(db::Transaction& txn, const Prepared& prepared,
                                            SyncCounts& counts) const;
  absl::Status Deactivate(db::Transaction& txn, const KnownUser& user, const std::string& event_id,
                          SyncCounts& counts) const;
  absl::Status Tell(db::Transaction& txn, const std::string& event_id, std::string_view type,
                    std::string_view message, const std::string& id,
                    const std::string& principal) const;

  const Parts parts_;
  const PeopleScope& scope_;
  const PeoplePlan& plan_;
  Picture& after_;
  const WallTime now_;
  bool each_is_told_ = false;
  std::unordered_map<std::string_view, const PersonChange*> by_sid_;  // Of the plan.
};

}  // namespace devicetrust::policy
