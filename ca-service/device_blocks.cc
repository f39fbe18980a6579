#include "ca-service/device_blocks.h"

#include <utility>

#include "ca-service/events.h"
#include "ca-service/metrics.h"
#include "libs/base/log.h"
#include "libs/base/ordered_id.h"
#include "libs/base/random_id.h"
#include "libs/rpc/enum_name.h"
#include "libs/rpc/error.h"

namespace devicetrust::ca {
namespace {

constexpr std::size_t kDeviceIdOctets = 16;

}  // namespace

absl::StatusOr<DeviceName> DeviceBlocks::FindOrAdd(db::Transaction& txn, const DeviceName& device,
                                                   const std::optional<std::string>& new_id) {
  DT_ASSIGN_OR_RETURN(auto found, BlockStore(txn).FindDevice(device));
  if (found) return *std::move(found);
  if (device.computer_sid.empty() || !new_id) return UnknownDevice(device);
  DT_RETURN_IF_ERROR(CertificateStore(txn).AddDevice(device.computer_sid, *new_id));
  return DeviceName{*new_id, device.computer_sid};
}

absl::StatusOr<DeviceBlocks::BlockResult> DeviceBlocks::Block(const DeviceName& device,
                                                              v1::RevocationReason reason,
                                                              const std::string& requested_by,
                                                              bool allow_unknown) {
  const WallTime now = clock_.Now();
  std::optional<std::string> new_id;
  // Not an ordered one: it must not tell when the computer came to be known.
  if (allow_unknown) {
    DT_ASSIGN_OR_RETURN(new_id, NewRandomHex(kDeviceIdOctets, random_));
  }
  DT_ASSIGN_OR_RETURN(const std::string event_id, NewOrderedId(kDeviceIdOctets, now, random_));
  auto result = database_.Write([&](db::Transaction& txn) -> absl::StatusOr<BlockResult> {
    DT_ASSIGN_OR_RETURN(const DeviceName found, FindOrAdd(txn, device, new_id));
    DT_ASSIGN_OR_RETURN(const bool is_new,
                        BlockStore(txn).BlockDevice(
                            {found.device_id, found.computer_sid, UnixSeconds(now), requested_by}));
    if (is_new) {
      const Change event = DeviceBlockEvent(found, true, event_id, requested_by, now);
      DT_RETURN_IF_ERROR(outbox_.Append(txn, event.id, event.payload));
    }
    BlockResult block{.was_already_blocked = !is_new, .revocation = {}};
    DT_ASSIGN_OR_RETURN(block.revocation, revocations_.RevokeForDeviceIn(
                                              txn, found.device_id, reason, requested_by, now));
    return block;
  });
  if (!result.ok()) return rpc::StoreError(result.status());
  kCertificatesRevoked.With({rpc::EnumName(reason)})
      .Add(static_cast<std::uint64_t>(result->revocation.revoked));
  Log(LogLevel::kInfo, kBlockEvent,
      {{"device_id", result->revocation.device_id},
       {"revoked", result->revocation.revoked},
       {"requested_by", requested_by}});
  return result;
}

absl::StatusOr<DeviceBlocks::UnblockResult> DeviceBlocks::Unblock(const DeviceName& device,
                                                                  const std::string& requested_by) {
  const WallTime now = clock_.Now();
  DT_ASSIGN_OR_RETURN(const std::string event_id, NewOrderedId(kDeviceIdOctets, now, random_));
  auto result = database_.Write([&](db::Transaction& txn) -> absl::StatusOr<UnblockResult> {
    DT_ASSIGN_OR_RETURN(const auto found, BlockStore(txn).FindDevice(device));
    if (!found) return UnknownDevice(device);
    UnblockResult unblock{found->device_id, false};
    DT_ASSIGN_OR_RETURN(unblock.was_blocked, BlockStore(txn).UnblockDevice(found->device_id));
    if (unblock.was_blocked) {
      const Change event = DeviceBlockEvent(*found, false, event_id, requested_by, now);
      DT_RETURN_IF_ERROR(outbox_.Append(txn, event.id, event.payload));
    }
    return unblock;
  });
  if (!result.ok()) return rpc::StoreError(result.status());
  Log(LogLevel::kInfo, kUnblockEvent,
      {{"device_id", result->device_id},
       {"was_blocked", result->was_blocked},
       {"requested_by", requested_by}});
  return result;
}

}  // namespace devicetrust::ca
