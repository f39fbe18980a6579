#include "simulator/deployment/run_folder.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "libs/admin/environments.h"

namespace devicetrust::simulator {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMarker = ".dt-sim";  // Locked while a run uses the folder.

absl::Status Failed(const std::string& path, const std::string& what) {
  return absl::InvalidArgumentError(fmt::format("{}: {}", path, what));
}

// As one spelling of all those that lead to the same folder.
fs::path Plain(const fs::path& folder) {
  std::error_code ignored;
  return fs::absolute(folder / "", ignored).lexically_normal();
}

void RemoveContents(const std::string& path) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(path, ignored)) {
    if (entry.path().filename() != kMarker) fs::remove_all(entry.path(), ignored);
  }
}

absl::StatusOr<std::string> MakeFolder(const std::string& wanted) {
  if (wanted.empty()) {
    DT_ASSIGN_OR_RETURN(const fs::path parent, admin::TemporaryFolder());
    std::string path = (parent / "dt-sim-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) return Failed(path, strerror(errno));
    return path;
  }
  std::error_code error;
  const std::string path = fs::absolute(wanted, error).lexically_normal().string();
  if (error) return Failed(wanted, error.message());
  const bool made = fs::create_directories(path, error);
  if (error) return Failed(path, error.message());
  if (made) {
    ::chmod(path.c_str(), 0700);
  } else if (!fs::exists(fs::path(path) / kMarker, error) && !fs::is_empty(path, error)) {
    return absl::FailedPreconditionError(fmt::format(
        "{} holds files that are not a run's. Name an empty or a new folder with --run-dir", path));
  }
  return path;
}

}  // namespace

absl::StatusOr<RunFolder> RunFolder::Create(const std::string& path) {
  DT_ASSIGN_OR_RETURN(std::string folder, MakeFolder(path));
  absl::StatusOr<FileLock> lock = FileLock::Acquire(folder + "/" + kMarker, folder);
  if (absl::IsFailedPrecondition(lock.status())) {
    return absl::FailedPreconditionError(fmt::format("{}. Name another folder with --run-dir",
                                                     std::string(lock.status().message())));
  }
  if (!lock.ok()) return absl::InvalidArgumentError(lock.status().message());
  RemoveContents(folder);
  return RunFolder(std::move(folder), *std::move(lock));
}

RunFolder::RunFolder(RunFolder&& other) noexcept
    : path_(std::exchange(other.path_, "")),
      lock_(std::move(other.lock_)),
      keep_all_(other.keep_all_),
      kept_(std::move(other.kept_)),
      kept_endings_(std::move(other.kept_endings_)) {}

void RunFolder::Keep(const std::vector<std::string>& names) {
  kept_.insert(kept_.end(), names.begin(), names.end());
}

RunFolder::~RunFolder() {
  if (path_.empty()) return;
  bool something = keep_all_;
  std::error_code ignored;
  std::vector<fs::path> to_remove;
  for (const fs::directory_entry& entry : fs::directory_iterator(path_, ignored)) {
    const std::string name = entry.path().filename();
    if (keep_all_ || name == kMarker) continue;
    const bool stays =
        std::find(kept_.begin(), kept_.end(), name) != kept_.end() ||
        std::any_of(kept_endings_.begin(), kept_endings_.end(),
                    [&name](const std::string& suffix) { return name.ends_with(suffix); });
    if (stays) {
      something = true;
    } else {
      to_remove.push_back(entry.path());
    }
  }
  for (const fs::path& path : to_remove) fs::remove_all(path, ignored);
  if (!something) fs::remove_all(path_, ignored);
}

void RemoveStale(const std::string& path) {
  std::error_code ignored;
  if (!path.empty() && fs::is_regular_file(fs::symlink_status(path, ignored))) {
    ::unlink(path.c_str());
  }
}

absl::Status CheckWritable(const std::string& flag, const std::string& path,
                           const std::string& run_dir) {
  if (path.empty()) return absl::OkStatus();
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return Failed(flag + " " + path, "that is a folder");
  // It is replaced, which a link, a pipe or a device would not survive.
  const fs::file_status there = fs::symlink_status(path, ignored);
  if (fs::exists(there) && !fs::is_regular_file(there)) {
    return Failed(flag + " " + path, "not a regular file; name one, or a new one");
  }
  fs::path folder = fs::path(path).parent_path();
  if (folder.empty()) folder = ".";
  if (!run_dir.empty() && Plain(folder) == Plain(run_dir)) return absl::OkStatus();
  if (fs::is_directory(folder, ignored) && ::access(folder.c_str(), W_OK) == 0) {
    return absl::OkStatus();
  }
  return Failed(flag + " " + path, folder.string() + " is not a folder that can be written to");
}

}  // namespace devicetrust::simulator
