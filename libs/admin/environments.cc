#include "libs/admin/environments.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "libs/base/files.h"

namespace devicetrust::admin {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFileName = "endpoints.json";

// One file for each that runs, locked by it: what is not locked is of one that has ended.
absl::StatusOr<std::string> EnvironmentsFolder() {
  DT_ASSIGN_OR_RETURN(std::string folder, StateFolder());
  folder += "/environments";
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return absl::InternalError(fmt::format("{}: {}", folder, std::strerror(errno)));
  }
  return folder;
}

bool IsLocked(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) return false;
  const bool locked = ::flock(file, LOCK_SH | LOCK_NB) != 0;
  ::close(file);
  return locked;
}

absl::Status SeveralRun(const std::vector<std::string>& running) {
  std::string message = fmt::format(
      "{} environments run; choose one with --run-dir, or by DT_ENDPOINTS:", running.size());
  for (const std::string& path : running) {
    message += fmt::format("\n        --run-dir {}", fs::path(path).parent_path().string());
  }
  return absl::FailedPreconditionError(message);
}

}  // namespace

absl::StatusOr<std::string> TemporaryFolder() {
  const char* const named = std::getenv("TMPDIR");
  if (named != nullptr && *named == '\0') return std::string("/tmp");  // As if it were not set.
  std::error_code error;
  const fs::path path = fs::temp_directory_path(error);
  if (!error) return path.string();
  return absl::InvalidArgumentError(
      fmt::format("{}: {}. Set TMPDIR to a folder that can be written to",
                  named == nullptr ? "/tmp" : named, error.message()));
}

absl::StatusOr<std::string> StateFolder() {
  DT_ASSIGN_OR_RETURN(const fs::path parent, TemporaryFolder());
  const std::string path = (parent / fmt::format("dt-sim-{}", ::getuid())).string();
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return absl::InvalidArgumentError(fmt::format("{}: {}", path, std::strerror(errno)));
  }
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != ::getuid() ||
      (info.st_mode & 077) != 0) {
    return absl::FailedPreconditionError(
        fmt::format("{} is not this user's private folder. Remove it, or set TMPDIR", path));
  }
  return path;
}

absl::StatusOr<Announcement> Announcement::Make(const std::string& endpoints_file) {
  DT_ASSIGN_OR_RETURN(const std::string folder, EnvironmentsFolder());
  const std::string path = fmt::format("{}/{}", folder, ::getpid());
  const std::string hidden = fmt::format("{}/.{}", folder, ::getpid());  // Until it is locked.
  DT_RETURN_IF_ERROR(WriteFileAtomically(hidden, endpoints_file));
  const int lock = ::open(hidden.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (lock < 0 || ::flock(lock, LOCK_EX | LOCK_NB) != 0 ||
      ::rename(hidden.c_str(), path.c_str()) != 0) {
    const int error = errno;
    if (lock >= 0) ::close(lock);
    ::unlink(hidden.c_str());
    return absl::InternalError(fmt::format("{}: {}", path, std::strerror(error)));
  }
  return Announcement(path, lock);
}

Announcement::Announcement(Announcement&& other) noexcept
    : path_(std::exchange(other.path_, "")), lock_(std::exchange(other.lock_, -1)) {}

Announcement::~Announcement() {
  if (path_.empty()) return;
  ::unlink(path_.c_str());
  ::close(lock_);
}

absl::StatusOr<std::vector<std::string>> RunningEnvironments() {
  DT_ASSIGN_OR_RETURN(const std::string folder, EnvironmentsFolder());
  std::vector<std::string> running;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    const std::string path = entry.path().string();
    if (entry.path().filename().string().starts_with('.')) continue;
    if (!IsLocked(path)) {
      ::unlink(path.c_str());
      continue;
    }
    const absl::StatusOr<std::string> endpoints_file = ReadFile(path);
    if (endpoints_file.ok()) running.push_back(*endpoints_file);
  }
  std::ranges::sort(running);
  return running;
}

absl::StatusOr<std::string> FindEndpointsFile(const std::string& run_dir) {
  if (!run_dir.empty()) return run_dir + "/" + kFileName;
  const char* const named = std::getenv("DT_ENDPOINTS");
  if (named != nullptr && *named != '\0') return std::string(named);
  DT_ASSIGN_OR_RETURN(const std::vector<std::string> running, RunningEnvironments());
  if (running.size() > 1) return SeveralRun(running);
  return running.empty() ? std::string() : running.front();
}

}  // namespace devicetrust::admin
