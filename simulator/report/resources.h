// What a run costs, as the kernel counts it (proc(5)).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace devicetrust::simulator {

struct ProcessUsage {
  std::string name;  // As in /proc/PID/comm: at most 15 bytes.
  pid_t pid = 0;
  double cpu_seconds = 0;       // User and system, of all its threads, since it began.
  std::uint64_t pss_bytes = 0;  // Proportional set size: shared pages count by share.
};

struct Resources {
  double wall_seconds = 0;
  std::vector<ProcessUsage> processes;  // This process first, then its descendants by pid.

  double CpuSeconds() const;
  std::uint64_t PssBytes() const;
};

// This process and all its living descendants, now; `wall_seconds` is the caller's to fill.
// A process that ends while it is being read is left out.
Resources ReadResources();

// Joins a later reading to an earlier one: for each process the later CPU time and the larger
// memory, and processes that have ended meanwhile stay.
void KeepPeak(Resources& peak, const Resources& now);

}  // namespace devicetrust::simulator
