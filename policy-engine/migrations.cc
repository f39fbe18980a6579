#include "policy-engine/migrations.h"

#include "libs/db/outbox.h"
#include "policy-engine/log/hook_store.h"

namespace devicetrust::policy {
namespace {

// `app`, `zones` and `iwa` hold serialized messages of devicetrust.org.v1: nobody queries inside
// them. `protocol_name`: what the app's protocol knows it by, "saml:ENTITY-ID". Every revision is
// kept, since a decision is explained by the rules of its time.
db::Migration Org() {
  return {1,
          "org",
          {{.name = "settings",
            .number_key = "id",
            .columns = "version BIGINT NOT NULL, device_trust_enabled BIGINT NOT NULL,"
                       " learn_more_url TEXT NOT NULL, changed_by TEXT NOT NULL, changed_at BIGINT,"
                       " capability_enabled BIGINT NOT NULL, read_only BIGINT NOT NULL,"
                       " ad_active BIGINT NOT NULL, ad_domains TEXT NOT NULL,"
                       " disabled_by_force BIGINT NOT NULL"},
           {.name = "apps",
            .columns = "id TEXT PRIMARY KEY, protocol_name TEXT NOT NULL UNIQUE,"
                       " revision BIGINT NOT NULL"},
           {.name = "app_revisions",
            .columns = "app_id TEXT NOT NULL, revision BIGINT NOT NULL, app BYTEA NOT NULL,"
                       " PRIMARY KEY (app_id, revision)"},
           {.name = "zone_revisions", .number_key = "revision", .columns = "zones BYTEA NOT NULL"},
           {.name = "iwas",
            .columns = "name TEXT PRIMARY KEY, enabled BIGINT NOT NULL,"
                       " last_heartbeat BIGINT NOT NULL, iwa BYTEA NOT NULL"},
           {.name = "enrollments",
            .columns = "enrollment_id TEXT PRIMARY KEY, user_id TEXT NOT NULL,"
                       " device_id TEXT NOT NULL, computer_sid TEXT NOT NULL,"
                       " platform BIGINT NOT NULL, iwa_name TEXT NOT NULL,"
                       " authorized_at BIGINT NOT NULL",
            .clustered = true},
           {.name = "gateway_keys",
            .columns = "kid TEXT PRIMARY KEY, kind TEXT NOT NULL, created_at BIGINT NOT NULL,"
                       " sealed BYTEA NOT NULL, certificate_pem TEXT NOT NULL"}}};
}

// Times in milliseconds: they are compared with those of gateways.
db::Migration Decisions() {
  return {2,
          "decisions",
          {{.name = "decisions",
            .columns = "code TEXT PRIMARY KEY, decided_at_ms BIGINT NOT NULL,"
                       " session_id TEXT NOT NULL, app_id TEXT NOT NULL,"
                       " app_revision BIGINT NOT NULL, zones_revision BIGINT NOT NULL,"
                       " record BYTEA NOT NULL, factor_failures BIGINT NOT NULL DEFAULT 0,"
                       " factor_completed_at_ms BIGINT"},
           {.name = "used_proofs",
            .columns = "id TEXT PRIMARY KEY, expires_at BIGINT NOT NULL",
            .clustered = true},
           {.name = "ended_sessions",
            .columns = "session_id TEXT PRIMARY KEY, ended_at_ms BIGINT NOT NULL",
            .clustered = true},
           {.name = "session_changes",
            .number_key = "sequence",
            .columns = "at_ms BIGINT NOT NULL, kind BIGINT NOT NULL, subject TEXT NOT NULL"}},
          {"CREATE INDEX decisions_by_time ON decisions (decided_at_ms)",
           "CREATE INDEX used_proofs_by_expiry ON used_proofs (expires_at)",
           "CREATE INDEX ended_sessions_by_time ON ended_sessions (ended_at_ms)"}};
}

// `group_names`: one a line. Sessions that began before `sessions_from_ms` are over.
db::Migration People() {
  return {3,
          "people",
          {{.name = "users",
            .columns = "id TEXT PRIMARY KEY, sid TEXT NOT NULL UNIQUE,"
                       " principal TEXT NOT NULL UNIQUE, account_name TEXT NOT NULL,"
                       " display_name TEXT NOT NULL, email TEXT NOT NULL, given_name TEXT NOT NULL,"
                       " surname TEXT NOT NULL, group_names TEXT NOT NULL, status BIGINT NOT NULL,"
                       " from_ad BIGINT NOT NULL, sessions_from_ms BIGINT NOT NULL"},
           {.name = "factors",
            .columns = "user_id TEXT PRIMARY KEY, sealed_secret BYTEA NOT NULL,"
                       " last_step BIGINT NOT NULL, failures BIGINT NOT NULL,"
                       " blocked_until BIGINT NOT NULL"}}};
}

// Users whose certificates the CA has yet to revoke.
db::Migration Revocations() {
  return {5,
          "revocations",
          {{.name = "pending_revocations",
            .columns = "user_id TEXT PRIMARY KEY, requested_by TEXT NOT NULL,"
                       " promised_at BIGINT NOT NULL, sequence BIGINT NOT NULL"}}};
}

// How principals and display names compare (libs/base/names.h). NULL in rows of a release that did
// not know it, until FillNameKeys().
db::Migration NameKeys() {
  return {6,
          "name keys",
          {},
          {"ALTER TABLE users ADD COLUMN principal_key TEXT",
           "ALTER TABLE users ADD COLUMN display_key TEXT",
           "CREATE UNIQUE INDEX users_by_principal_key ON users (principal_key)"}};
}

// What limits guessing, and which domains an admin has given an IWA. Networks are those of
// libs/base/client_network.h; times in seconds.
db::Migration Guards() {
  return {7,
          "guards",
          {{.name = "known_networks",
            .columns = "user_id TEXT NOT NULL, shown BIGINT NOT NULL, network TEXT NOT NULL,"
                       " shown_at BIGINT NOT NULL, PRIMARY KEY (user_id, shown, network)",
            .clustered = true},
           {.name = "factor_networks",
            .columns = "user_id TEXT NOT NULL, network TEXT NOT NULL, failures BIGINT NOT NULL,"
                       " paused_until BIGINT NOT NULL, failed_at BIGINT NOT NULL,"
                       " PRIMARY KEY (user_id, network)",
            .clustered = true},
           {.name = "iwa_domains",
            .columns = "iwa_name TEXT NOT NULL, domain TEXT NOT NULL,"
                       " PRIMARY KEY (iwa_name, domain)",
            .clustered = true}},
          {"CREATE INDEX known_networks_by_network ON known_networks (network, shown, shown_at)",
           "CREATE INDEX factor_networks_by_time ON factor_networks (failed_at)"}};
}

// How many users are in a group, by its name as it compares, so that what rules name is found
// without reading all users (users/group_store.h). Empty in stores of a release that did not count,
// until FillGroups().
db::Migration Groups() {
  return {8,
          "groups",
          {{.name = "user_groups",
            .columns = "group_key TEXT PRIMARY KEY, name TEXT NOT NULL, members BIGINT NOT NULL",
            .clustered = true}}};
}

// What directories said of people and groups (people_sync/picture.h), up to where they were read,
// and who keeps a user. Lists of groups are packed numbers.
db::Migration PeopleSyncs() {
  return {9,
          "people sync",
          {{.name = "people_sync",
            .columns = "domain TEXT PRIMARY KEY, scope TEXT NOT NULL,"
                       " invocation_id BYTEA NOT NULL, usn BIGINT NOT NULL,"
                       " everybody_at BIGINT NOT NULL, synced_at BIGINT NOT NULL"},
           {.name = "synced_people",
            .columns = "domain TEXT NOT NULL, guid BYTEA NOT NULL, sid TEXT NOT NULL,"
                       " profile BYTEA NOT NULL, enabled BIGINT NOT NULL,"
                       " expires_at BIGINT NOT NULL, primary_group BIGINT NOT NULL,"
                       " direct_groups BYTEA NOT NULL, applied BIGINT NOT NULL,"
                       " PRIMARY KEY (domain, guid)",
            .clustered = true},
           {.name = "synced_groups",
            .columns = "domain TEXT NOT NULL, number BIGINT NOT NULL, guid BYTEA NOT NULL,"
                       " sid TEXT NOT NULL, name TEXT NOT NULL, dn TEXT NOT NULL,"
                       " counts BIGINT NOT NULL, parents BYTEA NOT NULL,"
                       " PRIMARY KEY (domain, number)",
            .clustered = true}},
          {"ALTER TABLE users ADD COLUMN synced_from TEXT NOT NULL DEFAULT ''",
           "ALTER TABLE users ADD COLUMN deactivated_by BIGINT NOT NULL DEFAULT 0"}};
}

// Who made each version of settings, zones and apps, and when: `object` is "settings", "zones" or
// "app/ID". What it holds is in the object's revision of that number. Those of a release that did
// not keep who are of nobody, at no time.
db::Migration Versions() {
  return {
      10,
      "versions",
      {{.name = "versions",
        .columns = "object TEXT NOT NULL, number BIGINT NOT NULL, org_version BIGINT NOT NULL,"
                   " at_ms BIGINT NOT NULL, changed_by TEXT NOT NULL, message TEXT NOT NULL,"
                   " event_id TEXT NOT NULL, removed BIGINT NOT NULL,"
                   " PRIMARY KEY (object, number)",
        .clustered = true},
       {.name = "settings_revisions",
        .number_key = "revision",
        .columns = "settings BYTEA NOT NULL"}},
      {"ALTER TABLE settings ADD COLUMN display_name TEXT NOT NULL DEFAULT ''",
       "INSERT INTO versions (object, number, org_version, at_ms, changed_by, message, event_id,"
       " removed) SELECT 'app/' || app_id, revision, 0, 0, '', '', '', 0 FROM app_revisions",
       "INSERT INTO versions (object, number, org_version, at_ms, changed_by, message, event_id,"
       " removed) SELECT 'zones', revision, 0, 0, '', '', '', 0 FROM zone_revisions",
       "CREATE INDEX versions_by_time ON versions (at_ms, object, number)"}};
}

// Factors that wait for their first code, and hashes of recovery codes.
db::Migration FactorEnrollments() {
  return {11,
          "factor enrollments",
          {{.name = "pending_factors",
            .columns = "user_id TEXT PRIMARY KEY, enrollment_id TEXT NOT NULL,"
                       " session_id TEXT NOT NULL, sealed_secret BYTEA NOT NULL,"
                       " expires_at BIGINT NOT NULL, failures BIGINT NOT NULL"},
           {.name = "recovery_codes",
            .columns = "user_id TEXT NOT NULL, hash TEXT NOT NULL, salt BYTEA NOT NULL,"
                       " used_at_ms BIGINT NOT NULL, PRIMARY KEY (user_id, hash)",
            .clustered = true}}};
}

// Who is signed in, what was opened in it, and how long sessions last: in seconds, 0 for what is
// usual. Sessions of before have no row, and last what was usual then. Beside it, logos of apps.
db::Migration Sessions() {
  return {12,
          "sessions",
          {{.name = "sessions",
            .columns = "id TEXT PRIMARY KEY, user_id TEXT NOT NULL, started_at_ms BIGINT NOT NULL,"
                       " expires_at_ms BIGINT NOT NULL, used_at_ms BIGINT NOT NULL,"
                       " address TEXT NOT NULL, user_agent TEXT NOT NULL, trust BIGINT NOT NULL,"
                       " device_id TEXT NOT NULL, serial TEXT NOT NULL,"
                       " tried_secured BIGINT NOT NULL, ended BIGINT NOT NULL",
            .clustered = true},
           {.name = "session_apps",
            .columns = "session_id TEXT NOT NULL, app_id TEXT NOT NULL,"
                       " opened_at_ms BIGINT NOT NULL, PRIMARY KEY (session_id, app_id)",
            .clustered = true},
           {.name = "app_logos",
            .columns = "app_id TEXT PRIMARY KEY, sha256 BYTEA NOT NULL, png BYTEA NOT NULL"}},
          {"CREATE INDEX app_logos_by_hash ON app_logos (sha256)",
           "CREATE INDEX sessions_by_user ON sessions (user_id, started_at_ms)",
           "CREATE INDEX sessions_by_start ON sessions (started_at_ms)",
           "ALTER TABLE settings ADD COLUMN session_lifetime BIGINT NOT NULL DEFAULT 0",
           "ALTER TABLE settings ADD COLUMN session_idle_timeout BIGINT NOT NULL DEFAULT 0",
           "ALTER TABLE settings ADD COLUMN factor_self_enrollment BIGINT NOT NULL DEFAULT 0"}};
}

// Several SAML keys of a kind: from when on each signs, and when it leaves the metadata (0: not
// known, and of a release that had one key: always). And by which NameID format apps name people.
db::Migration SamlKeyTimes() {
  return {13,
          "saml keys",
          {},
          {"ALTER TABLE gateway_keys ADD COLUMN signs_from BIGINT NOT NULL DEFAULT 0",
           "ALTER TABLE gateway_keys ADD COLUMN retires_at BIGINT NOT NULL DEFAULT 0",
           "ALTER TABLE settings ADD COLUMN name_id_format TEXT NOT NULL DEFAULT ''"}};
}

// Who administers the org, and sessions of them, by the hash of their ids. Times in seconds; a
// factor_at of 0: the console is closed.
db::Migration Admins() {
  return {14,
          "admins",
          {{.name = "admin_roles",
            .columns = "user_id TEXT PRIMARY KEY, role BIGINT NOT NULL, granted_by TEXT NOT NULL,"
                       " granted_at BIGINT NOT NULL"},
           {.name = "console_sessions",
            .columns = "session_key TEXT PRIMARY KEY, user_id TEXT NOT NULL,"
                       " begun_at BIGINT NOT NULL, factor_at BIGINT NOT NULL,"
                       " used_at BIGINT NOT NULL",
            .clustered = true}}};
}

// Whether backup IWAs count, and what is wrong with each IWA.
db::Migration IwaFailover() {
  return {16,
          "iwa failover",
          {},
          {"ALTER TABLE settings ADD COLUMN iwa_primary_only BIGINT NOT NULL DEFAULT 0",
           "ALTER TABLE iwas ADD COLUMN problem TEXT NOT NULL DEFAULT ''"}};
}

}  // namespace

std::vector<db::Migration> OrgMigrations() {
  return {Org(),
          Decisions(),
          People(),
          db::Outbox::Tables(4),
          Revocations(),
          NameKeys(),
          Guards(),
          Groups(),
          PeopleSyncs(),
          Versions(),
          FactorEnrollments(),
          Sessions(),
          SamlKeyTimes(),
          Admins(),
          db::Outbox::ParkedTables(15),
          IwaFailover()};
}

std::vector<db::Migration> LogMigrations() {
  return {{1,
           "system log",
           {{.name = "events",
             .number_key = "sequence",
             .columns = "id TEXT NOT NULL UNIQUE, type TEXT NOT NULL, at_ms BIGINT NOT NULL,"
                        " event BYTEA NOT NULL"},
            {.name = "event_subjects",
             .columns = "subject TEXT NOT NULL, sequence BIGINT NOT NULL,"
                        " PRIMARY KEY (subject, sequence)",
             .clustered = true}},
           {"CREATE INDEX events_by_type ON events (type, at_ms)"}},
          // How large the log is, in one row, and up to which event it was deleted.
          {2,
           "retention",
           {{.name = "log_usage",
             .number_key = "id",
             .columns = "bytes BIGINT NOT NULL, events BIGINT NOT NULL,"
                        " deleted_to BIGINT NOT NULL"}},
           {"INSERT INTO log_usage (id, bytes, events, deleted_to)"
            " SELECT 1, COALESCE(SUM(LENGTH(event) + 400), 0), COUNT(*), 0 FROM events"}},
          // Where the chain of events stands, in one row, and heads of it that were signed. It
          // begins behind the events that are there. Types are looked for in order of arrival.
          {3,
           "chain",
           {{.name = "log_chain",
             .number_key = "id",
             .columns = "sequence BIGINT NOT NULL, hash BYTEA, anchor_sequence BIGINT NOT NULL,"
                        " anchor_hash BYTEA, chained_from BIGINT NOT NULL,"
                        " indexed_from BIGINT NOT NULL"},
            {.name = "log_heads",
             .number_key = "sequence",
             .columns = "hash BYTEA NOT NULL, signed_at BIGINT NOT NULL, kid TEXT NOT NULL,"
                        " signature BYTEA NOT NULL"},
            {.name = "log_keys",
             .columns = "kid TEXT PRIMARY KEY, created_at BIGINT NOT NULL, sealed BYTEA NOT NULL"}},
           {"INSERT INTO log_chain (id, sequence, anchor_sequence, chained_from, indexed_from)"
            " SELECT 1, 0, 0, COALESCE(MAX(sequence) + 1, 0), COALESCE(MAX(sequence) + 1, 0)"
            " FROM events",
            "CREATE INDEX events_by_type_in_order ON events (type, sequence)",
            "DROP INDEX IF EXISTS events_by_type"}},
          HookStore::Tables(4)};
}

}  // namespace devicetrust::policy
