#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>

#include "agent/enrollment.h"
#include "agent/linux/browser_setup.h"
#include "agent/linux/device_task.h"
#include "agent/program/commands.h"
#include "agent/program/session.h"
#include "libs/base/file_lock.h"
#include "libs/base/process.h"
#include "libs/kerberos/credentials.h"
#include "libs/rpc/error.h"

namespace devicetrust::agent {
namespace {

std::string MessageOf(const absl::Status& status) { return std::string(status.message()); }

int Explain(const absl::Status& status) {
  const auto detail = rpc::DetailOf(status);
  fmt::print(stderr, "dt-agent: {}\n", MessageOf(status));
  if (detail && !detail->remedy().empty()) fmt::print(stderr, "          {}\n", detail->remedy());
  if (absl::IsNotFound(status) && MessageOf(status).find("not installed") != std::string::npos) {
    fmt::print(stderr, "          dt-agent install OrgURL=https://… installs it.\n");
    return kExitNotInstalled;
  }
  return kExitFailed;
}

void PrintStep(Step step, std::chrono::nanoseconds took, const std::string& detail) {
  const double ms = std::chrono::duration<double, std::milli>(took).count();
  fmt::print("{:<13} {:8.1f} ms", StepName(step), ms);
  std::string_view rest = detail;
  bool first = true;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    fmt::print("{}{}\n", first ? "  " : std::string(27, ' '), rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    first = false;
  }
  if (first) fmt::print("\n");
  std::fflush(stdout);
}

int Conclude(const Outcome& outcome) {
  switch (outcome.kind) {
    case Outcome::Kind::kEnrolled:
      fmt::print("{}: certificate {}\n", outcome.renewed ? "renewed" : "enrolled", outcome.serial);
      return 0;
    case Outcome::Kind::kNothingToDo:
      fmt::print("nothing to do: certificate {} is there\n", outcome.serial);
      return 0;
    case Outcome::Kind::kNotNow:
    case Outcome::Kind::kTryAgain:
      Explain(outcome.status);
      return kExitNotNow;
    case Outcome::Kind::kRefused:
      break;
  }
  return Explain(outcome.status);
}

}  // namespace

int RunUser(const Paths& paths, const RunFlags& flags) {
  auto session = Session::Open(Task::kUser, paths);
  if (!session.ok()) return Explain(session.status());
  Session& at = **session;
  std::error_code error;
  std::filesystem::create_directories(paths.user_state(), error);
  // Two runs at once would make two keys.
  const auto lock = FileLock::Acquire(paths.lock(), "the user task");
  if (!lock.ok()) {
    Explain(lock.status());
    return absl::IsFailedPrecondition(lock.status()) ? kExitNotNow : kExitFailed;
  }
  EnrollmentOptions options;
  options.force_renewal = flags.force_renewal;
  options.trace_details = flags.debug;
  Enrollment enrollment(*at.computer, *at.services, at.clock, at.random, options,
                        flags.debug ? Trace(&PrintStep) : Trace());
  Outcome outcome = enrollment.Attempt();
  while (outcome.kind == Outcome::Kind::kTryAgain) {
    if (flags.debug) {
      fmt::print("try again in {} ms: {}\n", outcome.pause.count(), MessageOf(outcome.status));
      std::fflush(stdout);
    }
    if (const int signal = WaitForStopSignal(outcome.pause)) return 128 + signal;
    outcome = enrollment.Attempt();
  }
  // To a browser profile that was made since; one that is busy gets it at the next run.
  if (at.browsers != nullptr && outcome.status.ok()) {
    const absl::Status shared = at.browsers->Share();
    if (!shared.ok() && flags.debug) fmt::print("later: {}\n", MessageOf(shared));
  }
  return Conclude(outcome);
}

int RunDevice(const Paths& paths, const RunFlags& flags) {
  auto session = Session::Open(Task::kDevice, paths);
  if (!session.ok()) return Explain(session.status());
  Session& at = **session;
  const auto failed = [&](const char* step, const absl::Status& status) {
    at.computer->WriteEvent({kEventNotNow, EventLevel::kWarning,
                             fmt::format("Device task: {}: {}", step, MessageOf(status)),
                             rpc::ReasonName(status), "The next run tries again."});
    Explain(status);
    return kExitNotNow;
  };
  const auto discovery = at.services->Discover(at.install.options().org_url);
  if (!discovery.ok()) return failed("asking the org", discovery.status());
  if (flags.debug) {
    fmt::print("org {}: {} IWAs, CA at {}\n", (*discovery)->org, (*discovery)->iwas.size(),
               (*discovery)->ca_address);
  }
  if (!at.install.options().skip_browser_setup && !(*discovery)->mtls_host.empty()) {
    const absl::Status set_up = SetUpBrowsers(paths, (*discovery)->mtls_host);
    if (!set_up.ok()) failed("setting up browsers", set_up);
    if (flags.debug && set_up.ok()) {
      for (const std::string& file : PolicyFiles(paths)) fmt::print("browser policy {}\n", file);
    }
  }
  const auto principal = kerberos::ComputerOf(at.computer->keytab());
  if (!principal.ok()) return failed("reading the keytab", principal.status());
  const auto credentials = kerberos::Credentials::FromKeytab(at.computer->keytab(), *principal);
  if (!credentials.ok()) return failed("logging on to the domain", credentials.status());
  fmt::print("{} logs on to the domain\n", *principal);
  return 0;
}

int ServeUser(const Paths& paths) {
  auto session = Session::Open(Task::kDevice, paths);
  if (!session.ok()) return Explain(session.status());
  const absl::Status served =
      ServeDeviceToken(STDIN_FILENO, paths, *(*session)->computer, *(*session)->services);
  return served.ok() ? 0 : Explain(served);
}

}  // namespace devicetrust::agent
