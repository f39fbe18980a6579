#include "ca-service/block_store.h"

namespace devicetrust::ca {
namespace {

using db::Int;
using db::Row;
using db::Text;

// Followed by the column that is compared with $3.
#define DT_CA_BLOCK_KEYS                                                            \
  "INSERT INTO blocked_keys (thumbprint, serial, blocked_at, requested_by)"         \
  " SELECT key_thumbprint, max(serial), CAST($1 AS BIGINT), CAST($2 AS TEXT) FROM " \
  "certificates WHERE "
#define DT_CA_ONCE " GROUP BY key_thumbprint ON CONFLICT (thumbprint) DO NOTHING"

}  // namespace

absl::StatusOr<std::optional<DeviceName>> BlockStore::FindDevice(const DeviceName& name) {
  const auto rows =
      name.device_id.empty()
          ? txn_.Run("SELECT device_id, computer_sid FROM devices WHERE computer_sid = $1",
                     {name.computer_sid})
          : txn_.Run("SELECT device_id, computer_sid FROM devices WHERE device_id = $1",
                     {name.device_id});
  if (!rows.ok()) return rows.status();
  if (rows->empty()) return std::nullopt;
  return DeviceName{Text(rows->front()[0]), Text(rows->front()[1])};
}

absl::StatusOr<bool> BlockStore::BlockDevice(const BlockedDevice& device) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn_.Run("INSERT INTO blocked_devices (device_id, blocked_at, requested_by)"
               " VALUES ($1, $2, $3) ON CONFLICT (device_id) DO NOTHING RETURNING device_id",
               {device.device_id, device.blocked_at, device.requested_by}));
  return !rows.empty();
}

absl::StatusOr<bool> BlockStore::UnblockDevice(const std::string& device_id) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn_.Run("DELETE FROM blocked_devices WHERE device_id = $1 RETURNING device_id",
               {device_id}));
  return !rows.empty();
}

absl::StatusOr<bool> BlockStore::IsDeviceBlocked(const std::string& device_id) {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn_.Run("SELECT 1 FROM blocked_devices WHERE device_id = $1", {device_id}));
  return !rows.empty();
}

absl::StatusOr<std::vector<BlockedDevice>> BlockStore::Devices(const std::string& after,
                                                               std::int64_t limit) {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn_.Run("SELECT b.device_id, d.computer_sid, b.blocked_at, b.requested_by"
                               " FROM blocked_devices b JOIN devices d ON d.device_id = b.device_id"
                               " WHERE b.device_id > $1 ORDER BY b.device_id LIMIT $2",
                               {after, limit}));
  std::vector<BlockedDevice> devices;
  for (const Row& row : rows) {
    devices.push_back({Text(row[0]), Text(row[1]), Int(row[2]), Text(row[3])});
  }
  return devices;
}

absl::Status BlockStore::BlockKeyOf(const std::string& serial, std::int64_t now,
                                    const std::string& by) {
  return txn_.Run(DT_CA_BLOCK_KEYS "serial = $3" DT_CA_ONCE, {now, by, serial}).status();
}

absl::Status BlockStore::BlockKeysOfUser(const std::string& user_id, std::int64_t now,
                                         const std::string& by) {
  return txn_.Run(DT_CA_BLOCK_KEYS "user_id = $3" DT_CA_ONCE, {now, by, user_id}).status();
}

absl::Status BlockStore::BlockKeysOfDevice(const std::string& device_id, std::int64_t now,
                                           const std::string& by) {
  return txn_.Run(DT_CA_BLOCK_KEYS "device_id = $3" DT_CA_ONCE, {now, by, device_id}).status();
}

absl::StatusOr<bool> BlockStore::IsKeyBlocked(const std::string& thumbprint) {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn_.Run("SELECT 1 FROM blocked_keys WHERE thumbprint = $1", {thumbprint}));
  return !rows.empty();
}

absl::StatusOr<std::vector<BlockedKey>> BlockStore::Keys(const std::string& after,
                                                         std::int64_t limit) {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn_.Run("SELECT thumbprint, serial, blocked_at, requested_by"
                               " FROM blocked_keys WHERE thumbprint > $1"
                               " ORDER BY thumbprint LIMIT $2",
                               {after, limit}));
  std::vector<BlockedKey> keys;
  for (const Row& row : rows) {
    keys.push_back({Text(row[0]), Text(row[1]), Int(row[2]), Text(row[3])});
  }
  return keys;
}

#undef DT_CA_ONCE
#undef DT_CA_BLOCK_KEYS

}  // namespace devicetrust::ca
