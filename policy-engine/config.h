#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libs/service/config.h"

namespace devicetrust::policy {

// The people of one domain whom its directory keeps (people_sync/people_sync.h).
struct PeopleConfig {
  std::string domain;  // That of a directory.
  std::string base;    // Distinguished name above the accounts; empty: the whole domain.
  std::string group;   // Of whose members they are; empty: of everybody.
  std::int64_t minutes = 15;
  std::int64_t deactivate_percent = 5;
  std::int64_t deactivate_least = 20;

  bool operator==(const PeopleConfig&) const = default;
};

// Every field but the keys and certificates has a working default. The store seals gateway
// keys and TOTP secrets. The AD integration of a new org is of the
// domains that have a directory here. Without a directory nobody can sign in with a password, and
// the platform of enrolled computers stays unknown.
struct Config : service::ComponentConfig,
                service::InternalListenerConfig,
                service::GrowingStoreConfig,
                service::CaPeerConfig,
                service::DirectoriesConfig {
  Config() {
    internal_listen = "127.0.0.1:7501";
    database = "sqlite:dt-policy.db";
  }

  std::string log_database = "sqlite:dt-policy-log.db";  // The System Log has its own.
  std::int64_t log_retention_days = 90;                  // Of an event, from its arrival on.
  // Of all events, about; the oldest go. 0: as much as there is room for.
  std::int64_t log_bytes_max = std::int64_t{10} << 30;

  std::vector<PeopleConfig> people;  // None: people are imported alone.

  // CAs of the receivers of event hooks, PEM; empty: those of the system.
  std::string hook_ca;
  bool hook_private_addresses = false;  // Hooks may go to addresses that are not public.

  // Wrong passwords: authentication/failure_throttle.h.
  std::uint32_t password_failures_max = 3;
  std::uint32_t known_password_failures_max = 4;
  std::uint32_t network_failures_max = 200;
  std::int64_t failure_window_minutes = 30;
  // Whether gateways may open sessions by Kerberos tickets that they have accepted.
  bool ticket_sign_in = false;
  // Wrong codes of one user in a row that lock the second factor (users/totp_factors.h).
  std::int64_t code_failures_max = 100;

  // How old the directory's word on an account may be when its session opens an app, and how much
  // older while the directory is away (users/account_watch.h).
  std::int64_t session_check_minutes = 15;
  std::int64_t session_check_grace_minutes = 60;

  // The operator's capability switch (ORG-1): unset leaves it as the store has it (on, in a
  // new org).
  std::optional<bool> capability;

  bool operator==(const Config&) const = default;
};

void Describe(PeopleConfig& config, service::Options& options);
// Declares every option of dt-policy (libs/service/options.h).
void Describe(Config& config, service::Options& options);

}  // namespace devicetrust::policy
