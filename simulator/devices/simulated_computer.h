// A virtual computer: a compact value, so that 100,000 of them fit into one process. Its
// agent is the real one; what differs is where registry, store and keys lie.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/computer.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "simulator/devices/windows.h"
#include "simulator/forest/account_table.h"

namespace devicetrust::simulator {

// What all computers share. Thread-safe.
class ComputerWorld {
 public:
  // `accounts` and `clock` must outlive it.
  ComputerWorld(const AccountView& accounts, std::string org_url, const Clock& clock)
      : accounts_(accounts), org_url_(std::move(org_url)), clock_(clock) {}

  const AccountView& accounts() const { return accounts_; }
  const std::string& org_url() const { return org_url_; }
  const Clock& clock() const { return clock_; }

  // One copy of each chain of issuers, however many computers got it.
  using Chain = std::shared_ptr<const std::vector<pki::Certificate>>;
  Chain Share(const std::vector<pki::Certificate>& chain);

 private:
  const AccountView& accounts_;
  const std::string org_url_;
  const Clock& clock_;
  Mutex mutex_;
  std::vector<Chain> chains_ ABSL_GUARDED_BY(mutex_);
};

struct LoggedEvent {
  WallTime time;
  agent::Event event;
};

inline constexpr std::size_t kEventsKept = 64;  // The newest; older ones are overwritten.

// Used by one thread at a time.
class SimulatedComputer final : public agent::Computer {
 public:
  // Slots of the account table: the computer's account (none: not joined to a domain) and
  // that of the user who is logged on.
  SimulatedComputer(ComputerWorld& world, std::optional<std::uint32_t> computer_slot,
                    std::optional<std::uint32_t> user_slot);

  // What it runs, shared with others that are alike; null: a current Windows with all it needs.
  void set_windows(const WindowsSpec* spec);
  // Somebody else logs on, or nobody is left; the computer knows who it was enrolled for.
  void LogOn(std::optional<std::uint32_t> user_slot) { user_slot_ = user_slot; }
  void set_network_place(agent::NetworkPlace place) { place_ = place; }
  agent::AgentVersion agent_version() const {
    return windows_ == nullptr ? agent::kThisVersion : windows_->agent;
  }

  absl::Status Prepare() override;
  std::string name() const override;
  std::string domain() const override;
  agent::NetworkPlace network_place() const override { return place_; }
  std::optional<std::string> logged_on_user() const override;
  std::optional<std::string> RegistryValue(std::string_view name) const override;
  absl::StatusOr<std::vector<agent::PersonalCertificate>> PersonalCertificates() const override;
  absl::Status InstallPersonal(const std::vector<pki::Certificate>& chain,
                               const agent::DeviceKey& key, WallTime renew_at) override;
  absl::Status RemovePersonal(const pki::Certificate& certificate) override;
  // A certificate and its key are one value here: there is never one without the other.
  absl::StatusOr<int> RemoveOrphanKeys() override { return 0; }
  absl::StatusOr<agent::DeviceKey> CreateKey() override;
  std::optional<agent::DeviceKey> OpenPendingKey() const override;
  void DeletePendingKey() override { pending_key_.clear(); }
  absl::StatusOr<std::unique_ptr<agent::Negotiation>> Negotiate(
      agent::Account account, std::string_view service,
      const kerberos::Bindings& bindings) override;
  std::optional<std::string> other_user() const override;
  void WriteEvent(const agent::Event& event) override;

  // The certificate that a browser on this computer finds in the user's store; nothing: none. A
  // simulated computer keeps its keys in software, so that a test may write them to files.
  std::optional<pki::ExportableIdentity> DeviceIdentity() const;
  const std::vector<LoggedEvent>& events() const { return events_; }

 private:
  struct Stored {  // As bytes: parsed, a certificate and its key take ten times as much.
    Bytes certificate_der;
    Bytes key_pkcs8;
    ComputerWorld::Chain chain;
    WallTime renew_at;
  };

  ComputerWorld* world_;
  std::optional<std::uint32_t> computer_slot_, user_slot_;
  std::optional<std::uint32_t> enrolled_slot_;  // The user that it was enrolled for.
  const WindowsSpec* windows_ = nullptr;
  int dot_net_ = 0;
  agent::NetworkPlace place_ = agent::NetworkPlace::kCorporate;
  std::vector<Stored> store_;
  Bytes pending_key_;  // PKCS#8; empty: none.
  std::vector<LoggedEvent> events_;
};

}  // namespace devicetrust::simulator
