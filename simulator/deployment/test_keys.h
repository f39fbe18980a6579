// The private keys of a throw-away environment, for tests that forge what it signs.
#pragma once

#include <string>

#include "libs/base/status.h"

namespace devicetrust::simulator {

struct TestKeysConfig {
  std::string org;
  std::string iwa_name;
  std::string ca_store;  // Paths of the two stores, which their owners have open.
  std::string iwa_store;
  std::string kek_file;  // What seals the keys in them.
  std::string folder;    // Made when missing.
};

// Writes device-ca.key, device-root.key (with .pem, their certificates) and IWA.key (with
// IWA.kid, how tokens name it), PEM, mode 0600. Reads copies of the stores, so it wants them at
// rest. Errors: those of the store; kNotFound when a key is not there yet.
absl::Status WriteTestKeys(const TestKeysConfig& config);

}  // namespace devicetrust::simulator
