#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "agent/install_options.h"
#include "agent/linux/browser_setup.h"
#include "agent/linux/install_state.h"
#include "agent/linux/personal_store.h"
#include "agent/program/commands.h"
#include "agent/program/session.h"
#include "libs/base/files.h"

namespace devicetrust::agent {
namespace {

constexpr const char* kEnable =
    "systemctl daemon-reload && systemctl enable --now devicetrust-devicetask.socket "
    "devicetrust-devicetask.timer && systemctl --global enable devicetrust-usertask.service "
    "devicetrust-usertask.timer";
constexpr const char* kDisable =
    "systemctl disable --now devicetrust-devicetask.socket devicetrust-devicetask.timer; "
    "systemctl --global disable devicetrust-usertask.service devicetrust-usertask.timer";

int Fail(const absl::Status& status, int code = kExitFailed) {
  fmt::print(stderr, "dt-agent: {}\n", std::string(status.message()));
  return code;
}

bool HasSystemd(const Paths& paths) {
  std::error_code error;
  return paths.root.empty() && std::filesystem::exists("/run/systemd/system", error);
}

// Without systemd, or for an image, there is nothing to switch.
void Switch(const Paths& paths, const char* command, bool quiet) {
  if (!HasSystemd(paths)) {
    if (!quiet) fmt::print("no systemd runs here: start the tasks in your own way\n");
    return;
  }
  if (std::system(command) != 0) {
    fmt::print(stderr, "dt-agent: systemctl failed; its message is above.\n");
  }
}

}  // namespace

int Install(const Paths& paths, const std::vector<std::string>& words, bool quiet) {
  const auto options = ParseInstallOptions(words);
  if (!options.ok()) {
    Fail(options.status());
    fmt::print(stderr, "          dt-agent install --help explains the options\n");
    return kExitUsage;
  }
  for (const std::string& file : {options->trust_bundle, options->keytab}) {
    if (!file.empty() && ::access(file.c_str(), F_OK) != 0) {
      return Fail(absl::NotFoundError(file + ": there is no such file"), kExitUsage);
    }
  }
  const SystemClock clock;
  if (const absl::Status written = InstallState::Write(paths, *options, clock.Now());
      !written.ok()) {
    Fail(written);
    fmt::print(stderr, "          Install as root.\n");
    return kExitFailed;
  }
  // Whoever logs on next is the computer's user.
  ::unlink(paths.enrolled_user().c_str());
  if (options->skip_browser_setup) CleanUpBrowsers(paths).IgnoreError();
  if (!quiet) fmt::print("installed {} for {}\n", kThisVersion.Text(), options->org_url);
  Switch(paths, kEnable, quiet);
  return 0;
}

int Uninstall(const Paths& paths, bool user, bool quiet) {
  if (user) {
    auto session = Session::Open(Task::kUser, paths);
    if (!session.ok()) return Fail(session.status());
    const auto all = (*session)->store->Certificates();
    if (!all.ok()) return Fail(all.status());
    for (const PersonalCertificate& one : *all) {
      if (one.certificate.issuer_common_name() != kIssuerCommonName) continue;
      if (const absl::Status gone = (*session)->store->Remove(one.certificate); !gone.ok()) {
        return Fail(gone);
      }
      if (!quiet) fmt::print("removed certificate {}\n", one.certificate.serial_hex());
    }
    (*session)->store->DeletePendingKey();
    (*session)->store->RemoveOrphanKeys().IgnoreError();
    return 0;
  }
  const auto installed = InstallState::Read(paths);
  if (absl::IsNotFound(installed.status())) return Fail(installed.status(), kExitNotInstalled);
  if (installed.ok()) Switch(paths, kDisable, quiet);
  int code = 0;
  if (const absl::Status cleaned = CleanUpBrowsers(paths); !cleaned.ok()) code = Fail(cleaned);
  if (const absl::Status removed = InstallState::Remove(paths); !removed.ok()) {
    code = Fail(removed);
  }
  ::unlink(paths.enrolled_user().c_str());
  if (code == 0 && !quiet)
    fmt::print("uninstalled; certificates stay: dt-agent uninstall --user\n");
  return code;
}

}  // namespace devicetrust::agent
