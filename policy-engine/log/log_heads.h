// Heads of the chain, signed with a key of the org: what somebody who can write the store, but has
// not the key-encryption key, cannot make.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "devicetrust/org/v1/system_log.pb.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/db/database.h"
#include "libs/pki/aead.h"
#include "libs/pki/key.h"

namespace devicetrust::policy {

// Thread-safe.
class LogHeads {
 public:
  // Loads the key, or makes it. All but `kek` and `org` must outlive this. kPermissionDenied,
  // kNotFound: it is sealed under another key-encryption key; the message says so.
  static absl::StatusOr<std::unique_ptr<LogHeads>> Create(db::Database& log_database,
                                                          const pki::AeadKey& kek, std::string org,
                                                          const Clock& clock, Random& random);

  // Signs and keeps the head as it is now, unless nothing has happened since the last time, and
  // tells the service's log of it, which is kept elsewhere.
  // kDataLoss: the event that was signed last is not there any more as it was, so the store was
  // changed behind our back. Nothing is signed then.
  absl::Status Sign();

  // The head as it is now, signed, with what a verifier needs.
  absl::StatusOr<org::v1::GetLogChainResponse> Current();

  // Up to `limit` heads after `sequence`, oldest first.
  absl::StatusOr<std::vector<org::v1::LogHead>> List(std::int64_t after, int limit);

 private:
  LogHeads(db::Database& database, std::string org, const Clock& clock)
      : database_(database), org_(std::move(org)), clock_(clock) {}

  absl::Status LoadKey(const pki::AeadKey& kek);
  absl::Status MakeKey(const pki::AeadKey& kek, Random& random);
  absl::Status LoadLast() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckLast() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<org::v1::LogHead> SignedHead(std::int64_t sequence, const std::string& hash);

  db::Database& database_;
  const std::string org_;
  const Clock& clock_;
  std::string kid_;                     // Constant after Create().
  std::optional<pki::PrivateKey> key_;  // The same.
  Mutex mutex_;
  org::v1::LogHead last_ ABSL_GUARDED_BY(mutex_);  // Sequence 0: none was signed yet.
};

}  // namespace devicetrust::policy
