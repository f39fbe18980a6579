#include "libs/base/file_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "libs/base/process.h"

namespace devicetrust {
namespace {

// Whoever wrote its number into the file when it took the lock.
std::string Holder(int fd) {
  char text[16] = {};
  const ssize_t size = pread(fd, text, sizeof text, 0);
  int pid = 0;
  if (size > 0) std::from_chars(text, text + size, pid);
  const std::string name = pid > 0 ? ProcessName(pid) : "";
  // Of an earlier holder, or of somebody in another container: nobody to be named.
  return name.empty() ? "another process" : fmt::format("{} (pid {})", name, pid);
}

// For the message of whoever comes second, and no more: a full disk is no reason to stop.
void WriteHolder(int fd) {
  const std::string text = fmt::format("{}\n", getpid());
  if (ftruncate(fd, 0) == 0) static_cast<void>(!pwrite(fd, text.data(), text.size(), 0));
}

}  // namespace

absl::StatusOr<FileLock> FileLock::Acquire(const std::string& path, std::string_view what) {
  FileLock lock(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (lock.fd_ < 0) {
    const std::string message = fmt::format("cannot open {}: {}", path, std::strerror(errno));
    return errno == ENOENT ? absl::NotFoundError(message + " (create its folder first)")
                           : absl::PermissionDeniedError(message);
  }
  if (flock(lock.fd_, LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(fmt::format("{} is in use by {}", what, Holder(lock.fd_)));
  }
  WriteHolder(lock.fd_);
  return lock;
}

FileLock::~FileLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace devicetrust
