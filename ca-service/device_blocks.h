#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ca-service/block_store.h"
#include "ca-service/revocations.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/db/database.h"
#include "libs/db/outbox.h"

namespace devicetrust::ca {

// Computers that get no certificate. Issuance asks in the certificate's own transaction, so that
// an enrollment in flight is refused too. Each change is one transaction with its events, which go
// to the outbox even when its backlog is full. Thread-safe. Errors: those of rpc::StoreError,
// besides the ones named.
class DeviceBlocks {
 public:
  // All must outlive it.
  DeviceBlocks(db::Database& database, db::Outbox& outbox, Revocations& revocations,
               const Clock& clock, Random& random)
      : database_(database),
        outbox_(outbox),
        revocations_(revocations),
        clock_(clock),
        random_(random) {}

  struct BlockResult {
    bool was_already_blocked = false;
    Revocations::DeviceRevocation revocation;
  };
  // Blocks the computer and revokes its certificates, or puts them on hold: `reason` says which.
  // One that has never enrolled is named by its SID, and taken with `allow_unknown`. Idempotent.
  // kNotFound: no computer has that device id, or none of that SID has enrolled.
  absl::StatusOr<BlockResult> Block(const DeviceName& device, v1::RevocationReason reason,
                                    const std::string& requested_by, bool allow_unknown = false);

  struct UnblockResult {
    std::string device_id;
    bool was_blocked = false;
  };
  // The computer may enroll again; certificates stay as they are. Idempotent. kNotFound: there is
  // no such computer.
  absl::StatusOr<UnblockResult> Unblock(const DeviceName& device, const std::string& requested_by);

 private:
  // The computer with both names, with a new device id where it had none. Without `new_id` one
  // that had none is unknown.
  absl::StatusOr<DeviceName> FindOrAdd(db::Transaction& txn, const DeviceName& device,
                                       const std::optional<std::string>& new_id);

  db::Database& database_;
  db::Outbox& outbox_;
  Revocations& revocations_;
  const Clock& clock_;
  Random& random_;
};

}  // namespace devicetrust::ca
