#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "devicetrust/org/v1/people_sync.pb.h"
#include "libs/base/background_loop.h"
#include "libs/base/backoff.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/db/database.h"
#include "libs/directory/listing.h"
#include "libs/rpc/caller.h"
#include "policy-engine/log/events.h"
#include "policy-engine/people_sync/people_applier.h"
#include "policy-engine/people_sync/people_store.h"
#include "policy-engine/users/user_revoker.h"

namespace devicetrust::policy {

// How often, and how many people a pass may deactivate without asking.
struct PeopleSyncLimits {
  std::chrono::minutes every{15};
  std::chrono::hours everybody_every{24};
  // Where the directory does not show what is deleted, only reading everybody tells.
  std::chrono::hours everybody_every_unshown{1};
  std::int64_t deactivate_percent = 5;  // Of those who are active, or
  std::int64_t deactivate_least = 20;   // so many, whichever is more.
  std::chrono::seconds retry_min{30};   // After a failure; doubles up to `every`.
};

// Keeps the org's people as the directories of domains have them (ORG-4): who comes, changes and
// goes there does so here; whom a directory has the sync deactivate loses all certificates, and
// comes back with the account.
//
// A pass reads one domain, everybody or what has changed since the last one, all of it before it
// changes anything. A reading that fails changes nobody, so that a directory that is gone or ill
// deactivates nobody; nor does a pass that would deactivate more people than its limit: it stops
// until an administrator approves. Thread-safe. Owns one thread.
class PeopleSync {
 public:
  struct Domain {
    PeopleScope scope;
    std::unique_ptr<directory::Listing> listing;
    PeopleSyncLimits limits = {};
  };
  // All outlive it; `changed` is called when people have changed, on any thread.
  struct Parts {
    db::Database& database;
    EventSink& events;
    UserRevoker& revoker;
    const Clock& clock;
    Random& random;
    std::function<void()> changed;
  };
  PeopleSync(Parts parts, std::vector<Domain> domains);
  ~PeopleSync();
  PeopleSync(const PeopleSync&) = delete;
  PeopleSync& operator=(const PeopleSync&) = delete;

  // Lets go of the people of domains that are not here any more: imports may change them again.
  absl::Status ReleaseOthers();
  void Start();  // The first pass of each domain at once, then each in its turn.
  void Stop();   // Waits for the pass under way. Idempotent.

  // One pass, now, on this thread. kNotFound: no such domain. kFailedPrecondition: it stopped, or
  // the reading says so. Else the errors of the reading and of the store.
  absl::Status RunPass(const std::string& domain, bool everybody = false);

  // The contract (devicetrust.org.v1.PeopleSyncService) says what each does and refuses.
  org::v1::GetPeopleSyncResponse Get() const;
  absl::StatusOr<org::v1::RunPeopleSyncResponse> Run(const org::v1::RunPeopleSyncRequest& request);
  absl::StatusOr<org::v1::ApprovePeopleSyncResponse> Approve(
      const rpc::Caller& admin, const org::v1::ApprovePeopleSyncRequest& request);

 private:
  struct Running;  // One domain, with what is known of it.

  BackgroundLoop::Pause Step();
  absl::Status RunPass(Running& domain, bool everybody);
  absl::Status Pass(Running& domain, bool everybody);
  absl::Status Read(const Running& domain, directory::ListingPass& pass, bool& everybody,
                    PeopleReading& reading) const;
  absl::StatusOr<PeoplePlan> Plan(const Running& domain, directory::ListingPass& pass,
                                  bool everybody, const Picture& groups_before,
                                  PeopleReading& reading) const;
  // kFailedPrecondition: the pass must not go on.
  absl::Status CheckDeactivations(Running& domain, const PeoplePlan& plan, PeopleApplier& applier);
  absl::Status TellStopped(const Running& domain, std::size_t deactivations);
  void Show(Running& domain, const directory::Replica& replica, const SyncCounts& counts);
  Running* Find(const std::string& domain) const;

  const Parts parts_;
  std::vector<std::unique_ptr<Running>> domains_;
  Mutex passes_;  // One pass at a time.
  std::atomic<bool> stopping_ = false;
  std::unique_ptr<BackgroundLoop> loop_;  // Last: it uses all the others.
};

}  // namespace devicetrust::policy
