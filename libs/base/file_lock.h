#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "libs/base/status.h"

namespace devicetrust {

// A file that is locked while somebody uses what it stands for: a store, a folder. The kernel drops
// the lock with the process, so that a crash leaves nothing to clean up; the file stays. Who comes
// second learns from it who is there.
class FileLock {
 public:
  // Makes the file at `path`, mode 0600, when there is none. Never waits. kFailedPrecondition:
  // somebody holds it; the message is "WHAT is in use by dt-ca (pid 4121)", and the caller knows
  // the remedy. kNotFound: there is no such folder. kPermissionDenied.
  static absl::StatusOr<FileLock> Acquire(const std::string& path, std::string_view what);

  FileLock() = default;  // Locks nothing.
  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace devicetrust
