// What the main function of every service needs from the operating system.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/base/status.h"

namespace devicetrust {

// Name of a listener ("edge") and where it listens ("127.0.0.1:7401").
using Addresses = std::vector<std::pair<std::string, std::string>>;

// Call first in main, before any thread exists: SIGINT, SIGTERM and SIGHUP then wait for
// WaitForStopSignal() instead of killing the process (SIGHUP stays ignored if it was, as by
// nohup), SIGPIPE is ignored (a peer that hangs up is an error of that write), and as many file
// descriptors as the system grants are allowed.
void PrepareProcess();

// Blocks until one of those signals; returns its number.
int WaitForStopSignal();
// The same for at most `limit`: 0 when none came.
int WaitForStopSignal(std::chrono::milliseconds limit);

// Writes {"name":"address",…} atomically, so that who waits for `path` never reads half
// of it. An empty path writes nothing.
absl::Status WriteReadyFile(const std::string& path, const Addresses& addresses);

// What the system calls the process: "dt-ca". Empty when there is none of that number.
std::string ProcessName(int pid);

// Splits "host:port", also "[::1]:port". Port 0 lets the system choose one.
// kInvalidArgument names the flag and the form.
struct HostPort {
  std::string host;
  int port = 0;
};
absl::StatusOr<HostPort> ParseHostPort(std::string_view text, std::string_view flag);

}  // namespace devicetrust
