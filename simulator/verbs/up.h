// `dt-sim up`: an environment for other people's clients.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "libs/base/status.h"

namespace devicetrust::simulator {

struct UpOptions {
  std::size_t devices = 20;  // At least 10, so that every kind is there.
  std::uint64_t seed = 7;
  std::string run_dir;  // Empty: a temporary one.
  std::uint16_t org_port = 8443;
  std::uint16_t mtls_port = 8444;
  std::vector<std::string> sp_metadata;  // Paths.
  std::string wait_file;                 // Empty: none.
  int ready_fd = -1;                     // -1: none.
  bool processes = false;
  std::string bin_dir;
};

// Runs until SIGINT or SIGTERM, or until a part ends by itself, which is an error. Removes
// everything it made.
absl::Status RunUp(const UpOptions& options, std::FILE* out);

// endpoints.json of the environment that this user started last and that may still run; empty
// when there is none.
absl::StatusOr<std::string> LiveEndpointsPath();

}  // namespace devicetrust::simulator
