#include "ca-service/revocations.h"

#include <fmt/format.h>

#include <utility>

#include "ca-service/events.h"
#include "ca-service/metrics.h"
#include "libs/base/log.h"
#include "libs/rpc/enum_name.h"
#include "libs/rpc/error.h"

namespace devicetrust::ca {
namespace {

bool IsHold(v1::RevocationReason reason) {
  return reason == v1::REVOCATION_REASON_CERTIFICATE_HOLD;
}

void Count(v1::RevocationReason reason, int revoked) {
  kCertificatesRevoked.With({rpc::EnumName(reason)}).Add(static_cast<std::uint64_t>(revoked));
}

absl::StatusOr<StoredCertificate> Find(db::Transaction& txn, const std::string& serial) {
  DT_ASSIGN_OR_RETURN(auto found, CertificateStore(txn).FindBySerial(serial));
  if (found) return *std::move(found);
  return rpc::MakeError(
      absl::StatusCode::kNotFound, reason::v1::REASON_UNKNOWN_SUBJECT,
      fmt::format("no certificate has serial {}", serial), serial,
      "Look it up in the System Log: events pki.cert.issue name serial, user and device.");
}

}  // namespace

absl::Status UnknownDevice(const DeviceName& name) {
  const bool by_sid = name.device_id.empty();
  const std::string& text = by_sid ? name.computer_sid : name.device_id;
  return rpc::MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_UNKNOWN_SUBJECT,
                        by_sid ? fmt::format("no computer with SID {} has enrolled", text)
                               : fmt::format("no computer has device id {}", text),
                        text,
                        by_sid ? "Check the SID. `dtctl device block` takes a computer that has"
                                 " never enrolled with --allow-unknown."
                               : "`dtctl certificates` lists device ids.");
}

Revocations::Revocations(db::Database& database, db::Outbox& outbox, const Clock& clock)
    : database_(database),
      outbox_(outbox),
      clock_(clock),
      watch_(database_.WatchTopic(kRevocationSequence, [this] { committed_.Fire(); })) {}

absl::StatusOr<bool> Revocations::Revoke(db::Transaction& txn, StoredCertificate& certificate,
                                         v1::RevocationReason reason,
                                         const std::string& requested_by, WallTime now) {
  if (certificate.revoked_at && (!certificate.on_hold() || IsHold(reason))) return false;
  DT_RETURN_IF_ERROR(CertificateStore(txn).Revoke(certificate, reason, now));
  const Change event = RevokedEvent(certificate, requested_by, now);
  DT_RETURN_IF_ERROR(outbox_.Append(txn, event.id, event.payload));
  return true;
}

absl::StatusOr<int> Revocations::RevokeAll(db::Transaction& txn,
                                           std::vector<StoredCertificate> certificates,
                                           v1::RevocationReason reason,
                                           const std::string& requested_by, WallTime now) {
  int revoked = 0;
  for (StoredCertificate& certificate : certificates) {
    DT_ASSIGN_OR_RETURN(const bool changed, Revoke(txn, certificate, reason, requested_by, now));
    revoked += changed ? 1 : 0;
  }
  return revoked;
}

absl::StatusOr<Revocations::UserRevocation> Revocations::RevokeForUser(
    const std::string& user_id, v1::RevocationReason reason, const std::string& requested_by) {
  const WallTime now = clock_.Now();
  auto result = database_.Write([&](db::Transaction& txn) -> absl::StatusOr<UserRevocation> {
    CertificateStore store(txn);
    DT_RETURN_IF_ERROR(store.RaiseRevocationEpoch(user_id));
    DT_ASSIGN_OR_RETURN(auto certificates, store.RevocableOfUser(user_id, UnixSeconds(now)));
    UserRevocation revocation;
    DT_ASSIGN_OR_RETURN(revocation.revoked,
                        RevokeAll(txn, std::move(certificates), reason, requested_by, now));
    if (reason == v1::REVOCATION_REASON_KEY_COMPROMISE) {
      DT_RETURN_IF_ERROR(BlockStore(txn).BlockKeysOfUser(user_id, UnixSeconds(now), requested_by));
    }
    DT_ASSIGN_OR_RETURN(revocation.sequence, store.LastRevocationOfUser(user_id));
    return revocation;
  });
  if (!result.ok()) return rpc::StoreError(result.status());
  Count(reason, result->revoked);
  Log(LogLevel::kInfo, kRevokeEvent,
      {{"user", user_id}, {"revoked", result->revoked}, {"requested_by", requested_by}});
  return result;
}

absl::StatusOr<Revocations::CertificateRevocation> Revocations::RevokeCertificate(
    const std::string& serial, v1::RevocationReason reason, const std::string& requested_by) {
  const WallTime now = clock_.Now();
  auto result = database_.Write([&](db::Transaction& txn) -> absl::StatusOr<CertificateRevocation> {
    DT_ASSIGN_OR_RETURN(StoredCertificate found, Find(txn, serial));
    const bool was_on_hold = found.on_hold();
    DT_ASSIGN_OR_RETURN(const bool changed, Revoke(txn, found, reason, requested_by, now));
    if (reason == v1::REVOCATION_REASON_KEY_COMPROMISE) {
      DT_RETURN_IF_ERROR(BlockStore(txn).BlockKeyOf(serial, UnixSeconds(now), requested_by));
    }
    return CertificateRevocation{std::move(found), !changed, was_on_hold};
  });
  if (!result.ok()) return rpc::StoreError(result.status());
  if (!result->was_already_revoked) Count(reason, 1);
  Log(LogLevel::kInfo, kRevokeEvent,
      {{"serial", serial},
       {"already", result->was_already_revoked},
       {"requested_by", requested_by}});
  return result;
}

absl::StatusOr<Revocations::DeviceRevocation> Revocations::RevokeForDeviceIn(
    db::Transaction& txn, const std::string& device_id, v1::RevocationReason reason,
    const std::string& requested_by, WallTime now) {
  CertificateStore store(txn);
  DT_ASSIGN_OR_RETURN(auto certificates, store.RevocableOfDevice(device_id, UnixSeconds(now)));
  DeviceRevocation revocation{.device_id = device_id};
  DT_ASSIGN_OR_RETURN(revocation.revoked,
                      RevokeAll(txn, std::move(certificates), reason, requested_by, now));
  if (reason == v1::REVOCATION_REASON_KEY_COMPROMISE) {
    DT_RETURN_IF_ERROR(
        BlockStore(txn).BlockKeysOfDevice(device_id, UnixSeconds(now), requested_by));
  }
  DT_ASSIGN_OR_RETURN(revocation.sequence, store.LastRevocationOfDevice(device_id));
  return revocation;
}

absl::StatusOr<Revocations::DeviceRevocation> Revocations::RevokeForDevice(
    const DeviceName& device, v1::RevocationReason reason, const std::string& requested_by) {
  const WallTime now = clock_.Now();
  auto result = database_.Write([&](db::Transaction& txn) -> absl::StatusOr<DeviceRevocation> {
    DT_ASSIGN_OR_RETURN(const auto found, BlockStore(txn).FindDevice(device));
    if (!found) return UnknownDevice(device);
    return RevokeForDeviceIn(txn, found->device_id, reason, requested_by, now);
  });
  if (!result.ok()) return rpc::StoreError(result.status());
  Count(reason, result->revoked);
  Log(LogLevel::kInfo, kRevokeEvent,
      {{"device_id", result->device_id},
       {"revoked", result->revoked},
       {"requested_by", requested_by}});
  return result;
}

absl::StatusOr<Revocations::HoldRelease> Revocations::ReleaseHold(const std::string& serial,
                                                                  const std::string& requested_by) {
  const WallTime now = clock_.Now();
  auto result = database_.Write([&](db::Transaction& txn) -> absl::StatusOr<HoldRelease> {
    DT_ASSIGN_OR_RETURN(StoredCertificate found, Find(txn, serial));
    if (!found.revoked_at) return HoldRelease{};
    if (!found.on_hold()) {
      return rpc::MakeError(
          absl::StatusCode::kFailedPrecondition, reason::v1::REASON_CONFLICTING_STATE,
          fmt::format("certificate {} is revoked for good", serial), serial,
          "Enroll the computer again: only a certificate that is on hold can be released.");
    }
    DT_ASSIGN_OR_RETURN(const bool blocked, BlockStore(txn).IsDeviceBlocked(found.device_id));
    if (blocked) {
      return rpc::MakeError(absl::StatusCode::kFailedPrecondition,
                            reason::v1::REASON_CONFLICTING_STATE,
                            fmt::format("computer {} is blocked", found.device_id), found.device_id,
                            "Unblock it first: `dtctl device unblock`.");
    }
    HoldRelease release{.was_on_hold = true};
    DT_ASSIGN_OR_RETURN(release.sequence, CertificateStore(txn).Release(found, now));
    const Change event = ReleasedEvent(found, release.sequence, requested_by, now);
    DT_RETURN_IF_ERROR(outbox_.Append(txn, event.id, event.payload));
    return release;
  });
  if (!result.ok()) return rpc::StoreError(result.status());
  if (result->was_on_hold) kHoldsReleased.With().Add();
  Log(LogLevel::kInfo, kReleaseEvent,
      {{"serial", serial}, {"was_on_hold", result->was_on_hold}, {"requested_by", requested_by}});
  return result;
}

absl::StatusOr<std::vector<StoredRevocation>> Revocations::After(std::int64_t sequence,
                                                                 std::int64_t limit) {
  auto result =
      database_.Read([&](db::Transaction& txn) -> absl::StatusOr<std::vector<StoredRevocation>> {
        CertificateStore store(txn);
        DT_ASSIGN_OR_RETURN(const std::int64_t last, store.LastRevocation());
        DT_RETURN_IF_ERROR(rpc::CheckPosition(sequence, last));
        if (sequence == last) return std::vector<StoredRevocation>();
        return store.RevokedAfter(sequence, limit);
      });
  if (!result.ok()) return rpc::StoreError(result.status());
  return result;
}

absl::StatusOr<std::vector<CertificateStore::Ended>> Revocations::Ended(
    const CertificateStore::Ended& after, WallTime until, std::int64_t limit) {
  auto result = database_.Read([&](db::Transaction& txn) {
    return CertificateStore(txn).RevokedThatEnded(after, UnixSeconds(until), limit);
  });
  if (!result.ok()) return rpc::StoreError(result.status());
  return result;
}

}  // namespace devicetrust::ca
