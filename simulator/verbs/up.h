// `dt-sim up`: an environment for other people's clients.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "libs/base/status.h"

namespace devicetrust::simulator {

struct UpOptions {
  std::size_t forests = 1;   // The first trusts the others.
  std::size_t devices = 20;  // At least 10, so that every kind is there.
  std::uint64_t seed = 7;
  std::string run_dir;  // Empty: a temporary one.
  std::uint16_t org_port = 8443;
  std::uint16_t mtls_port = 8444;
  std::string mtls_names = "fresh";  // Or "fixed".
  bool ticket_sign_in = false;
  std::vector<std::string> sp_metadata;     // Paths.
  std::vector<std::string> wsfed_metadata;  // Paths.
  std::string wsfed_realm;                  // Empty: none.
  std::vector<std::string> wsfed_reply;
  std::string wait_file;  // Empty: none.
  int ready_fd = -1;      // -1: none.
  bool processes = false;
  bool keep = false;                 // The run folder stays as it is.
  std::vector<std::string> command;  // Run once all is ready, with DT_ENDPOINTS; empty: none.
  std::string bin_dir;
  std::string version;  // Of dt-sim.
};

// Runs until SIGINT, SIGTERM or SIGHUP, until the command ends, or until a part ends by itself,
// which is an error. Removes everything it made, but for the logs in a folder that was named.
//
// The exit code: that of the command; else 0 after a signal that came when all was ready, and
// 128 + N after signal N before that.
absl::StatusOr<int> RunUp(const UpOptions& options, std::FILE* out);

}  // namespace devicetrust::simulator
