#pragma once

#include <string>

#include "libs/base/status.h"

namespace devicetrust::rpc {

// A certificate, chain appended, and its private key, both PEM.
struct Identity {
  std::string certificate_pem;
  std::string key_pem;
};

// kNotFound, kFailedPrecondition (others may read the key), kInvalidArgument (no PEM, or a
// key that belongs to another certificate):
// each message names the file.
absl::StatusOr<Identity> LoadIdentity(const std::string& certificate_file,
                                      const std::string& key_file);

}  // namespace devicetrust::rpc
