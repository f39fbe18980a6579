// `dt-sim handshake [HOST:PORT]`.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

#include "libs/base/status.h"

namespace devicetrust::simulator {

struct HandshakeOptions {
  std::string target;  // HOST:PORT; empty: the mTLS host of a running environment.
  std::string run_dir;
  std::string make;  // Folder: makes certificates instead of load.
  std::string certificates_path;
  std::size_t certificates = 0;            // 0: as many as there are; to make: 1,000.
  std::size_t revoked_certificates = 100;  // To make.
  std::size_t revoked_entries = 0;         // To make: of the list in all.
  std::string server_name;                 // Empty: the target's host.
  std::string ca_file;
  std::string tls = "any";
  std::string request;  // Path; empty: "/", and of an environment its check page.
  bool no_request = false;
  std::string expect;
  std::string expect_revoked;
  std::uint64_t rate = 0;
  std::string arrivals = "even";
  int concurrency = 16;
  int in_flight = 10'000;
  int duration = 5;  // Seconds, as the next two.
  int ramp = 0;
  int timeout = 10;
  std::uint64_t connections = 0;
  int threads = 1;
  int revoked = 0;  // Percent, as the next.
  int resume = 0;
  std::uint64_t seed = 1;
  std::string json_path;  // "-": standard output.
};

// Prints to `out`. The exit code: 0 when all came out as expected, 1 when not, 128 + N when signal
// N ended it. kInvalidArgument: the options; kUnavailable: nobody listens there.
absl::StatusOr<int> Handshake(const HandshakeOptions& options, std::FILE* out);

}  // namespace devicetrust::simulator
