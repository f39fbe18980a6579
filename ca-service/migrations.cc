#include "ca-service/migrations.h"

#include "libs/db/outbox.h"

namespace devicetrust::ca {

std::vector<db::Migration> Migrations() {
  std::vector<db::Migration> steps;
  steps.push_back(
      {1,
       "ca",
       {// "root" and "issuing": the certificate, and its key sealed with the KEK.
        "CREATE TABLE ca_keys (name TEXT PRIMARY KEY, certificate BYTEA NOT NULL,"
        " sealed_key BYTEA NOT NULL)",
        // A computer's name in certificates, which tells an outsider nothing.
        "CREATE TABLE devices (computer_sid TEXT PRIMARY KEY, device_id TEXT NOT NULL)"
        " WITHOUT ROWID",
        "CREATE TABLE certificates (serial TEXT PRIMARY KEY, enrollment_id TEXT NOT NULL,"
        " device_id TEXT NOT NULL, user_id TEXT NOT NULL, user_sid TEXT NOT NULL,"
        " principal TEXT NOT NULL, key_thumbprint TEXT NOT NULL, issued_at BIGINT NOT NULL, "
        "not_after BIGINT NOT NULL,"
        " der BYTEA NOT NULL, revoked_at BIGINT, reason BIGINT, revocation_sequence BIGINT)",
        "CREATE INDEX certificates_user ON certificates (user_id)",
        "CREATE INDEX certificates_device ON certificates (device_id)",
        "CREATE INDEX certificates_issued ON certificates (issued_at, serial)",
        "CREATE UNIQUE INDEX certificates_revocation ON certificates (revocation_sequence)"
        " WHERE revocation_sequence IS NOT NULL",
        // A row may go once its token has expired: an expired token is refused unseen.
        "CREATE TABLE used_tokens (jti TEXT PRIMARY KEY, key_thumbprint TEXT NOT NULL,"
        " serial TEXT NOT NULL, expires_at BIGINT NOT NULL) WITHOUT ROWID",
        "CREATE INDEX used_tokens_expiry ON used_tokens (expires_at)",
        // The value of the sequence "barriers" at a user's last revocation.
        "CREATE TABLE user_barriers (user_id TEXT PRIMARY KEY, barrier BIGINT NOT NULL)"
        " WITHOUT ROWID",
        "CREATE TABLE crls (number INTEGER PRIMARY KEY, revocation_sequence BIGINT NOT NULL,"
        " this_update BIGINT NOT NULL, der BYTEA NOT NULL)"}});
  steps.push_back(db::Outbox::Tables(2));
  return steps;
}

}  // namespace devicetrust::ca
