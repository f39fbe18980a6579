#include "simulator/report/resources.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>

#include "libs/base/ascii.h"

namespace devicetrust::simulator {
namespace {

struct Stat {
  ProcessUsage usage;
  pid_t parent = 0;
};

// "1234 (name with ) inside) S 1 …": the name ends at the last parenthesis.
std::optional<Stat> ReadStat(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  const std::size_t open = line.find('(');
  const std::size_t close = line.rfind(')');
  if (open == std::string::npos || close == std::string::npos) return std::nullopt;

  Stat stat;
  stat.usage.pid = pid;
  stat.usage.name = line.substr(open + 1, close - open - 1);
  std::istringstream fields(line.substr(close + 1));
  std::string skipped;
  fields >> skipped >> stat.parent;
  for (int i = 5; i < 14; ++i) fields >> skipped;  // Up to majflt and its children's.
  double user_ticks = 0;
  double system_ticks = 0;
  fields >> user_ticks >> system_ticks;  // Fields 14 and 15.
  stat.usage.cpu_seconds = (user_ticks + system_ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
  return stat;
}

std::uint64_t ReadPss(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("Pss:", 0) == 0) return std::stoull(line.substr(4)) * 1024;
  }
  return 0;
}

}  // namespace

double Resources::CpuSeconds() const {
  double sum = 0;
  for (const ProcessUsage& process : processes) sum += process.cpu_seconds;
  return sum;
}

std::uint64_t Resources::PssBytes() const {
  std::uint64_t sum = 0;
  for (const ProcessUsage& process : processes) sum += process.pss_bytes;
  return sum;
}

Resources ReadResources() {
  std::map<pid_t, Stat> all;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (!IsAll(name, IsDigit)) continue;
    const auto pid = static_cast<pid_t>(std::stol(name));
    if (std::optional<Stat> stat = ReadStat(pid); stat.has_value()) all.emplace(pid, *stat);
  }

  const pid_t self = getpid();
  const auto descends = [&all, self](pid_t pid) {
    for (int depth = 0; depth < 64 && pid != self; ++depth) {
      const auto found = all.find(pid);
      if (found == all.end()) return false;
      pid = found->second.parent;
    }
    return pid == self;
  };
  Resources resources;
  for (auto& [pid, stat] : all) {
    if (!descends(pid)) continue;
    stat.usage.pss_bytes = ReadPss(pid);
    resources.processes.push_back(stat.usage);
  }
  std::stable_partition(resources.processes.begin(), resources.processes.end(),
                        [self](const ProcessUsage& process) { return process.pid == self; });
  return resources;
}

void KeepPeak(Resources& peak, const Resources& now) {
  for (const ProcessUsage& process : now.processes) {
    const auto known =
        std::find_if(peak.processes.begin(), peak.processes.end(),
                     [&process](const ProcessUsage& p) { return p.pid == process.pid; });
    if (known == peak.processes.end()) {
      peak.processes.push_back(process);
      continue;
    }
    known->cpu_seconds = process.cpu_seconds;
    known->pss_bytes = std::max(known->pss_bytes, process.pss_bytes);
  }
  peak.wall_seconds = std::max(peak.wall_seconds, now.wall_seconds);
}

}  // namespace devicetrust::simulator
