#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "ca-service/org_client.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/snapshot.h"
#include "libs/token/claims.h"

namespace devicetrust::ca {

// The keys of the IWAs that the org knows, fetched when a token names an unknown one.
// Whether an IWA may enroll at all is AuthorizeEnrollments's to say, each time. Thread-safe.
class IwaKeys {
 public:
  // `org` must outlive it.
  IwaKeys(std::string org_id, OrgClient& org) : org_id_(std::move(org_id)), org_(org) {}

  // kInvalidArgument, kUnauthenticated: TOKEN_* as libs/token found it. kUnavailable: the
  // key is unknown and the org cannot be asked.
  absl::StatusOr<token::UserToken> Verify(std::string_view compact, WallTime now);

 private:
  // Fetches, unless another thread replaced `seen` meanwhile or the last fetch was less than a
  // second ago.
  absl::StatusOr<std::shared_ptr<const token::KeySet>> Refetch(
      const std::shared_ptr<const token::KeySet>& seen);

  const std::string org_id_;
  OrgClient& org_;
  Mutex fetch_mutex_;  // One fetch at a time.
  std::optional<std::chrono::steady_clock::time_point> fetched_at_ ABSL_GUARDED_BY(fetch_mutex_);
  Snapshot<token::KeySet> keys_{std::make_shared<const token::KeySet>()};
};

}  // namespace devicetrust::ca
