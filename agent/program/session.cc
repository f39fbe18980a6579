#include "agent/program/session.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "libs/base/files.h"
#include "libs/kerberos/environment.h"

namespace devicetrust::agent {
namespace {

// Root in the home of somebody else, as sudo may leave it, would write wherever links there lead.
absl::Status CheckHome(const std::string& home) {
  struct stat facts {};
  if (::geteuid() != 0 || ::stat(home.c_str(), &facts) != 0 || facts.st_uid == 0) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      fmt::format("{} is the home of another account: run this as that account", home));
}

// An account's own password for the proxy counts before the computer's, which is root's alone.
void SetProxy(Task task, const Paths& paths, const std::string& http_proxy,
              NetworkConfig& network) {
  network.http_proxy = http_proxy;
  if (http_proxy.empty()) return;
  absl::StatusOr<std::string> own = absl::NotFoundError("");
  if (task == Task::kUser) own = ProxyWithPassword(http_proxy, paths.user_proxy_password());
  if (absl::IsNotFound(own.status())) own = ProxyWithPassword(http_proxy, paths.proxy_password());
  if (own.ok()) {
    network.http_proxy = *std::move(own);
  } else if (task == Task::kUser && absl::IsPermissionDenied(own.status())) {
    network.proxy_note = fmt::format(
        "the computer's password for it is root's alone: write yours into {} as USER:PASSWORD, "
        "readable by you alone",
        paths.user_proxy_password());
  } else if (!absl::IsNotFound(own.status())) {
    network.proxy_note = std::string(own.status().message());
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Session>> Session::Open(Task task, const Paths& paths) {
  auto session = std::make_unique<Session>();
  session->paths = paths;
  if (task == Task::kUser) DT_RETURN_IF_ERROR(CheckHome(paths.home));
  DT_ASSIGN_OR_RETURN(session->install, InstallState::Read(paths));
  const InstallOptions& options = session->install.options();
  DT_ASSIGN_OR_RETURN(
      session->trust_pem,
      ReadFile(options.trust_bundle.empty() ? paths.system_trust() : options.trust_bundle));
  DT_ASSIGN_OR_RETURN(std::string cache, kerberos::UseMachineConfig());

  const std::string keytab = options.keytab.empty() ? paths.keytab() : options.keytab;
  if (task == Task::kUser) {
    session->ticket_cache = std::move(cache);
    session->asks_device_task = ::access(keytab.c_str(), R_OK) != 0;
    if (options.store.empty()) {
      auto browsers = std::make_unique<NssStore>(paths.home, paths.renewals(), session->random);
      session->browsers = browsers.get();
      session->store = std::move(browsers);
    } else {
      session->store = std::make_unique<FileStore>(options.store, paths.renewals());
    }
  }
  session->computer = std::make_unique<LinuxComputer>(
      LinuxComputerConfig{paths, session->install, session->ticket_cache,
                          session->asks_device_task},
      session->store.get(), session->clock);
  NetworkConfig network;
  network.org_trust_pem = session->trust_pem;
  if (task == Task::kUser || DeviceTaskUsesProxy(options, kThisVersion)) {
    SetProxy(task, paths, options.http_proxy, network);
  }
  session->services = std::make_unique<NetworkServices>(std::move(network), session->clock);
  return session;
}

}  // namespace devicetrust::agent
