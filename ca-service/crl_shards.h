#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/status.h"
#include "libs/db/database.h"

namespace devicetrust::ca {

// The list of revoked certificates that a certificate names: 0 is the complete one of its issuer,
// the others are parts.
struct CrlShard {
  std::string issuer_id;
  std::int64_t number = 0;
  std::string url;
};

// The name of a part's list in CrlSet, in the store and in CrlPath().
std::string ShardListId(const std::string& issuer_id, std::int64_t number);

// Which list each new certificate names, fixed when it is issued: the first of a store's
// certificates the complete list, afterwards so many each a part of their own, so that no client
// has to fetch the whole. The address of a part is stored when the part begins, and a new one
// begins when the CA's public address changes: list and certificates say the same for ever.
// Thread-safe. Errors: those of db::Database.
class CrlShards {
 public:
  struct Options {
    std::int64_t first_after = 20'000;  // Certificates of the store.
    std::int64_t certificates_each = 10'000;
  };

  // Both must outlive it.
  CrlShards(db::Database& database, const Clock& clock) : CrlShards(database, clock, Options()) {}
  CrlShards(db::Database& database, const Clock& clock, Options options)
      : database_(database), clock_(clock), options_(options) {}

  // For the next certificate of an issuer.
  absl::StatusOr<CrlShard> Next(const std::string& issuer_id, const std::string& public_url);

  // Every part that was ever begun.
  static absl::StatusOr<std::vector<CrlShard>> All(db::Transaction& txn);

 private:
  struct Open {
    CrlShard shard;
    std::int64_t left = 0;  // Certificates.
  };
  // The part that an earlier run left open; nothing when there is none.
  absl::StatusOr<Open> Latest(const std::string& issuer_id);
  absl::StatusOr<CrlShard> Begin(const std::string& issuer_id, const std::string& public_url);

  db::Database& database_;
  const Clock& clock_;
  const Options options_;
  Mutex mutex_;
  std::optional<std::int64_t> issued_ ABSL_GUARDED_BY(mutex_);  // Certificates of the store.
  std::map<std::string, Open> open_ ABSL_GUARDED_BY(mutex_);    // By issuer.
};

}  // namespace devicetrust::ca
