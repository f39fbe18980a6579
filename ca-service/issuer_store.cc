#include "ca-service/issuer_store.h"

#include <algorithm>

namespace devicetrust::ca {
namespace {

constexpr std::chrono::seconds kRootListCacheAge{60};  // For caches.

std::vector<StoredAuthority> AuthoritiesOf(const std::vector<db::Row>& rows) {
  std::vector<StoredAuthority> authorities;
  authorities.reserve(rows.size());
  for (const db::Row& row : rows) {
    authorities.push_back({db::Text(row[0]), db::Text(row[1]), db::Blob(row[2]), db::Blob(row[3]),
                           db::Text(row[4]), db::Int(row[5]) != 0, db::Int(row[6]),
                           db::Int(row[7])});
  }
  return authorities;
}

}  // namespace

absl::Status IssuerStore::InsertRoot(const StoredAuthority& root) {
  return txn_
      .Run("INSERT INTO roots (id, certificate, sealed_key) VALUES ($1, $2, $3)",
           {root.id, root.certificate, root.sealed_key})
      .status();
}

absl::Status IssuerStore::InsertIssuer(const StoredAuthority& issuer) {
  return txn_
      .Run(
          "INSERT INTO issuers (id, root_id, certificate, sealed_key, key_uri, is_active,"
          " published_at, activated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
          {issuer.id, issuer.root_id, issuer.certificate, issuer.sealed_key, issuer.key_uri,
           std::int64_t{issuer.is_active}, issuer.published_at, issuer.activated_at})
      .status();
}

absl::Status IssuerStore::Activate(const std::string& id, std::int64_t now) {
  DT_RETURN_IF_ERROR(
      txn_.Run("UPDATE issuers SET is_active = 0 WHERE is_active = 1 AND id <> $1", {id}).status());
  return txn_.Run("UPDATE issuers SET is_active = 1, activated_at = $2 WHERE id = $1", {id, now})
      .status();
}

absl::Status IssuerStore::Retire(const std::string& id, std::int64_t now) {
  return txn_
      .Run("UPDATE issuers SET retired_at = $2, sealed_key = $3 WHERE id = $1", {id, now, Bytes()})
      .status();
}

absl::StatusOr<std::int64_t> IssuerStore::LastExpiry(const std::string& issuer_id) {
  std::int64_t last = 0;
  for (const char* sql :
       {"SELECT coalesce(max(not_after), 0) FROM certificates WHERE issuer_id = $1",
        "SELECT coalesce(max(not_after), 0) FROM planned_certificates WHERE issuer_id = $1"}) {
    DT_ASSIGN_OR_RETURN(const auto rows, txn_.Run(sql, {issuer_id}));
    last = std::max(last, db::Int(rows[0][0]));
  }
  return last;
}

absl::StatusOr<std::vector<StoredAuthority>> IssuerStore::Roots() {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn_.Run("SELECT id, '', certificate, sealed_key, '', 0, 0, 0 FROM roots"));
  return AuthoritiesOf(rows);
}

absl::StatusOr<std::vector<StoredAuthority>> IssuerStore::Issuers() {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn_.Run("SELECT id, root_id, certificate, sealed_key, key_uri, is_active,"
                               " published_at, activated_at FROM issuers WHERE retired_at = 0"));
  return AuthoritiesOf(rows);
}

absl::StatusOr<bool> IssuerStore::WasEver(const std::string& issuer_id) {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn_.Run("SELECT 1 FROM issuers WHERE id = $1", {issuer_id}));
  return !rows.empty();
}

absl::Status IssuerStore::InsertRequest(const StoredIssuerRequest& request) {
  return txn_
      .Run(
          "INSERT INTO issuer_requests (key_thumbprint, sealed_key, key_uri, requested_at)"
          " VALUES ($1, $2, $3, $4)",
          {request.key_thumbprint, request.sealed_key, request.key_uri, request.requested_at})
      .status();
}

absl::Status IssuerStore::RemoveRequest(const std::string& key_thumbprint) {
  return txn_.Run("DELETE FROM issuer_requests WHERE key_thumbprint = $1", {key_thumbprint})
      .status();
}

absl::StatusOr<std::vector<StoredIssuerRequest>> IssuerStore::Requests() {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn_.Run("SELECT key_thumbprint, sealed_key, key_uri, requested_at"
                               " FROM issuer_requests ORDER BY requested_at, key_thumbprint"));
  std::vector<StoredIssuerRequest> requests;
  for (const db::Row& row : rows) {
    requests.push_back({db::Text(row[0]), db::Blob(row[1]), db::Text(row[2]), db::Int(row[3])});
  }
  return requests;
}

absl::Status IssuerStore::ReplaceRootCrl(const StoredRootCrl& crl) {
  DT_RETURN_IF_ERROR(txn_.Run("DELETE FROM root_crls WHERE root_id = $1", {crl.list.id}).status());
  return txn_
      .Run(
          "INSERT INTO root_crls (root_id, number, this_update, next_update, der)"
          " VALUES ($1, $2, $3, $4, $5)",
          {crl.list.id, crl.list.number, crl.list.this_update, crl.next_update, crl.list.der})
      .status();
}

absl::StatusOr<std::vector<StoredRootCrl>> IssuerStore::RootCrls() {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn_.Run("SELECT root_id, number, this_update, next_update, der FROM root_crls"));
  std::vector<StoredRootCrl> lists;
  for (const db::Row& row : rows) {
    lists.push_back({{.id = db::Text(row[0]),
                      .number = db::Int(row[1]),
                      .this_update = db::Int(row[2]),
                      .der = db::Blob(row[4]),
                      .next_update = db::Int(row[3]),
                      .max_age = kRootListCacheAge},
                     db::Int(row[3])});
  }
  return lists;
}

}  // namespace devicetrust::ca
