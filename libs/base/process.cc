#include "libs/base/process.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/resource.h>

#include <charconv>
#include <csignal>
#include <fstream>

#include "libs/base/check.h"
#include "libs/base/encoding.h"
#include "libs/base/files.h"

namespace devicetrust {
namespace {

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  // A terminal or a connection that goes away. nohup ignores it, which then holds.
  struct sigaction hang_up {};
  if (sigaction(SIGHUP, nullptr, &hang_up) != 0 || hang_up.sa_handler != SIG_IGN) {
    sigaddset(&signals, SIGHUP);
  }
  return signals;
}

}  // namespace

void PrepareProcess() {
  const sigset_t signals = StopSignals();
  DT_CHECK(pthread_sigmask(SIG_BLOCK, &signals, nullptr) == 0);
  std::signal(SIGPIPE, SIG_IGN);
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    // Refused, the old limit stands: fewer clients at once, nothing worse.
    static_cast<void>(setrlimit(RLIMIT_NOFILE, &limit));
  }
}

int WaitForStopSignal() {
  const sigset_t signals = StopSignals();
  int signal = 0;
  DT_CHECK(sigwait(&signals, &signal) == 0);
  return signal;
}

int WaitForStopSignal(std::chrono::milliseconds limit) {
  const sigset_t signals = StopSignals();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(limit);
  timespec wait{};
  wait.tv_sec = seconds.count();
  wait.tv_nsec = std::chrono::nanoseconds(limit - seconds).count();
  const int signal = sigtimedwait(&signals, nullptr, &wait);
  return signal > 0 ? signal : 0;
}

absl::Status WriteReadyFile(const std::string& path, const Addresses& addresses) {
  if (path.empty()) return absl::OkStatus();
  std::string json = "{";
  for (const auto& [name, address] : addresses) {
    json += fmt::format("{}{}:{}", json.size() > 1 ? "," : "", JsonQuote(name), JsonQuote(address));
  }
  return WriteFileAtomically(path, json + "}\n", 0644);
}

std::string ProcessName(int pid) {
  std::string name;
  std::ifstream comm(fmt::format("/proc/{}/comm", pid));
  std::getline(comm, name);
  return name;
}

absl::StatusOr<HostPort> ParseHostPort(std::string_view text, std::string_view flag) {
  const absl::Status refused = absl::InvalidArgumentError(
      fmt::format("{}: \"{}\" is not host:port with a port of 0 to 65535", flag, text));
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return refused;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return refused;
  }
  int port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (host.empty() || digits.empty() || error != std::errc() ||
      end != digits.data() + digits.size() || port < 0 || port > 65535) {
    return refused;
  }
  return HostPort{std::string(host), port};
}

}  // namespace devicetrust
