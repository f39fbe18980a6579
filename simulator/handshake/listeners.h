// Who serves a port of this machine, and what CPU time that costs (proc(5)).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace devicetrust::simulator {

struct Listener {
  std::string name;         // "nginx".
  std::vector<pid_t> pids;  // All that hold the listening socket.
};

// Who listens on TCP port `port`; nothing when nobody does whom this user may look at.
std::optional<Listener> FindListener(std::uint16_t port);

// Of all threads of those processes and of all below them, since each began.
double CpuSeconds(const Listener& listener);

// This thread, in seconds: on a core, and ready but waiting for one.
struct ThreadTime {
  double running = 0;
  double waiting = 0;
};
ThreadTime ThisThreadTime();

}  // namespace devicetrust::simulator
