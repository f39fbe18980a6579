#include "ca-service/migrations.h"

#include "libs/db/outbox.h"

namespace devicetrust::ca {

std::vector<db::Migration> Migrations() {
  std::vector<db::Migration> steps;
  steps.push_back(
      {1,
       "ca",
       {// Keys are sealed with the key-encryption key; ids are subject key identifiers in hex.
        {.name = "roots",
         .columns = "id TEXT PRIMARY KEY, certificate BYTEA NOT NULL, sealed_key BYTEA NOT NULL"},
        {.name = "issuers",
         .columns = "id TEXT PRIMARY KEY, root_id TEXT NOT NULL, certificate BYTEA NOT NULL,"
                    " sealed_key BYTEA NOT NULL, is_active BIGINT NOT NULL"},
        // A computer's name in certificates, which tells an outsider nothing.
        {.name = "devices",
         .columns = "computer_sid TEXT PRIMARY KEY, device_id TEXT NOT NULL",
         .clustered = true},
        // A serial is unique over all issuers.
        {.name = "certificates",
         .columns = "serial TEXT PRIMARY KEY, issuer_id TEXT NOT NULL,"
                    " enrollment_id TEXT NOT NULL, device_id TEXT NOT NULL,"
                    " user_id TEXT NOT NULL, user_sid TEXT NOT NULL, principal TEXT NOT NULL,"
                    " key_thumbprint TEXT NOT NULL, issued_at BIGINT NOT NULL,"
                    " not_after BIGINT NOT NULL, der BYTEA NOT NULL, revoked_at BIGINT,"
                    " reason BIGINT, revocation_sequence BIGINT"},
        // A row may go once its evidence has expired: what has expired is refused unseen.
        {.name = "spent_evidence",
         .columns = "id TEXT PRIMARY KEY, key_thumbprint TEXT NOT NULL, serial TEXT NOT NULL,"
                    " expires_at BIGINT NOT NULL",
         .clustered = true},
        // The value of the sequence "revocation_epochs" at a user's last revocation.
        {.name = "user_revocation_epochs",
         .columns = "user_id TEXT PRIMARY KEY, epoch BIGINT NOT NULL",
         .clustered = true},
        // The latest of each issuer. A number names one list for ever.
        {.name = "crls",
         .columns = "issuer_id TEXT PRIMARY KEY, number BIGINT NOT NULL,"
                    " revocation_sequence BIGINT NOT NULL, this_update BIGINT NOT NULL,"
                    " der BYTEA NOT NULL"}},
       {"CREATE UNIQUE INDEX issuers_active ON issuers (is_active) WHERE is_active = 1",
        "CREATE INDEX certificates_user ON certificates (user_id)",
        "CREATE INDEX certificates_device ON certificates (device_id)",
        "CREATE INDEX certificates_issued ON certificates (issued_at, serial)",
        "CREATE UNIQUE INDEX certificates_revocation ON certificates (revocation_sequence)"
        " WHERE revocation_sequence IS NOT NULL",
        "CREATE INDEX certificates_issuer_revocation"
        " ON certificates (issuer_id, revocation_sequence) WHERE revocation_sequence IS NOT NULL",
        "CREATE INDEX spent_evidence_expiry ON spent_evidence (expires_at)"}});
  steps.push_back(db::Outbox::Tables(2));
  steps.push_back(
      {3,
       "planned_certificates",
       {// What is about to be signed; gone once the certificate is recorded.
        {.name = "planned_certificates",
         .columns = "serial TEXT PRIMARY KEY, issuer_id TEXT NOT NULL,"
                    " enrollment_id TEXT NOT NULL, device_id TEXT NOT NULL,"
                    " user_id TEXT NOT NULL, user_sid TEXT NOT NULL, principal TEXT NOT NULL,"
                    " key_thumbprint TEXT NOT NULL, issued_at BIGINT NOT NULL,"
                    " not_after BIGINT NOT NULL, content BYTEA NOT NULL,"
                    " revocation_epoch BIGINT NOT NULL, client_address TEXT NOT NULL",
         .clustered = true}},
       {// A device with many certificates must not make the look-up of one key slow.
        "CREATE INDEX certificates_key ON certificates (key_thumbprint, device_id)",
        // How many a device and a user got lately.
        "CREATE INDEX certificates_device_issued ON certificates (device_id, issued_at)",
        "CREATE INDEX certificates_user_issued ON certificates (user_id, issued_at)",
        "DROP INDEX certificates_device", "DROP INDEX certificates_user"}});
  // Who signs OCSP answers in an issuer's name: the key is sealed as an issuer's.
  steps.push_back({4,
                   "ocsp",
                   {{.name = "ocsp_delegates",
                     .columns = "issuer_id TEXT PRIMARY KEY, certificate BYTEA NOT NULL,"
                                " sealed_key BYTEA NOT NULL"}}});
  steps.push_back(
      {5,
       "holds and blocks",
       {// Certificates whose last change was the end of a hold: in the sequence of revocations.
        {.name = "released_holds",
         .columns = "serial TEXT PRIMARY KEY, issuer_id TEXT NOT NULL, sequence BIGINT NOT NULL,"
                    " not_after BIGINT NOT NULL",
         .clustered = true},
        // Computers that get no certificate.
        {.name = "blocked_devices",
         .columns = "device_id TEXT PRIMARY KEY, blocked_at BIGINT NOT NULL,"
                    " requested_by TEXT NOT NULL",
         .clustered = true},
        // Keys that get no certificate; the serial is of the one that was revoked for it.
        {.name = "blocked_keys",
         .columns = "thumbprint TEXT PRIMARY KEY, serial TEXT NOT NULL, blocked_at BIGINT NOT NULL,"
                    " requested_by TEXT NOT NULL",
         .clustered = true}},
       {"CREATE UNIQUE INDEX released_holds_sequence ON released_holds (sequence)",
        "CREATE INDEX released_holds_issuer ON released_holds (issuer_id, sequence)",
        "CREATE UNIQUE INDEX devices_id ON devices (device_id)"}});
  steps.push_back({6,
                   "issuer_rollover",
                   {// Keys that wait for a certificate of a root whose key is elsewhere.
                    {.name = "issuer_requests",
                     .columns = "key_thumbprint TEXT PRIMARY KEY, sealed_key BYTEA NOT NULL,"
                                " key_uri TEXT NOT NULL, requested_at BIGINT NOT NULL"},
                    // The list of such a root, as it was brought.
                    {.name = "root_crls",
                     .columns = "root_id TEXT PRIMARY KEY, number BIGINT NOT NULL,"
                                " this_update BIGINT NOT NULL, next_update BIGINT NOT NULL,"
                                " der BYTEA NOT NULL"}},
                   {// A key in a PKCS#11 token has a URI, and no octets here.
                    "ALTER TABLE issuers ADD COLUMN key_uri TEXT NOT NULL DEFAULT ''",
                    "ALTER TABLE issuers ADD COLUMN published_at BIGINT NOT NULL DEFAULT 0",
                    "ALTER TABLE issuers ADD COLUMN activated_at BIGINT NOT NULL DEFAULT 0",
                    "ALTER TABLE issuers ADD COLUMN retired_at BIGINT NOT NULL DEFAULT 0",
                    "UPDATE issuers SET activated_at = 1 WHERE is_active = 1"}});
  // Lists of parts of an issuer's certificates; those that name no part name the complete list.
  steps.push_back(
      {7,
       "crl shards",
       {{.name = "crl_shards",
         .columns = "issuer_id TEXT NOT NULL, shard BIGINT NOT NULL, url TEXT NOT NULL,"
                    " opened_at BIGINT NOT NULL, PRIMARY KEY (issuer_id, shard)",
         .clustered = true}},
       {"ALTER TABLE certificates ADD COLUMN crl_shard BIGINT NOT NULL DEFAULT 0",
        "ALTER TABLE planned_certificates ADD COLUMN crl_shard BIGINT NOT NULL DEFAULT 0",
        // All that a list and the feed say of a revocation: a million are read in a second.
        "CREATE INDEX certificates_revoked ON certificates (revocation_sequence, serial, reason,"
        " revoked_at, not_after, issuer_id, crl_shard) WHERE revocation_sequence IS NOT NULL",
        "DROP INDEX certificates_issuer_revocation"}});
  // What the certificate follows that is about to be signed.
  steps.push_back(
      {8,
       "planned renewals",
       {},
       {"ALTER TABLE planned_certificates ADD COLUMN renews TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE planned_certificates ADD COLUMN forced BIGINT NOT NULL DEFAULT 0"}});
  steps.push_back(db::Outbox::ParkedTables(9));
  // Whom to forget among the revoked.
  steps.push_back({10,
                   "revoked expiry",
                   {},
                   {"CREATE INDEX certificates_revoked_expiry ON certificates (not_after, serial)"
                    " WHERE revocation_sequence IS NOT NULL"}});
  return steps;
}

}  // namespace devicetrust::ca
