#include "libs/base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace devicetrust {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }
  bool Close() { return close(std::exchange(fd_, -1)) == 0; }

 private:
  int fd_;
};

absl::Status FileError(std::string_view what, const std::string& path, int error) {
  const std::string message = fmt::format("cannot {} {}: {}", what, path, std::strerror(error));
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(message);
    case ENOSPC:
    case EDQUOT:
      return absl::ResourceExhaustedError(message);
    default:
      return absl::InternalError(message);
  }
}

absl::Status WriteAll(int fd, std::string_view data, const std::string& path) {
  while (!data.empty()) {
    const ssize_t written = write(fd, data.data(), data.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return FileError("write", path, errno);
    }
    data.remove_prefix(static_cast<std::size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status WriteTemporary(const std::string& temporary, std::string_view data, mode_t mode) {
  // Never a file that somebody else put there: O_EXCL also refuses links.
  Descriptor file(
      open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.get() < 0) return FileError("create", temporary, errno);
  DT_RETURN_IF_ERROR(WriteAll(file.get(), data, temporary));
  if (fchmod(file.get(), mode) != 0) return FileError("chmod", temporary, errno);
  if (fsync(file.get()) != 0) return FileError("sync", temporary, errno);
  if (!file.Close()) return FileError("close", temporary, errno);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, std::size_t bytes_max) {
  // Non-blocking, so that a FIFO in place of the file cannot hang the start.
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return FileError("open", path, errno);
  struct stat facts {};
  if (fstat(file.get(), &facts) != 0) return FileError("stat", path, errno);
  if (!S_ISREG(facts.st_mode)) {
    return absl::InvalidArgumentError(fmt::format("{} is not a regular file", path));
  }
  std::string data;
  char block[16 * 1024];
  for (;;) {
    const ssize_t size = read(file.get(), block, sizeof(block));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return FileError("read", path, errno);
    if (size == 0) return data;
    data.append(block, static_cast<std::size_t>(size));
    if (data.size() > bytes_max) {
      return absl::InvalidArgumentError(fmt::format("{} is longer than {} bytes", path, bytes_max));
    }
  }
}

absl::Status WriteFileAtomically(const std::string& path, std::string_view data, mode_t mode) {
  static std::atomic<unsigned> counter{0};
  const std::string temporary = fmt::format("{}.{}.{}.tmp", path, getpid(), ++counter);
  absl::Status status = WriteTemporary(temporary, data, mode);
  if (status.ok() && rename(temporary.c_str(), path.c_str()) != 0) {
    status = FileError("rename to", path, errno);
  }
  if (!status.ok()) {
    unlink(temporary.c_str());
    return status;
  }
  // The new name itself is durable only once its folder is.
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const Descriptor directory(
      open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || fsync(directory.get()) != 0) return FileError("sync", folder, errno);
  return absl::OkStatus();
}

absl::Status RefuseIfShared(const std::string& path) {
  struct stat facts {};
  if (stat(path.c_str(), &facts) != 0) return FileError("read", path, errno);
  if ((facts.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return absl::FailedPreconditionError(
        fmt::format("{} holds a secret but others may use it (mode {:04o}): run chmod 600 {}", path,
                    facts.st_mode & 07777U, path));
  }
  return absl::OkStatus();
}

}  // namespace devicetrust
