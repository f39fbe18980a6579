#include "ca-service/certificate_store.h"

#include <utility>

#include "libs/db/migrations.h"

namespace devicetrust::ca {
namespace {

using db::Int;
using db::Row;
using db::Text;

// In the order of FromRow().
#define DT_CA_COLUMNS                                                               \
  "serial, enrollment_id, device_id, user_id, user_sid, principal, key_thumbprint," \
  " issued_at, not_after, der, revoked_at, reason, revocation_sequence"

StoredCertificate FromRow(Row& row) {
  StoredCertificate certificate;
  certificate.serial = Text(row[0]);
  certificate.enrollment_id = Text(row[1]);
  certificate.device_id = Text(row[2]);
  certificate.user_id = Text(row[3]);
  certificate.user_sid = Text(row[4]);
  certificate.principal = Text(row[5]);
  certificate.key_thumbprint = Text(row[6]);
  certificate.issued_at = Int(row[7]);
  certificate.not_after = Int(row[8]);
  certificate.der = std::get<Bytes>(std::move(row[9]));
  if (!db::IsNull(row[10])) {
    certificate.revoked_at = Int(row[10]);
    certificate.reason = static_cast<v1::RevocationReason>(Int(row[11]));
    certificate.revocation_sequence = Int(row[12]);
  }
  return certificate;
}

std::vector<StoredCertificate> FromRows(std::vector<Row> rows) {
  std::vector<StoredCertificate> certificates;
  certificates.reserve(rows.size());
  for (Row& row : rows) certificates.push_back(FromRow(row));
  return certificates;
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

}  // namespace

absl::StatusOr<Tables::Known> Tables::Find(const std::string& jti, const std::string& computer_sid,
                                           const std::string& user_id) {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn_.Run("SELECT (SELECT value FROM sequences WHERE name = 'barriers'),"
                               " (SELECT barrier FROM user_barriers WHERE user_id = $1),"
                               " (SELECT device_id FROM devices WHERE computer_sid = $2),"
                               " (SELECT key_thumbprint FROM used_tokens WHERE jti = $3)",
                               {user_id, computer_sid, jti}));
  const Row& row = rows.at(0);
  Known known;
  if (!db::IsNull(row[0])) known.barrier = Int(row[0]);
  if (!db::IsNull(row[1])) known.barrier_of_user = Int(row[1]);
  if (!db::IsNull(row[2])) known.device_id = Text(row[2]);
  if (!db::IsNull(row[3])) known.token_spent_for = Text(row[3]);
  return known;
}

absl::Status Tables::SpendToken(const SpentToken& token, const std::string& serial) {
  return txn_
      .Run(
          "INSERT INTO used_tokens (jti, key_thumbprint, serial, expires_at)"
          " VALUES ($1, $2, $3, $4)",
          {token.jti, token.key_thumbprint, serial, token.expires_at})
      .status();
}

absl::Status Tables::ForgetTokens(std::int64_t expired_before) {
  return txn_.Run("DELETE FROM used_tokens WHERE expires_at < $1", {expired_before}).status();
}

absl::Status Tables::AddDevice(const std::string& computer_sid, const std::string& device_id) {
  return txn_
      .Run("INSERT INTO devices (computer_sid, device_id) VALUES ($1, $2)",
           {computer_sid, device_id})
      .status();
}

absl::StatusOr<std::optional<StoredCertificate>> Tables::FindLive(const std::string& user_sid,
                                                                  const std::string& device_id,
                                                                  const std::string& key_thumbprint,
                                                                  std::int64_t now) {
  return AtMostOne(txn_.Run("SELECT " DT_CA_COLUMNS " FROM certificates"
                            " WHERE key_thumbprint = $1 AND device_id = $2 AND user_sid = $3"
                            " AND not_after > $4 AND revoked_at IS NULL LIMIT 1",
                            {key_thumbprint, device_id, user_sid, now}));
}

absl::StatusOr<std::optional<StoredCertificate>> Tables::FindBySerial(const std::string& serial) {
  return AtMostOne(
      txn_.Run("SELECT " DT_CA_COLUMNS " FROM certificates WHERE serial = $1", {serial}));
}

absl::StatusOr<std::vector<StoredCertificate>> Tables::List(const CertificateFilter& filter) {
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

absl::Status Tables::Insert(const StoredCertificate& certificate) {
  return txn_
      .Run(
          "INSERT INTO certificates (serial, enrollment_id, device_id, user_id, user_sid,"
          " principal, key_thumbprint, issued_at, not_after, der)"
          " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
          {certificate.serial, certificate.enrollment_id, certificate.device_id,
           certificate.user_id, certificate.user_sid, certificate.principal,
           certificate.key_thumbprint, certificate.issued_at, certificate.not_after,
           certificate.der})
      .status();
}

absl::StatusOr<std::vector<StoredCertificate>> Tables::LiveOfUser(const std::string& user_id,
                                                                  std::int64_t now) {
  DT_ASSIGN_OR_RETURN(auto rows, txn_.Run("SELECT " DT_CA_COLUMNS " FROM certificates"
                                          " WHERE user_id = $1 AND revoked_at IS NULL"
                                          " AND not_after > $2 ORDER BY issued_at, serial",
                                          {user_id, now}));
  return FromRows(std::move(rows));
}

absl::Status Tables::Revoke(StoredCertificate& certificate, v1::RevocationReason reason,
                            WallTime now) {
  DT_ASSIGN_OR_RETURN(certificate.revocation_sequence,
                      db::NextSequence(txn_, "revocations", UnixMicros(now)));
  certificate.revoked_at = UnixSeconds(now);
  certificate.reason = reason;
  return txn_
      .Run(
          "UPDATE certificates SET revoked_at = $1, reason = $2, revocation_sequence = $3"
          " WHERE serial = $4",
          {UnixSeconds(now), std::int64_t{reason}, certificate.revocation_sequence,
           certificate.serial})
      .status();
}

absl::StatusOr<std::vector<StoredRevocation>> Tables::RevokedAfter(std::int64_t sequence,
                                                                   std::int64_t not_after,
                                                                   std::int64_t limit) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn_.Run("SELECT revocation_sequence, serial, reason, revoked_at, not_after"
               " FROM certificates WHERE revocation_sequence > $1 AND not_after > $2"
               " ORDER BY revocation_sequence LIMIT $3",
               {sequence, not_after, limit}));
  std::vector<StoredRevocation> revocations;
  revocations.reserve(rows.size());
  for (const Row& row : rows) {
    revocations.push_back({Int(row[0]), Text(row[1]),
                           static_cast<v1::RevocationReason>(Int(row[2])), Int(row[3]),
                           Int(row[4])});
  }
  return revocations;
}

absl::StatusOr<std::int64_t> Tables::LastRevocation() {
  return NumberOf(txn_.Run("SELECT value FROM sequences WHERE name = 'revocations'"));
}

absl::StatusOr<std::int64_t> Tables::LastRevocationOfUser(const std::string& user_id) {
  return NumberOf(
      txn_.Run("SELECT max(revocation_sequence) FROM certificates WHERE user_id = $1", {user_id}));
}

absl::Status Tables::RaiseBarrier(const std::string& user_id) {
  DT_ASSIGN_OR_RETURN(const std::int64_t barrier, db::NextSequence(txn_, "barriers"));
  return txn_
      .Run(
          "INSERT INTO user_barriers (user_id, barrier) VALUES ($1, $2)"
          " ON CONFLICT (user_id) DO UPDATE SET barrier = excluded.barrier",
          {user_id, barrier})
      .status();
}

absl::StatusOr<std::optional<StoredCrl>> Tables::LatestCrl() {
  DT_ASSIGN_OR_RETURN(auto rows,
                      txn_.Run("SELECT number, revocation_sequence, this_update, der FROM crls"
                               " ORDER BY number DESC LIMIT 1"));
  if (rows.empty()) return std::nullopt;
  return StoredCrl{Int(rows[0][0]), Int(rows[0][1]), Int(rows[0][2]),
                   std::get<Bytes>(std::move(rows[0][3]))};
}

absl::Status Tables::ReplaceCrl(const StoredCrl& crl) {
  DT_RETURN_IF_ERROR(txn_.Run("INSERT INTO crls (number, revocation_sequence, this_update, der)"
                              " VALUES ($1, $2, $3, $4)",
                              {crl.number, crl.revocation_sequence, crl.this_update, crl.der})
                         .status());
  return txn_.Run("DELETE FROM crls WHERE number < $1", {crl.number}).status();
}

#undef DT_CA_COLUMNS

}  // namespace devicetrust::ca
