#include "ca-service/issuer_store.h"

namespace devicetrust::ca {
namespace {

std::vector<StoredAuthority> AuthoritiesOf(const std::vector<db::Row>& rows) {
  std::vector<StoredAuthority> authorities;
  authorities.reserve(rows.size());
  for (const db::Row& row : rows) {
    authorities.push_back({db::Text(row[0]), db::Text(row[1]), db::Blob(row[2]), db::Blob(row[3]),
                           db::Int(row[4]) != 0});
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
          "INSERT INTO issuers (id, root_id, certificate, sealed_key, is_active)"
          " VALUES ($1, $2, $3, $4, $5)",
          {issuer.id, issuer.root_id, issuer.certificate, issuer.sealed_key,
           std::int64_t{issuer.is_active}})
      .status();
}

absl::Status IssuerStore::Activate(const std::string& id) {
  DT_RETURN_IF_ERROR(
      txn_.Run("UPDATE issuers SET is_active = 0 WHERE is_active = 1 AND id <> $1", {id}).status());
  return txn_.Run("UPDATE issuers SET is_active = 1 WHERE id = $1", {id}).status();
}

absl::StatusOr<std::vector<StoredAuthority>> IssuerStore::Roots() {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn_.Run("SELECT id, '', certificate, sealed_key, 0 FROM roots"));
  return AuthoritiesOf(rows);
}

absl::StatusOr<std::vector<StoredAuthority>> IssuerStore::Issuers() {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn_.Run("SELECT id, root_id, certificate, sealed_key, is_active FROM issuers"));
  return AuthoritiesOf(rows);
}

}  // namespace devicetrust::ca
