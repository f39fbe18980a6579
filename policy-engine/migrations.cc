#include "policy-engine/migrations.h"

#include "libs/db/outbox.h"

namespace devicetrust::policy {
namespace {

// `app`, `zones` and `iwa` hold serialized messages of devicetrust.org.v1: nobody queries inside
// them. `protocol_name`: what the app's protocol knows it by, "saml:ENTITY-ID". Every revision is
// kept, since a decision is explained by the rules of its time.
db::Migration Org() {
  return {1,
          "org",
          {"CREATE TABLE settings ("
           " id INTEGER PRIMARY KEY, version BIGINT NOT NULL,"
           " device_trust_enabled BIGINT NOT NULL, learn_more_url TEXT NOT NULL,"
           " changed_by TEXT NOT NULL, changed_at BIGINT,"
           " capability_enabled BIGINT NOT NULL, read_only BIGINT NOT NULL,"
           " ad_active BIGINT NOT NULL, ad_domain TEXT NOT NULL, forced_off BIGINT NOT NULL)",
           "CREATE TABLE apps ("
           " id TEXT PRIMARY KEY, protocol_name TEXT NOT NULL UNIQUE, revision BIGINT NOT NULL)",
           "CREATE TABLE app_revisions ("
           " app_id TEXT NOT NULL, revision BIGINT NOT NULL, app BYTEA NOT NULL,"
           " PRIMARY KEY (app_id, revision))",
           "CREATE TABLE zone_revisions (revision INTEGER PRIMARY KEY, zones BYTEA NOT NULL)",
           "CREATE TABLE iwas ("
           " name TEXT PRIMARY KEY, enabled BIGINT NOT NULL, last_heartbeat BIGINT NOT NULL,"
           " iwa BYTEA NOT NULL)",
           "CREATE TABLE enrollments ("
           " enrollment_id TEXT PRIMARY KEY, user_id TEXT NOT NULL, device_id TEXT NOT NULL,"
           " computer_sid TEXT NOT NULL, platform BIGINT NOT NULL, iwa_name TEXT NOT NULL,"
           " authorized_at BIGINT NOT NULL) WITHOUT ROWID",
           "CREATE TABLE gateway_keys ("
           " kid TEXT PRIMARY KEY, kind TEXT NOT NULL, created_at BIGINT NOT NULL,"
           " sealed BYTEA NOT NULL, certificate_pem TEXT NOT NULL)"}};
}

// Times in milliseconds: they are compared with those of gateways.
db::Migration Decisions() {
  return {2,
          "decisions",
          {"CREATE TABLE decisions ("
           " code TEXT PRIMARY KEY, decided_at_ms BIGINT NOT NULL, session_id TEXT NOT NULL,"
           " app_id TEXT NOT NULL, app_revision BIGINT NOT NULL, zones_revision BIGINT NOT NULL,"
           " record BYTEA NOT NULL, factor_failures BIGINT NOT NULL DEFAULT 0,"
           " factor_completed_at_ms BIGINT)",
           "CREATE INDEX decisions_by_time ON decisions (decided_at_ms)",
           "CREATE TABLE used_proofs (id TEXT PRIMARY KEY, expires_at BIGINT NOT NULL)"
           " WITHOUT ROWID",
           "CREATE INDEX used_proofs_by_expiry ON used_proofs (expires_at)",
           "CREATE TABLE ended_sessions ("
           " session_id TEXT PRIMARY KEY, ended_at_ms BIGINT NOT NULL) WITHOUT ROWID",
           "CREATE INDEX ended_sessions_by_time ON ended_sessions (ended_at_ms)",
           "CREATE TABLE session_changes ("
           " sequence INTEGER PRIMARY KEY, at_ms BIGINT NOT NULL, kind BIGINT NOT NULL,"
           " subject TEXT NOT NULL)"}};
}

// `group_names`: one a line. Sessions that began before `sessions_from_ms` are over.
db::Migration People() {
  return {3,
          "people",
          {"CREATE TABLE users ("
           " id TEXT PRIMARY KEY, sid TEXT NOT NULL UNIQUE, principal TEXT NOT NULL UNIQUE,"
           " account_name TEXT NOT NULL, display_name TEXT NOT NULL, email TEXT NOT NULL,"
           " given_name TEXT NOT NULL, surname TEXT NOT NULL, group_names TEXT NOT NULL,"
           " status BIGINT NOT NULL, from_ad BIGINT NOT NULL, sessions_from_ms BIGINT NOT NULL)",
           "CREATE TABLE factors ("
           " user_id TEXT PRIMARY KEY, sealed_secret BYTEA NOT NULL, last_step BIGINT NOT NULL,"
           " failures BIGINT NOT NULL, blocked_until BIGINT NOT NULL)"}};
}

// Users whose certificates the CA has yet to revoke.
db::Migration Revocations() {
  return {5,
          "revocations",
          {"CREATE TABLE pending_revocations ("
           " user_id TEXT PRIMARY KEY, requested_by TEXT NOT NULL, promised_at BIGINT NOT NULL,"
           " sequence BIGINT NOT NULL)"}};
}

}  // namespace

std::vector<db::Migration> OrgMigrations() {
  return {Org(), Decisions(), People(), db::Outbox::Tables(4), Revocations()};
}

std::vector<db::Migration> LogMigrations() {
  return {{1,
           "system log",
           {"CREATE TABLE log_counter (id INTEGER PRIMARY KEY, value BIGINT NOT NULL)",
            "INSERT INTO log_counter (id, value) VALUES (1, 0)",
            "CREATE TABLE events ("
            " sequence INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, type TEXT NOT NULL,"
            " at_ms BIGINT NOT NULL, event BYTEA NOT NULL)",
            "CREATE INDEX events_by_type ON events (type, at_ms)",
            "CREATE TABLE event_subjects ("
            " subject TEXT NOT NULL, sequence BIGINT NOT NULL, PRIMARY KEY (subject, sequence))"
            " WITHOUT ROWID"}}};
}

}  // namespace devicetrust::policy
