#include "ca-service/migrations.h"

#include "libs/db/outbox.h"

namespace devicetrust::ca {

std::vector<db::Migration> Migrations() {
  std::vector<db::Migration> steps;
  steps.push_back(
      {1,
       "ca",
       {// Keys are sealed with the key-encryption key; ids are subject key identifiers in hex.
        "CREATE TABLE roots (id TEXT PRIMARY KEY, certificate BYTEA NOT NULL,"
        " sealed_key BYTEA NOT NULL)",
        "CREATE TABLE issuers (id TEXT PRIMARY KEY, root_id TEXT NOT NULL,"
        " certificate BYTEA NOT NULL, sealed_key BYTEA NOT NULL, is_active BIGINT NOT NULL)",
        "CREATE UNIQUE INDEX issuers_active ON issuers (is_active) WHERE is_active = 1",
        // A computer's name in certificates, which tells an outsider nothing.
        "CREATE TABLE devices (computer_sid TEXT PRIMARY KEY, device_id TEXT NOT NULL)"
        " WITHOUT ROWID",
        // A serial is unique over all issuers.
        "CREATE TABLE certificates (serial TEXT PRIMARY KEY, issuer_id TEXT NOT NULL,"
        " enrollment_id TEXT NOT NULL,"
        " device_id TEXT NOT NULL, user_id TEXT NOT NULL, user_sid TEXT NOT NULL,"
        " principal TEXT NOT NULL, key_thumbprint TEXT NOT NULL, issued_at BIGINT NOT NULL, "
        "not_after BIGINT NOT NULL,"
        " der BYTEA NOT NULL, revoked_at BIGINT, reason BIGINT, revocation_sequence BIGINT)",
        "CREATE INDEX certificates_user ON certificates (user_id)",
        "CREATE INDEX certificates_device ON certificates (device_id)",
        "CREATE INDEX certificates_issued ON certificates (issued_at, serial)",
        "CREATE UNIQUE INDEX certificates_revocation ON certificates (revocation_sequence)"
        " WHERE revocation_sequence IS NOT NULL",
        "CREATE INDEX certificates_issuer_revocation"
        " ON certificates (issuer_id, revocation_sequence) WHERE revocation_sequence IS NOT NULL",
        // A row may go once its evidence has expired: what has expired is refused unseen.
        "CREATE TABLE spent_evidence (id TEXT PRIMARY KEY, key_thumbprint TEXT NOT NULL,"
        " serial TEXT NOT NULL, expires_at BIGINT NOT NULL) WITHOUT ROWID",
        "CREATE INDEX spent_evidence_expiry ON spent_evidence (expires_at)",
        // The value of the sequence "revocation_epochs" at a user's last revocation.
        "CREATE TABLE user_revocation_epochs (user_id TEXT PRIMARY KEY, epoch BIGINT NOT NULL)"
        " WITHOUT ROWID",
        // The latest of each issuer. A number names one list for ever.
        "CREATE TABLE crls (issuer_id TEXT PRIMARY KEY, number BIGINT NOT NULL,"
        " revocation_sequence BIGINT NOT NULL, this_update BIGINT NOT NULL, der BYTEA NOT NULL)"}});
  steps.push_back(db::Outbox::Tables(2));
  return steps;
}

}  // namespace devicetrust::ca
