#include "libs/net/port_owner.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "libs/base/ascii.h"
#include "libs/base/process.h"

namespace devicetrust::net {
namespace {

namespace fs = std::filesystem;

// Adds the inodes of the sockets that listen on `port`, from /proc/net/tcp or tcp6.
void AddListeningInodes(const char* table, std::uint16_t port, std::set<std::string>& inodes) {
  std::ifstream file(table);
  std::string line;
  std::getline(file, line);  // Column names.
  while (std::getline(file, line)) {
    std::istringstream columns(line);
    std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
    columns >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >>
        timeout >> inode;
    constexpr std::string_view kListen = "0A";
    if (state == kListen && local.ends_with(fmt::format(":{:04X}", port))) inodes.insert(inode);
  }
}

bool HoldsOneOf(const fs::path& process, const std::set<std::string>& inodes) {
  std::error_code error;
  for (fs::directory_iterator fd(process / "fd", error), end; !error && fd != end;
       fd.increment(error)) {
    const std::string target = fs::read_symlink(fd->path(), error).string();
    error.clear();  // A descriptor that went away meanwhile.
    if (target.starts_with("socket:[") && inodes.contains(target.substr(8, target.size() - 9))) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::string PortOwner(std::uint16_t port) {
  std::set<std::string> inodes;
  AddListeningInodes("/proc/net/tcp", port, inodes);
  AddListeningInodes("/proc/net/tcp6", port, inodes);
  if (inodes.empty()) return "";
  std::error_code error;
  for (fs::directory_iterator process("/proc", error), end; !error && process != end;
       process.increment(error)) {
    const std::string pid = process->path().filename().string();
    if (!IsAll(pid, IsDigit)) continue;
    if (!HoldsOneOf(process->path(), inodes)) continue;
    return fmt::format("{} (pid {})", ProcessName(std::stoi(pid)), pid);
  }
  return "";
}

}  // namespace devicetrust::net
