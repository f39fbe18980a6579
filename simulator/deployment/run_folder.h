// The folder in which an environment keeps its files while it runs, and what stays of it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "libs/base/file_lock.h"
#include "libs/base/status.h"

namespace devicetrust::simulator {

class RunFolder {
 public:
  // Makes a private folder: `path`, or for "" a temporary one. One that an earlier run left
  // at `path` is emptied first, also of what somebody else has put there since.
  //
  // Errors: kFailedPrecondition `path` holds files that are not a run's, or another run uses
  // it now; kInvalidArgument it can't be made. The message names it.
  static absl::StatusOr<RunFolder> Create(const std::string& path);
  ~RunFolder();  // Removes everything but what Keep() named; and itself, when that is nothing.
  RunFolder(RunFolder&& other) noexcept;
  RunFolder& operator=(RunFolder&&) = delete;

  const std::string& path() const { return path_; }  // Absolute.
  std::string File(const std::string& name) const { return path_ + "/" + name; }

  // Files of the top level that stay, when they are there.
  void Keep(const std::vector<std::string>& names);
  void KeepAll() { keep_all_ = true; }
  // Files ending in `suffix` stay, too.
  void KeepEnding(const std::string& suffix) { kept_endings_.push_back(suffix); }

 private:
  RunFolder(std::string path, FileLock lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;  // Empty: moved from.
  FileLock lock_;
  bool keep_all_ = false;
  std::vector<std::string> kept_;
  std::vector<std::string> kept_endings_;
};

// Before the work whose outcome goes there: whether a file can be written at `path`, which
// `flag` names; "" is none. `run_dir` is yet to be made. kInvalidArgument says what is wrong.
absl::Status CheckWritable(const std::string& flag, const std::string& path,
                           const std::string& run_dir);

// Removes the file that an earlier run left at `path`, for whoever waits for the new one. "" is
// none; what is no regular file stays.
void RemoveStale(const std::string& path);

}  // namespace devicetrust::simulator
