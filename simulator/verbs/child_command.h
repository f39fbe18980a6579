// A command of the caller's that runs beside an environment: `dt-sim up … -- CMD`.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libs/base/status.h"

namespace devicetrust::simulator {

// The command has this process's standard input, output, error, folder and process group, so a
// Ctrl-C reaches it, too.
class ChildCommand {
 public:
  // `words`: the program, looked up in PATH, and its arguments. `variables`: "NAME=value", in
  // addition to this process's. kNotFound: there is no such program.
  static absl::StatusOr<std::unique_ptr<ChildCommand>> Start(
      const std::vector<std::string>& words, const std::vector<std::string>& variables);
  ~ChildCommand();  // Ends it with SIGTERM, after 5 s with SIGKILL.
  ChildCommand(const ChildCommand&) = delete;
  ChildCommand& operator=(const ChildCommand&) = delete;

  // Nothing while it runs; then its exit code, or 128 and the number of the signal that ended it,
  // as a shell has it.
  std::optional<int> ExitCode();
  void Signal(int number);

 private:
  explicit ChildCommand(pid_t pid) : pid_(pid) {}

  const pid_t pid_;
  std::optional<int> exit_code_;
};

}  // namespace devicetrust::simulator
