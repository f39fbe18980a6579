#include "simulator/forest/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace devicetrust::simulator {
namespace {

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// Between fork and exec: only what a signal handler may call.
[[noreturn]] void BecomeProgram(pid_t parent, char** arguments, char** environment,
                                const char* output, int report) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // It died before the line above.
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ::setpgid(0, 0);  // A Ctrl-C at the terminal is for the parent, which stops its children.

  const int input = ::open("/dev/null", O_RDONLY);
  const int file = ::open(output, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (input >= 0) ::dup2(input, STDIN_FILENO);
  if (file >= 0) ::dup2(file, STDOUT_FILENO);
  if (file >= 0) ::dup2(file, STDERR_FILENO);
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  ::execve(arguments[0], arguments, environment);
  const int error = errno;
  const ssize_t ignored = ::write(report, &error, sizeof error);
  ::_exit(ignored == sizeof error ? 127 : 126);
}

std::string Describe(const siginfo_t& info) {
  return info.si_code == CLD_EXITED ? fmt::format("exit code {}", info.si_status)
                                    : fmt::format("signal {}", info.si_status);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(const ChildConfig& config) {
  std::unique_ptr<ChildProcess> child(new ChildProcess(config.output));
  child->owner_ = std::thread([raw = child.get(), config] { raw->Own(config); });
  MutexLock lock(child->mutex_);
  while (!child->started_) child->changed_.Wait(child->mutex_);
  if (child->error_ == 0) return child;
  const std::string message =
      fmt::format("cannot run {}: {}", config.arguments[0], std::strerror(child->error_));
  const bool absent = child->error_ == ENOENT || child->error_ == EACCES;
  lock.Unlock();
  return absent ? absl::NotFoundError(message) : absl::InternalError(message);
}

ChildProcess::~ChildProcess() {
  Signal(SIGKILL);
  if (owner_.joinable()) owner_.join();
}

void ChildProcess::Own(const ChildConfig& config) {
  const auto [pid, error] = Spawn(config);
  {
    const MutexLock lock(mutex_);
    if (error == 0) pid_ = pid;
    started_ = true;
    error_ = error;
    if (error != 0) ending_ = "never ran";
    changed_.NotifyAll();
  }
  if (error == 0) Reap(pid);
}

// With the error number of a program that did not start, else 0.
std::pair<pid_t, int> ChildProcess::Spawn(const ChildConfig& config) {
  const std::vector<char*> arguments = Pointers(config.arguments);
  const std::vector<char*> environment = Pointers(config.environment);
  int report[2];  // Closed by a successful exec; carries the error of a failed one.
  if (::pipe2(report, O_CLOEXEC) != 0) return {0, errno};
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    BecomeProgram(parent, const_cast<char**>(arguments.data()),
                  const_cast<char**>(environment.data()), config.output.c_str(), report[1]);
  }
  int error = pid < 0 ? errno : 0;
  ::close(report[1]);
  if (pid > 0) {
    int exec_error = 0;
    if (::read(report[0], &exec_error, sizeof exec_error) == sizeof exec_error) {
      error = exec_error;
      ::waitpid(pid, nullptr, 0);
    }
  }
  ::close(report[0]);
  return {pid, error};
}

// First seen, then reaped under the lock: Signal() never meets a number that is someone else's.
void ChildProcess::Reap(pid_t pid) {
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  const MutexLock lock(mutex_);
  ::waitpid(pid, nullptr, 0);
  ending_ = Describe(info);
  changed_.NotifyAll();
}

std::optional<std::string> ChildProcess::ending() const {
  const MutexLock lock(mutex_);
  return ending_;
}

bool ChildProcess::WaitForEnd(std::chrono::milliseconds limit) const {
  const auto end = std::chrono::steady_clock::now() + limit;
  const MutexLock lock(mutex_);
  while (!ending_ && changed_.WaitUntil(mutex_, end)) {
  }
  return ending_.has_value();
}

void ChildProcess::Signal(int number) {
  const MutexLock lock(mutex_);
  if (pid_ > 0 && !ending_) ::kill(pid_, number);
}

void ChildProcess::Stop(std::chrono::milliseconds grace) {
  Signal(SIGTERM);
  if (!WaitForEnd(grace)) Signal(SIGKILL);
  if (owner_.joinable()) owner_.join();
}

std::string ChildProcess::LastOutput() const { return FileTail(output_, 2048); }

std::string FileTail(const std::string& path, std::size_t bytes_max) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return {};
  const auto size = static_cast<std::size_t>(file.tellg());
  const std::size_t start = size > bytes_max ? size - bytes_max : 0;
  file.seekg(static_cast<std::streamoff>(start));
  std::string tail(size - start, '\0');
  file.read(tail.data(), static_cast<std::streamsize>(tail.size()));
  const std::size_t line = start > 0 ? tail.find('\n') : std::string::npos;
  return line == std::string::npos ? tail : tail.substr(line + 1);
}

}  // namespace devicetrust::simulator
