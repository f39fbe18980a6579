// A program run as a child that cannot outlive this process.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "libs/base/mutex.h"
#include "libs/base/status.h"

namespace devicetrust::simulator {

struct ChildConfig {
  std::vector<std::string> arguments;    // The program's path first.
  std::vector<std::string> environment;  // "NAME=value"; the whole of it, nothing is inherited.
  std::string output;                    // File that takes standard output and error.
};

// Starts the program, reaps it, and kills it when this process dies, however it dies: the
// kernel does that (PR_SET_PDEATHSIG), bound to a thread that lives as long as this object.
class ChildProcess {
 public:
  // Errors: kNotFound no such program; kInternal the system refuses a process.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(const ChildConfig& config);
  ~ChildProcess();  // Kills it if it still runs.

  pid_t pid() const {
    const MutexLock lock(mutex_);
    return pid_;
  }

  // "exit code 1", "signal 9"; nothing while it runs.
  std::optional<std::string> ending() const;

  // True when it ended within `limit`.
  bool WaitForEnd(std::chrono::milliseconds limit) const;

  // SIGTERM, then SIGKILL when that does not help within `grace`. Returns when it is reaped.
  void Stop(std::chrono::milliseconds grace = std::chrono::seconds(5));
  void Signal(int number);

  // The last lines of what it wrote, at most 2 kB.
  std::string LastOutput() const;

 private:
  explicit ChildProcess(std::string output) : output_(std::move(output)) {}
  void Own(const ChildConfig& config);
  static std::pair<pid_t, int> Spawn(const ChildConfig& config);
  void Reap(pid_t pid);

  const std::string output_;
  mutable Mutex mutex_;
  mutable CondVar changed_;
  pid_t pid_ ABSL_GUARDED_BY(mutex_) = 0;
  bool started_ ABSL_GUARDED_BY(mutex_) = false;  // Or failed to: `error_`.
  int error_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<std::string> ending_ ABSL_GUARDED_BY(mutex_);
  std::thread owner_;
};

// The last `bytes_max` bytes of a file, from the start of a line; empty when unreadable.
std::string FileTail(const std::string& path, std::size_t bytes_max);

}  // namespace devicetrust::simulator
