#include "simulator/verbs/child_command.h"

#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "libs/base/process.h"

namespace devicetrust::simulator {
namespace {

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> EnvironmentWith(const std::vector<std::string>& variables) {
  std::vector<std::string> all = variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string name = std::string(*entry).substr(0, std::string(*entry).find('=') + 1);
    bool replaced = false;
    for (const std::string& variable : variables) replaced |= variable.starts_with(name);
    if (!replaced) all.emplace_back(*entry);
  }
  return all;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChildCommand>> ChildCommand::Start(
    const std::vector<std::string>& words, const std::vector<std::string>& variables) {
  std::vector<std::string> arguments = words;
  std::vector<std::string> environment = EnvironmentWith(variables);
  // Signals as a program expects them at its start: none blocked, none ignored by us.
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t defaults;
  ::sigemptyset(&none);
  ::sigemptyset(&defaults);
  ::sigaddset(&defaults, SIGPIPE);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, arguments.front().c_str(), nullptr, &attributes,
                                   Pointers(arguments).data(), Pointers(environment).data());
  ::posix_spawnattr_destroy(&attributes);
  if (error == 0) return std::unique_ptr<ChildCommand>(new ChildCommand(pid));
  return absl::NotFoundError(
      fmt::format("cannot run {}: {}", arguments.front(), std::strerror(error)));
}

ChildCommand::~ChildCommand() {
  if (ExitCode().has_value()) return;
  Signal(SIGTERM);
  for (int tries = 0; tries < 50 && !ExitCode().has_value(); ++tries) {
    WaitForStopSignal(std::chrono::milliseconds(100));
  }
  if (exit_code_.has_value()) return;
  Signal(SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

std::optional<int> ChildCommand::ExitCode() {
  int state = 0;
  if (!exit_code_.has_value() && ::waitpid(pid_, &state, WNOHANG) == pid_) {
    exit_code_ = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
  }
  return exit_code_;
}

void ChildCommand::Signal(int number) {
  if (!exit_code_.has_value()) ::kill(pid_, number);
}

}  // namespace devicetrust::simulator
