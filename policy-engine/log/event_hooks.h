// Event hooks (LOG-2): who is told of events by HTTPS, as administrators change it, and a thread
// for each that delivers. A receiver that is slow or hangs holds up its own hook and nothing else.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "devicetrust/org/v1/event_hooks.pb.h"
#include "libs/base/background_loop.h"
#include "libs/base/mutex.h"
#include "libs/base/snapshot.h"
#include "libs/base/status.h"
#include "libs/rpc/caller.h"
#include "policy-engine/log/hook_delivery.h"

namespace devicetrust::policy {

// Thread-safe. Errors of all: those of the contract, and of the store.
class EventHooks {
 public:
  // `private_addresses`: as of HookPoster.
  EventHooks(HookParts parts, bool private_addresses);
  ~EventHooks();  // Stop().
  EventHooks(const EventHooks&) = delete;
  EventHooks& operator=(const EventHooks&) = delete;

  // Begins to deliver, with what an earlier run left.
  absl::Status Start();
  // Ends it; what is under way is given up and comes again. Idempotent.
  void Stop();

  absl::StatusOr<org::v1::AddHookResponse> Add(const rpc::Caller& admin,
                                               const org::v1::AddHookRequest& request);
  absl::StatusOr<org::v1::ListHooksResponse> List();
  absl::StatusOr<org::v1::SetHookEnabledResponse> SetEnabled(
      const rpc::Caller& admin, const org::v1::SetHookEnabledRequest& request);
  absl::Status Remove(const rpc::Caller& admin, const std::string& name);
  absl::StatusOr<org::v1::RotateHookKeyResponse> RotateKey(
      const rpc::Caller& admin, const org::v1::RotateHookKeyRequest& request);
  absl::StatusOr<org::v1::TestHookResponse> Test(const std::string& name);
  absl::StatusOr<org::v1::ListDeadLettersResponse> DeadLetters(const std::string& name);
  absl::StatusOr<std::int32_t> Resend(const rpc::Caller& admin, const std::string& name,
                                      std::int64_t id);

 private:
  struct Runner;
  using Runners = std::vector<std::shared_ptr<Runner>>;

  // In one transaction with its event. `what` is for people.
  absl::Status Change(const rpc::Caller& admin, const std::string& name, const std::string& what,
                      const std::function<absl::Status(HookStore&)>& change);
  absl::StatusOr<org::v1::EventHook> Get(const std::string& name);
  absl::StatusOr<org::v1::EventHook> Describe(HookStore& store, const StoredHook& hook);
  absl::StatusOr<std::pair<StoredHookKey, org::v1::HookSecret>> NewKey(const std::string& name);
  // Ends the hook's thread if there is one, and begins another if the hook is still there.
  absl::Status Restart(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const HookParts parts_;
  const bool private_addresses_;
  Mutex mutex_;  // One change at a time; never held by the store's writer.
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
  Snapshot<Runners> runners_;
  db::Watch appended_;  // Wakes them.
};

}  // namespace devicetrust::policy
