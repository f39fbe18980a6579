#include "libs/metrics/process.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>

#include "libs/metrics/metrics.h"

namespace devicetrust::metrics {
namespace {

const Gauges kBuildInfo("dt_build_info", "1; the labels say which program and version runs.",
                        {"program", "version"}, Merge::kGreatest);
const Gauges kStartTime("process_start_time_seconds", "When the process started, Unix time.");
const Counters kCpu("process_cpu_seconds_total", "CPU time of user and system.");
const Gauges kResident("process_resident_memory_bytes", "Memory that is in RAM.");
const Gauges kVirtual("process_virtual_memory_bytes", "Address space in use.");
const Gauges kOpenFds("process_open_fds", "Open file descriptors.");
const Gauges kMaxFds("process_max_fds", "File descriptors that may be open at once.");
const Gauges kThreads("process_threads", "Threads.");

// Field `number` of /proc/self/stat, from 1 as in proc(5); NaN when it can't be read.
double Stat(std::size_t number) {
  std::ifstream file("/proc/self/stat");
  std::string text;
  std::getline(file, text);
  // The second field is the program's name in brackets, which may hold blanks.
  std::istringstream rest(text.substr(std::min(text.rfind(')') + 1, text.size())));
  std::string field;
  for (std::size_t i = 3; i <= number; ++i) rest >> field;
  return rest ? std::strtod(field.c_str(), nullptr) : std::strtod("nan", nullptr);
}

double Ticks() { return static_cast<double>(sysconf(_SC_CLK_TCK)); }

double StartTime() {
  std::ifstream file("/proc/stat");
  std::string word;
  while (file >> word && word != "btime") continue;
  double boot = 0;
  file >> boot;
  return boot + Stat(22) / Ticks();
}

double OpenFds() {
  DIR* const folder = opendir("/proc/self/fd");
  if (folder == nullptr) return 0;
  double count = -3;  // ".", ".." and the one that reads them.
  while (readdir(folder) != nullptr) ++count;
  closedir(folder);
  return count;
}

double MaxFds() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<double>(limit.rlim_cur);
}

}  // namespace

void AddProcessMetrics(std::string_view program, std::string_view version) {
  static const std::array<Reading, 7> readings{
      kStartTime.Read({}, &StartTime),
      kCpu.Read({}, [] { return (Stat(14) + Stat(15)) / Ticks(); }),
      kResident.Read({}, [] { return Stat(24) * static_cast<double>(sysconf(_SC_PAGESIZE)); }),
      kVirtual.Read({}, [] { return Stat(23); }),
      kOpenFds.Read({}, &OpenFds),
      kMaxFds.Read({}, &MaxFds),
      kThreads.Read({}, [] { return Stat(20); }),
  };
  kBuildInfo.With({program, version}).Set(1);
}

}  // namespace devicetrust::metrics
