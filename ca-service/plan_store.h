#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ca-service/certificate_store.h"
#include "libs/base/bytes.h"
#include "libs/base/status.h"
#include "libs/db/database.h"

namespace devicetrust::ca {

// A certificate that is going to be signed: recorded before its signature is made, so that no
// signature is unaccounted for, whenever the power goes.
struct PlannedCertificate {
  StoredCertificate certificate;      // Without `der`; never revoked.
  Bytes content;                      // What is signed: TBSCertificate.
  std::int64_t revocation_epoch = 0;  // Before the org was asked; see RaiseRevocationEpoch().
  std::string client_address;         // For the System Log, as the next.
  std::string renews = {};            // Serial of the one that it follows; empty: not said.
  bool forced = false;                // A person asked for it.
};

// The plans in the store, on one transaction of the caller. Errors as db::Transaction::Run.
class PlanStore {
 public:
  explicit PlanStore(db::Transaction& txn) : txn_(txn) {}

  absl::Status Insert(const PlannedCertificate& plan);
  absl::StatusOr<std::optional<PlannedCertificate>> Find(const std::string& serial);
  // The oldest after `serial`, at most `limit`.
  absl::StatusOr<std::vector<PlannedCertificate>> After(const std::string& serial,
                                                        std::int64_t limit);
  // True when it was there.
  absl::StatusOr<bool> Remove(const std::string& serial);

 private:
  db::Transaction& txn_;
};

}  // namespace devicetrust::ca
