#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libs/base/status.h"
#include "libs/db/database.h"

namespace devicetrust::ca {

// A computer by one of its names; the other is empty.
struct DeviceName {
  std::string device_id;     // As certificates print it.
  std::string computer_sid;  // Of the directory.
};

struct BlockedDevice {
  std::string device_id;
  std::string computer_sid;
  std::int64_t blocked_at = 0;  // Unix seconds.
  std::string requested_by;
};

struct BlockedKey {
  std::string thumbprint;  // RFC 7638.
  std::string serial;      // Of the certificate that was revoked for it.
  std::int64_t blocked_at = 0;
  std::string requested_by;
};

// The statements on computers and keys that get no certificate, on one transaction of the caller.
// Errors as db::Transaction::Run. Cheap: made where it is used.
class BlockStore {
 public:
  explicit BlockStore(db::Transaction& txn) : txn_(txn) {}

  // The computer with both names; nothing when it has never enrolled and was never blocked.
  absl::StatusOr<std::optional<DeviceName>> FindDevice(const DeviceName& name);

  // True when it was not blocked before.
  absl::StatusOr<bool> BlockDevice(const BlockedDevice& device);
  // True when it was blocked.
  absl::StatusOr<bool> UnblockDevice(const std::string& device_id);
  absl::StatusOr<bool> IsDeviceBlocked(const std::string& device_id);
  // In the order of ids, after `after`.
  absl::StatusOr<std::vector<BlockedDevice>> Devices(const std::string& after, std::int64_t limit);

  // The keys of certificates, of whatever state, with this serial, user or device. A key that is
  // blocked already keeps what is known of it.
  absl::Status BlockKeyOf(const std::string& serial, std::int64_t now, const std::string& by);
  absl::Status BlockKeysOfUser(const std::string& user_id, std::int64_t now, const std::string& by);
  absl::Status BlockKeysOfDevice(const std::string& device_id, std::int64_t now,
                                 const std::string& by);
  absl::StatusOr<bool> IsKeyBlocked(const std::string& thumbprint);
  // In the order of thumbprints, after `after`.
  absl::StatusOr<std::vector<BlockedKey>> Keys(const std::string& after, std::int64_t limit);

 private:
  db::Transaction& txn_;
};

}  // namespace devicetrust::ca
