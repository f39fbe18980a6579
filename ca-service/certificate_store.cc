#include "ca-service/certificate_store.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "libs/db/sequence.h"
#include "libs/pki/serial_set.h"

namespace devicetrust::ca {
namespace {

// A larger list would hold up every other write, and is made anew after a restart.
constexpr std::size_t kStoredCrlBytesMax = std::size_t{1} << 20;

using db::Int;
using db::Row;
using db::Text;

// In the order of FromRow().
#define DT_CA_COLUMNS                                                                          \
  "serial, issuer_id, enrollment_id, device_id, user_id, user_sid, principal, key_thumbprint," \
  " issued_at, not_after, der, revoked_at, reason, revocation_sequence"

// Good or on hold: REVOCATION_REASON_CERTIFICATE_HOLD.
#define DT_CA_REVOCABLE "(revoked_at IS NULL OR reason = 6)"

StoredCertificate FromRow(Row& row) {
  StoredCertificate certificate;
  certificate.serial = Text(row[0]);
  certificate.issuer_id = Text(row[1]);
  certificate.enrollment_id = Text(row[2]);
  certificate.device_id = Text(row[3]);
  certificate.user_id = Text(row[4]);
  certificate.user_sid = Text(row[5]);
  certificate.principal = Text(row[6]);
  certificate.key_thumbprint = Text(row[7]);
  certificate.issued_at = Int(row[8]);
  certificate.not_after = Int(row[9]);
  certificate.der = std::get<Bytes>(std::move(row[10]));
  if (!db::IsNull(row[11])) {
    certificate.revoked_at = Int(row[11]);
    certificate.reason = static_cast<v1::RevocationReason>(Int(row[12]));
    certificate.revocation_sequence = Int(row[13]);
  }
  return certificate;
}

std::vector<StoredCertificate> FromRows(std::vector<Row> rows) {
  std::vector<StoredCertificate> certificates;
  certificates.reserve(rows.size());
  for (Row& row : rows) certificates.push_back(FromRow(row));
  return certificates;
}

// In the order of RevocationsOf().
#define DT_CA_REVOCATION_COLUMNS \
  "revocation_sequence, serial, reason, revoked_at, not_after, issuer_id, crl_shard"

absl::StatusOr<std::vector<StoredRevocation>> RevocationsOf(
    const absl::StatusOr<std::vector<Row>>& rows) {
  if (!rows.ok()) return rows.status();
  std::vector<StoredRevocation> revocations;
  revocations.reserve(rows->size());
  for (const Row& row : *rows) {
    revocations.push_back({.sequence = Int(row[0]),
                           .serial = Text(row[1]),
                           .reason = static_cast<v1::RevocationReason>(Int(row[2])),
                           .revoked_at = Int(row[3]),
                           .not_after = Int(row[4]),
                           .issuer_id = Text(row[5]),
                           .crl_shard = Int(row[6])});
  }
  return revocations;
}

absl::StatusOr<std::optional<StoredCertificate>> AtMostOne(absl::StatusOr<std::vector<Row>> rows) {
  if (!rows.ok()) return rows.status();
  if (rows->empty()) return std::nullopt;
  return FromRow(rows->front());
}

// The number in the one row and column of `rows`; 0 for none or NULL.
absl::StatusOr<std::int64_t> NumberOf(const absl::StatusOr<std::vector<Row>>& rows) {
  if (!rows.ok()) return rows.status();
  if (rows->empty() || db::IsNull(rows->front()[0])) return 0;
  return Int(rows->front()[0]);
}

absl::StatusOr<CertificateStore::Recent> RecentOf(const absl::StatusOr<std::vector<Row>>& rows) {
  if (!rows.ok()) return rows.status();
  const Row& row = rows->at(0);
  CertificateStore::Recent recent{Int(row[0]), 0};
  if (!db::IsNull(row[1])) recent.first_at = Int(row[1]);
  return recent;
}

}  // namespace

absl::StatusOr<CertificateStore::EnrollmentState> CertificateStore::FindEnrollmentState(
    const EnrollmentNames& names) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn_.Run("SELECT (SELECT value FROM sequences WHERE name = 'revocation_epochs'),"
               " (SELECT epoch FROM user_revocation_epochs WHERE user_id = $1),"
               " (SELECT device_id FROM devices WHERE computer_sid = $2),"
               " (SELECT key_thumbprint FROM spent_evidence WHERE id = $3),"
               " (SELECT serial FROM spent_evidence WHERE id = $3),"
               " EXISTS (SELECT 1 FROM blocked_devices b JOIN devices d"
               " ON d.device_id = b.device_id WHERE d.computer_sid = $2),"
               " EXISTS (SELECT 1 FROM blocked_keys WHERE thumbprint = $4)",
               {names.user_id, names.computer_sid, names.evidence_id, names.key_thumbprint}));
  const Row& row = rows.at(0);
  EnrollmentState state;
  if (!db::IsNull(row[0])) state.revocation_epoch = Int(row[0]);
  if (!db::IsNull(row[1])) state.user_revocation_epoch = Int(row[1]);
  if (!db::IsNull(row[2])) state.device_id = Text(row[2]);
  if (!db::IsNull(row[3])) state.evidence_spent_for = Text(row[3]);
  if (!db::IsNull(row[4])) state.evidence_serial = Text(row[4]);
  state.device_blocked = Int(row[5]) != 0;
  state.key_blocked = Int(row[6]) != 0;
  return state;
}

absl::Status CertificateStore::SpendEvidence(const SpentEvidence& evidence,
                                             const std::string& serial) {
  return txn_
      .Run(
          "INSERT INTO spent_evidence (id, key_thumbprint, serial, expires_at)"
          " VALUES ($1, $2, $3, $4)",
          {evidence.id, evidence.key_thumbprint, serial, evidence.expires_at})
      .status();
}

absl::Status CertificateStore::ForgetEvidence(std::int64_t expired_before) {
  return txn_.Run("DELETE FROM spent_evidence WHERE expires_at < $1", {expired_before}).status();
}

absl::Status CertificateStore::AddDevice(const std::string& computer_sid,
                                         const std::string& device_id) {
  return txn_
      .Run("INSERT INTO devices (computer_sid, device_id) VALUES ($1, $2)",
           {computer_sid, device_id})
      .status();
}

absl::StatusOr<std::optional<StoredCertificate>> CertificateStore::FindOfKey(
    const std::string& user_sid, const std::string& device_id, const std::string& key_thumbprint,
    std::int64_t now) {
  return AtMostOne(txn_.Run("SELECT " DT_CA_COLUMNS " FROM certificates"
                            " WHERE key_thumbprint = $1 AND device_id = $2 AND user_sid = $3"
                            " AND not_after > $4 AND " DT_CA_REVOCABLE
                            " ORDER BY revoked_at IS NOT NULL LIMIT 1",
                            {key_thumbprint, device_id, user_sid, now}));
}

absl::StatusOr<std::string> CertificateStore::FindRenewed(const StoredCertificate& fresh,
                                                          std::int64_t now) {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn_.Run("SELECT serial FROM certificates WHERE device_id = $1"
                               " AND user_sid = $2 AND serial <> $3 AND not_after > $4"
                               " AND revoked_at IS NULL ORDER BY issued_at DESC, serial LIMIT 1",
                               {fresh.device_id, fresh.user_sid, fresh.serial, now}));
  return rows.empty() ? std::string() : db::Text(rows.front()[0]);
}

absl::StatusOr<std::optional<StoredCertificate>> CertificateStore::FindBySerial(
    const std::string& serial) {
  return AtMostOne(
      txn_.Run("SELECT " DT_CA_COLUMNS " FROM certificates WHERE serial = $1", {serial}));
}

absl::StatusOr<std::vector<StoredCertificate>> CertificateStore::List(
    const CertificateFilter& filter) {
  // One text per combination: each can use its index, and each is compiled once.
  std::string sql = "SELECT " DT_CA_COLUMNS " FROM certificates WHERE TRUE";
  std::vector<db::Value> args;
  const auto add = [&](const char* condition, db::Value value) {
    args.push_back(std::move(value));
    sql += " AND " + std::string(condition) + " $" + std::to_string(args.size());
  };
  if (!filter.user_id.empty()) add("user_id =", filter.user_id);
  if (!filter.device_id.empty()) add("device_id =", filter.device_id);
  if (!filter.serial.empty()) add("serial =", filter.serial);
  if (filter.after) {
    args.emplace_back(filter.after->first);
    args.emplace_back(filter.after->second);
    const std::string first = std::to_string(args.size() - 1);
    sql += " AND (issued_at < $" + first + " OR (issued_at = $" + first + " AND serial < $" +
           std::to_string(args.size()) + "))";
  }
  args.emplace_back(filter.limit);
  sql += " ORDER BY issued_at DESC, serial DESC LIMIT $" + std::to_string(args.size());
  DT_ASSIGN_OR_RETURN(auto rows, txn_.Run(sql, args));
  return FromRows(std::move(rows));
}

absl::StatusOr<std::vector<std::string>> CertificateStore::UsersOfDevice(
    const std::string& device_id) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn_.Run("SELECT DISTINCT user_id FROM certificates WHERE device_id = $1", {device_id}));
  std::vector<std::string> users;
  for (const db::Row& row : rows) users.push_back(db::Text(row[0]));
  return users;
}

absl::StatusOr<CertificateStore::Recent> CertificateStore::IssuedToDevice(
    const std::string& device_id, std::int64_t after, std::int64_t limit) {
  return RecentOf(
      txn_.Run("SELECT count(*), min(issued_at) FROM (SELECT issued_at"
               " FROM certificates WHERE device_id = $1 AND issued_at > $2"
               " ORDER BY issued_at LIMIT $3) AS recent",
               {device_id, after, limit}));
}

absl::StatusOr<CertificateStore::Recent> CertificateStore::IssuedToUser(const std::string& user_id,
                                                                        std::int64_t after,
                                                                        std::int64_t limit) {
  return RecentOf(
      txn_.Run("SELECT count(*), min(issued_at) FROM (SELECT issued_at"
               " FROM certificates WHERE user_id = $1 AND issued_at > $2"
               " ORDER BY issued_at LIMIT $3) AS recent",
               {user_id, after, limit}));
}

absl::Status CertificateStore::Insert(const StoredCertificate& certificate) {
  return txn_
      .Run(
          "INSERT INTO certificates (serial, issuer_id, enrollment_id, device_id, user_id, "
          "user_sid,"
          " principal, key_thumbprint, issued_at, not_after, der, crl_shard)"
          " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
          {certificate.serial, certificate.issuer_id, certificate.enrollment_id,
           certificate.device_id, certificate.user_id, certificate.user_sid, certificate.principal,
           certificate.key_thumbprint, certificate.issued_at, certificate.not_after,
           certificate.der, certificate.crl_shard})
      .status();
}

absl::StatusOr<bool> CertificateStore::IsSerialKeyTaken(const std::string& serial) {
  const std::string begin = serial.substr(0, 2 * pki::kSerialKeyOctets);
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn_.Run("SELECT 1 FROM certificates WHERE serial >= $1 AND serial < $2"
                               " UNION ALL SELECT 1 FROM planned_certificates"
                               " WHERE serial >= $1 AND serial < $2 LIMIT 1",
                               {begin, begin + "g"}));  // Behind every digit.
  return !rows.empty();
}

absl::StatusOr<std::vector<StoredCertificate>> CertificateStore::RevocableOfUser(
    const std::string& user_id, std::int64_t now) {
  DT_ASSIGN_OR_RETURN(auto rows, txn_.Run("SELECT " DT_CA_COLUMNS " FROM certificates"
                                          " WHERE user_id = $1 AND not_after > $2"
                                          " AND " DT_CA_REVOCABLE " ORDER BY issued_at, serial",
                                          {user_id, now}));
  return FromRows(std::move(rows));
}

absl::StatusOr<std::vector<StoredCertificate>> CertificateStore::RevocableOfDevice(
    const std::string& device_id, std::int64_t now) {
  DT_ASSIGN_OR_RETURN(auto rows, txn_.Run("SELECT " DT_CA_COLUMNS " FROM certificates"
                                          " WHERE device_id = $1 AND not_after > $2"
                                          " AND " DT_CA_REVOCABLE " ORDER BY issued_at, serial",
                                          {device_id, now}));
  return FromRows(std::move(rows));
}

absl::Status CertificateStore::Revoke(StoredCertificate& certificate, v1::RevocationReason reason,
                                      WallTime now) {
  DT_ASSIGN_OR_RETURN(certificate.revocation_sequence,
                      db::NextSequence(txn_, kRevocationSequence, UnixMicros(now)));
  txn_.Announce(kRevocationSequence);
  if (!certificate.on_hold()) certificate.revoked_at = UnixSeconds(now);
  certificate.reason = reason;
  DT_RETURN_IF_ERROR(
      txn_.Run("DELETE FROM released_holds WHERE serial = $1", {certificate.serial}).status());
  return txn_
      .Run(
          "UPDATE certificates SET revoked_at = $1, reason = $2, revocation_sequence = $3"
          " WHERE serial = $4",
          {*certificate.revoked_at, std::int64_t{reason}, certificate.revocation_sequence,
           certificate.serial})
      .status();
}

absl::StatusOr<std::int64_t> CertificateStore::Release(StoredCertificate& certificate,
                                                       WallTime now) {
  DT_ASSIGN_OR_RETURN(const std::int64_t sequence,
                      db::NextSequence(txn_, kRevocationSequence, UnixMicros(now)));
  txn_.Announce(kRevocationSequence);
  certificate.revoked_at.reset();
  certificate.reason = v1::REVOCATION_REASON_UNSPECIFIED;
  certificate.revocation_sequence = 0;
  DT_RETURN_IF_ERROR(txn_.Run("UPDATE certificates SET revoked_at = NULL, reason = NULL,"
                              " revocation_sequence = NULL WHERE serial = $1",
                              {certificate.serial})
                         .status());
  DT_RETURN_IF_ERROR(
      txn_.Run("INSERT INTO released_holds (serial, issuer_id, sequence, not_after)"
               " VALUES ($1, $2, $3, $4)",
               {certificate.serial, certificate.issuer_id, sequence, certificate.not_after})
          .status());
  return sequence;
}

absl::StatusOr<std::vector<StoredRevocation>> CertificateStore::RevokedAfter(std::int64_t sequence,
                                                                             std::int64_t limit) {
  DT_ASSIGN_OR_RETURN(auto changes,
                      RevocationsOf(txn_.Run("SELECT " DT_CA_REVOCATION_COLUMNS
                                             " FROM certificates WHERE revocation_sequence > $1"
                                             " ORDER BY revocation_sequence LIMIT $2",
                                             {sequence, limit})));
  DT_ASSIGN_OR_RETURN(const auto released,
                      txn_.Run("SELECT sequence, serial, not_after, issuer_id FROM released_holds"
                               " WHERE sequence > $1 ORDER BY sequence LIMIT $2",
                               {sequence, limit}));
  for (const Row& row : released) {
    changes.push_back({.sequence = Int(row[0]),
                       .serial = Text(row[1]),
                       .not_after = Int(row[2]),
                       .released = true,
                       .issuer_id = Text(row[3])});
  }
  std::ranges::sort(changes, {}, &StoredRevocation::sequence);
  if (std::ssize(changes) > limit) changes.resize(static_cast<std::size_t>(limit));
  return changes;
}

absl::StatusOr<std::vector<CertificateStore::Ended>> CertificateStore::RevokedThatEnded(
    const Ended& after, std::int64_t until, std::int64_t limit) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn_.Run("SELECT not_after, serial FROM certificates WHERE revocation_sequence IS NOT NULL"
               " AND not_after >= $1 AND not_after < $2 AND (not_after > $1 OR serial > $3)"
               " ORDER BY not_after, serial LIMIT $4",
               {after.not_after, until, after.serial, limit}));
  std::vector<Ended> ended;
  ended.reserve(rows.size());
  for (const Row& row : rows) ended.push_back({Int(row[0]), Text(row[1])});
  return ended;
}

absl::StatusOr<std::int64_t> CertificateStore::LastRevocation() {
  return db::LastSequence(txn_, kRevocationSequence);
}

absl::StatusOr<std::int64_t> CertificateStore::LastRevocationOfUser(const std::string& user_id) {
  return NumberOf(
      txn_.Run("SELECT max(revocation_sequence) FROM certificates WHERE user_id = $1", {user_id}));
}

absl::StatusOr<std::int64_t> CertificateStore::LastRevocationOfDevice(
    const std::string& device_id) {
  return NumberOf(txn_.Run("SELECT max(revocation_sequence) FROM certificates WHERE device_id = $1",
                           {device_id}));
}

absl::StatusOr<std::int64_t> CertificateStore::RevocationEpochOf(const std::string& user_id) {
  return NumberOf(
      txn_.Run("SELECT epoch FROM user_revocation_epochs WHERE user_id = $1", {user_id}));
}

absl::Status CertificateStore::RaiseRevocationEpoch(const std::string& user_id) {
  DT_ASSIGN_OR_RETURN(const std::int64_t epoch, db::NextSequence(txn_, "revocation_epochs"));
  return txn_
      .Run(
          "INSERT INTO user_revocation_epochs (user_id, epoch) VALUES ($1, $2)"
          " ON CONFLICT (user_id) DO UPDATE SET epoch = excluded.epoch",
          {user_id, epoch})
      .status();
}

absl::StatusOr<std::optional<StoredCrl>> CertificateStore::LatestCrl(const std::string& id) {
  DT_ASSIGN_OR_RETURN(auto rows,
                      txn_.Run("SELECT number, revocation_sequence, this_update, der FROM crls"
                               " WHERE issuer_id = $1",
                               {id}));
  if (rows.empty()) return std::nullopt;
  return StoredCrl{.id = id,
                   .number = Int(rows[0][0]),
                   .revocation_sequence = Int(rows[0][1]),
                   .this_update = Int(rows[0][2]),
                   .der = std::get<Bytes>(std::move(rows[0][3]))};
}

absl::Status CertificateStore::ReplaceCrl(const StoredCrl& crl) {
  const bool large = crl.der.size() > kStoredCrlBytesMax;
  return txn_
      .Run(
          "INSERT INTO crls (issuer_id, number, revocation_sequence, this_update, der)"
          " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (issuer_id) DO UPDATE SET"
          " number = excluded.number, revocation_sequence = excluded.revocation_sequence,"
          " this_update = excluded.this_update, der = excluded.der",
          {crl.id, crl.number, crl.revocation_sequence, crl.this_update, large ? Bytes() : crl.der})
      .status();
}

#undef DT_CA_REVOCATION_COLUMNS
#undef DT_CA_REVOCABLE
#undef DT_CA_COLUMNS

}  // namespace devicetrust::ca
