// What every verb of dt-agent works on: the installation, the computer, its store and the servers.
#pragma once

#include <memory>
#include <string>

#include "agent/linux/install_state.h"
#include "agent/linux/linux_computer.h"
#include "agent/linux/paths.h"
#include "agent/linux/personal_store.h"
#include "agent/network_services.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"

namespace devicetrust::agent {

enum class Task { kDevice, kUser };

// Members must not be moved: each refers to those before it.
struct Session {
  // Errors: kNotFound not installed; kInvalidArgument the installation makes no sense; kNotFound
  // the trust bundle or the Kerberos configuration is not there; kFailedPrecondition root runs the
  // user's task in the home of another account.
  static absl::StatusOr<std::unique_ptr<Session>> Open(Task task, const Paths& paths);

  Paths paths;
  InstallState install;
  std::string ticket_cache;
  bool asks_device_task = false;
  std::string trust_pem;
  SystemClock clock;
  SystemRandom random;
  std::unique_ptr<PersonalStore> store;
  NssStore* browsers = nullptr;  // Of `store`, when it is that; else null.
  std::unique_ptr<LinuxComputer> computer;
  std::unique_ptr<NetworkServices> services;
};

}  // namespace devicetrust::agent
