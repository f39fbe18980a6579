#pragma once

#include <optional>
#include <string>

#include "libs/service/config.h"

namespace devicetrust::policy {

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

  // The operator's capability switch (ORG-1): unset leaves it as the store has it (on, in a
  // new org).
  std::optional<bool> capability;

  bool operator==(const Config&) const = default;
};

// Declares every option of dt-policy (libs/service/options.h).
void Describe(Config& config, service::Options& options);

}  // namespace devicetrust::policy
