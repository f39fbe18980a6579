#include "ca-service/revocations.h"

#include <fmt/format.h>

#include "ca-service/events.h"
#include "ca-service/metrics.h"
#include "libs/base/log.h"
#include "libs/rpc/enum_name.h"
#include "libs/rpc/error.h"

namespace devicetrust::ca {

Revocations::Revocations(db::Database& database, db::Outbox& outbox, const Clock& clock)
    : database_(database),
      outbox_(outbox),
      clock_(clock),
      watch_(database_.WatchTopic(kRevocationSequence, [this] { committed_.Fire(); })) {}

absl::Status Revocations::Revoke(db::Transaction& txn, StoredCertificate& certificate,
                                 v1::RevocationReason reason, const std::string& requested_by,
                                 WallTime now) {
  DT_RETURN_IF_ERROR(CertificateStore(txn).Revoke(certificate, reason, now));
  return outbox_.Append(txn, "revoke-" + certificate.serial,
                        RevokedEvent(certificate, requested_by, now));
}

absl::StatusOr<Revocations::UserRevocation> Revocations::RevokeForUser(
    const std::string& user_id, v1::RevocationReason reason, const std::string& requested_by) {
  const WallTime now = clock_.Now();
  auto result = database_.Write([&](db::Transaction& txn) -> absl::StatusOr<UserRevocation> {
    CertificateStore store(txn);
    DT_RETURN_IF_ERROR(store.RaiseRevocationEpoch(user_id));
    DT_ASSIGN_OR_RETURN(auto live, store.LiveOfUser(user_id, UnixSeconds(now)));
    UserRevocation revocation;
    for (StoredCertificate& certificate : live) {
      DT_RETURN_IF_ERROR(Revoke(txn, certificate, reason, requested_by, now));
      ++revocation.revoked;
    }
    DT_ASSIGN_OR_RETURN(revocation.sequence, store.LastRevocationOfUser(user_id));
    return revocation;
  });
  if (!result.ok()) return rpc::StoreError(result.status());
  kCertificatesRevoked.With({rpc::EnumName(reason)})
      .Add(static_cast<std::uint64_t>(result->revoked));
  Log(LogLevel::kInfo, kRevokeEvent,
      {{"user", user_id}, {"revoked", result->revoked}, {"requested_by", requested_by}});
  return result;
}

absl::StatusOr<Revocations::CertificateRevocation> Revocations::RevokeCertificate(
    const std::string& serial, v1::RevocationReason reason, const std::string& requested_by) {
  const WallTime now = clock_.Now();
  auto result = database_.Write([&](db::Transaction& txn) -> absl::StatusOr<CertificateRevocation> {
    DT_ASSIGN_OR_RETURN(auto found, CertificateStore(txn).FindBySerial(serial));
    if (!found) {
      return rpc::MakeError(
          absl::StatusCode::kNotFound, reason::v1::REASON_UNKNOWN_SUBJECT,
          fmt::format("no certificate has serial {}", serial), serial,
          "Look it up in the System Log: events pki.cert.issue name serial, user and device.");
    }
    if (found->revoked_at) return CertificateRevocation{*std::move(found), true};
    DT_RETURN_IF_ERROR(Revoke(txn, *found, reason, requested_by, now));
    return CertificateRevocation{*std::move(found), false};
  });
  if (!result.ok()) return rpc::StoreError(result.status());
  if (!result->was_already_revoked) kCertificatesRevoked.With({rpc::EnumName(reason)}).Add();
  Log(LogLevel::kInfo, kRevokeEvent,
      {{"serial", serial},
       {"already", result->was_already_revoked},
       {"requested_by", requested_by}});
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

}  // namespace devicetrust::ca
