// A real computer that runs Linux: joined to a domain by a keytab, its user logged on by Kerberos,
// the user's certificates in browsers' databases or in files.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/computer.h"
#include "agent/linux/event_log.h"
#include "agent/linux/install_state.h"
#include "agent/linux/paths.h"
#include "agent/linux/personal_store.h"
#include "libs/base/clock.h"

namespace devicetrust::agent {

struct LinuxComputerConfig {
  Paths paths;
  InstallState install;
  std::string ticket_cache;  // Of the user (kerberos::UseMachineConfig()); empty: the device task.
  // Nobody but root may read the keytab, so the user task asks the device task for its token. Off:
  // this process may.
  bool ask_device_task = false;
};

// kerberos::UseMachineConfig() must have been called.
class LinuxComputer final : public Computer {
 public:
  // `store` and `clock` must outlive it; `store` may be null for the device task.
  LinuxComputer(LinuxComputerConfig config, PersonalStore* store, const Clock& clock);

  std::string name() const override;
  std::string domain() const override;
  // What a computer can know: whether it has a network. That the domain does not answer,
  // Negotiate() says.
  NetworkPlace network_place() const override;
  std::optional<std::string> logged_on_user() const override;
  std::optional<std::string> RegistryValue(std::string_view name) const override;
  absl::StatusOr<std::vector<PersonalCertificate>> PersonalCertificates() const override;
  absl::Status InstallPersonal(const std::vector<pki::Certificate>& chain, const DeviceKey& key,
                               WallTime renew_at) override;
  absl::Status RemovePersonal(const pki::Certificate& certificate) override;
  absl::StatusOr<int> RemoveOrphanKeys() override;
  absl::StatusOr<DeviceKey> CreateKey() override;
  std::optional<DeviceKey> OpenPendingKey() const override;
  void DeletePendingKey() override;
  absl::StatusOr<std::unique_ptr<Negotiation>> Negotiate(
      Account account, std::string_view service, const kerberos::Bindings& bindings) override;
  std::optional<absl::StatusOr<std::string>> DeviceTokenFor(
      const std::string& iwa_name, const std::string& key_thumbprint) override;
  std::optional<std::string> other_user() const override;
  void WriteEvent(const Event& event) override { log_.Write(event); }

  std::string keytab() const;

 private:
  const LinuxComputerConfig config_;
  PersonalStore* const store_;
  const EventLog log_;
  std::string principal_;  // "PC1$@CORP.TEST"; empty: not joined.
};

}  // namespace devicetrust::agent
