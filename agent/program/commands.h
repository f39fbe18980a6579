// The verbs of dt-agent. Each prints what a person wants to know and returns the exit code.
#pragma once

#include <string>
#include <vector>

#include "agent/linux/paths.h"

namespace devicetrust::agent {

inline constexpr int kExitFailed = 1;        // Refused or failed: somebody has to act.
inline constexpr int kExitUsage = 2;         // The command line makes no sense.
inline constexpr int kExitNotNow = 3;        // At the next run: no network, nobody logged on.
inline constexpr int kExitNotInstalled = 4;  // There is no installation.

struct RunFlags {
  bool force_renewal = false;
  bool debug = false;
};

int Install(const Paths& paths, const std::vector<std::string>& words, bool quiet);
int Uninstall(const Paths& paths, bool user, bool quiet);
int RunUser(const Paths& paths, const RunFlags& flags);
int RunDevice(const Paths& paths, const RunFlags& flags);
// Answers one user task on standard input, which is a connection that systemd accepted.
int ServeUser(const Paths& paths);
int ShowStatus(const Paths& paths, bool json);
int Doctor(const Paths& paths);

}  // namespace devicetrust::agent
