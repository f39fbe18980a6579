#include "simulator/handshake/listeners.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "libs/base/ascii.h"
#include "libs/base/process.h"

namespace devicetrust::simulator {
namespace {

namespace fs = std::filesystem;

constexpr const char* kListening = "0A";  // TCP_LISTEN, as the kernel prints it.

// "  0: 0100007F:20FB 00000000:0000 0A …": local address, remote, state, and the inode as tenth.
void AddSockets(const char* table, std::uint16_t port, std::set<std::string>& sockets) {
  std::ifstream file(table);
  std::string line;
  std::getline(file, line);  // The names of the columns.
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string number, local, remote, state, skipped, inode;
    fields >> number >> local >> remote >> state;
    for (int i = 0; i < 5; ++i) fields >> skipped;
    fields >> inode;
    const std::size_t colon = local.rfind(':');
    if (state != kListening || colon == std::string::npos) continue;
    if (std::stoul(local.substr(colon + 1), nullptr, 16) == port) {
      sockets.insert("socket:[" + inode + "]");
    }
  }
}

bool Holds(const fs::path& process, const std::set<std::string>& sockets) {
  std::error_code error;  // Somebody else's process, or one that has ended: holds nothing for us.
  for (const auto& entry : fs::directory_iterator(process / "fd", error)) {
    std::error_code gone;
    if (sockets.contains(fs::read_symlink(entry.path(), gone).string())) return true;
  }
  return false;
}

void AddWithChildren(pid_t pid, std::set<pid_t>& all) {
  if (!all.insert(pid).second) return;
  std::error_code error;
  for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(pid) + "/task", error)) {
    std::ifstream file(task.path() / "children");
    for (pid_t child = 0; file >> child;) AddWithChildren(child, all);
  }
}

}  // namespace

std::optional<Listener> FindListener(std::uint16_t port) {
  std::set<std::string> sockets;
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) AddSockets(table, port, sockets);
  if (sockets.empty()) return std::nullopt;
  Listener listener;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    if (!IsAll(name, IsDigit) || !Holds(entry.path(), sockets)) continue;
    const auto pid = static_cast<pid_t>(std::stol(name));
    if (pid != ::getpid()) listener.pids.push_back(pid);
  }
  if (listener.pids.empty()) return std::nullopt;
  listener.name = ProcessName(listener.pids.front());
  return listener;
}

double CpuSeconds(const Listener& listener) {
  std::set<pid_t> all;
  for (const pid_t pid : listener.pids) AddWithChildren(pid, all);
  double total = 0;
  for (const pid_t pid : all) {
    std::error_code error;
    for (const auto& task :
         fs::directory_iterator("/proc/" + std::to_string(pid) + "/task", error)) {
      std::ifstream file(task.path() / "schedstat");
      double nanoseconds = 0;
      if (file >> nanoseconds) total += nanoseconds / 1e9;
    }
  }
  return total;
}

ThreadTime ThisThreadTime() {
  std::ifstream file("/proc/thread-self/schedstat");
  ThreadTime time;
  file >> time.running >> time.waiting;
  return {time.running / 1e9, time.waiting / 1e9};
}

}  // namespace devicetrust::simulator
