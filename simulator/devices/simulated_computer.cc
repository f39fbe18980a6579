#include "simulator/devices/simulated_computer.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "agent/kerberos_negotiation.h"

namespace devicetrust::simulator {
namespace {

std::string PrincipalOf(const AccountView& accounts, const Account& account) {
  return fmt::format("{}@{}", account.name.view(), accounts.realms()[account.realm].name.view());
}

constexpr const char* kPendingKeyId = "pending";  // There is one at most.

}  // namespace

ComputerWorld::Chain ComputerWorld::Share(const std::vector<pki::Certificate>& chain) {
  const MutexLock lock(mutex_);
  for (const Chain& known : chains_) {
    const bool same = std::equal(known->begin(), known->end(), chain.begin(), chain.end(),
                                 [](const pki::Certificate& a, const pki::Certificate& b) {
                                   return a.Fingerprint() == b.Fingerprint();
                                 });
    if (same) return known;
  }
  chains_.push_back(std::make_shared<const std::vector<pki::Certificate>>(chain));
  return chains_.back();
}

SimulatedComputer::SimulatedComputer(ComputerWorld& world,
                                     std::optional<std::uint32_t> computer_slot,
                                     std::optional<std::uint32_t> user_slot)
    : world_(&world), computer_slot_(computer_slot), user_slot_(user_slot) {}

void SimulatedComputer::set_windows(const WindowsSpec* spec) {
  windows_ = spec;
  dot_net_ = spec == nullptr ? 0 : spec->dot_net;
}

absl::Status SimulatedComputer::Prepare() {
  if (windows_ == nullptr) return absl::OkStatus();
  bool installed = false;
  DT_RETURN_IF_ERROR(CheckPrerequisites(*windows_, dot_net_, installed));
  if (installed) {
    WriteEvent({agent::kEventPrepared, agent::EventLevel::kInformation,
                ".NET Framework 4.5.2 was installed; the user saw its windows."});
  }
  return absl::OkStatus();
}

std::optional<std::string> SimulatedComputer::other_user() const {
  if (!enrolled_slot_ || !user_slot_ || *enrolled_slot_ == *user_slot_) return std::nullopt;
  return PrincipalOf(world_->accounts(), world_->accounts().Read(*enrolled_slot_).account);
}

std::string SimulatedComputer::name() const {
  if (!computer_slot_) return "unmanaged";
  std::string name = world_->accounts().Read(*computer_slot_).account.name.str();
  if (name.ends_with('$')) name.pop_back();
  return name;
}

std::string SimulatedComputer::domain() const {
  if (!computer_slot_) return "";
  const AccountView& accounts = world_->accounts();
  return absl::AsciiStrToLower(
      accounts.realms()[accounts.Read(*computer_slot_).account.realm].name.str());
}

std::optional<std::string> SimulatedComputer::logged_on_user() const {
  if (!user_slot_) return std::nullopt;
  return PrincipalOf(world_->accounts(), world_->accounts().Read(*user_slot_).account);
}

std::optional<std::string> SimulatedComputer::RegistryValue(std::string_view name) const {
  if (name == agent::kOrgUrlValue) return world_->org_url();
  return std::nullopt;
}

absl::StatusOr<std::vector<agent::PersonalCertificate>> SimulatedComputer::PersonalCertificates()
    const {
  std::vector<agent::PersonalCertificate> certificates;
  for (const Stored& stored : store_) {
    auto certificate = pki::Certificate::FromDer(stored.certificate_der);
    if (certificate.ok()) {
      certificates.push_back({*std::move(certificate), !stored.key_pkcs8.empty(), stored.renew_at});
    }
  }
  return certificates;
}

absl::Status SimulatedComputer::InstallPersonal(const std::vector<pki::Certificate>& chain,
                                                const agent::DeviceKey& key, WallTime renew_at) {
  if (chain.empty() || key.id != kPendingKeyId || pending_key_.empty()) {
    return absl::FailedPreconditionError("the key of this certificate is not in the key store");
  }
  store_.push_back({chain.front().der(), std::move(pending_key_),
                    world_->Share({chain.begin() + 1, chain.end()}), renew_at});
  pending_key_.clear();
  enrolled_slot_ = user_slot_;
  return absl::OkStatus();
}

absl::Status SimulatedComputer::RemovePersonal(const pki::Certificate& certificate) {
  const Bytes der = certificate.der();
  std::erase_if(store_, [&](const Stored& stored) { return stored.certificate_der == der; });
  return absl::OkStatus();
}

absl::StatusOr<agent::DeviceKey> SimulatedComputer::CreateKey() {
  DT_ASSIGN_OR_RETURN(pki::PrivateKey key, pki::PrivateKey::Generate());
  pending_key_ = key.Pkcs8();
  return agent::DeviceKey{kPendingKeyId, std::move(key)};
}

std::optional<agent::DeviceKey> SimulatedComputer::OpenPendingKey() const {
  if (pending_key_.empty()) return std::nullopt;
  auto key = pki::PrivateKey::FromPkcs8(pending_key_);
  if (!key.ok()) return std::nullopt;
  return agent::DeviceKey{kPendingKeyId, *std::move(key)};
}

absl::StatusOr<std::unique_ptr<agent::Negotiation>> SimulatedComputer::Negotiate(
    agent::Account account, std::string_view service, const kerberos::Bindings& bindings) {
  const std::optional<std::uint32_t> slot =
      account == agent::Account::kComputer ? computer_slot_ : user_slot_;
  if (!slot) {
    return kerberos::MakeFailure(kerberos::Failure::kUnknownAccount,
                                 "this computer has no such account");
  }
  const Account row = world_->accounts().Read(*slot).account;
  LogonKey key = LogonKeyOf(row);
  // One exchange with the KDC: a computer that lives for one enrollment needs no ticket-granting
  // ticket, unless that leads it to another realm.
  const bool in_own_realm = world_->accounts().FindName(row.realm, service).has_value();
  DT_ASSIGN_OR_RETURN(kerberos::Credentials credentials,
                      kerberos::Credentials::FromKey(PrincipalOf(world_->accounts(), row),
                                                     {key.enctype, row.kvno, std::move(key.key)},
                                                     std::string(in_own_realm ? service : "")));
  return agent::StartKerberos(std::move(credentials), service, bindings);
}

void SimulatedComputer::WriteEvent(const agent::Event& event) {
  if (events_.size() == kEventsKept) events_.erase(events_.begin());
  events_.push_back({world_->clock().Now(), event});
}

std::optional<pki::ExportableIdentity> SimulatedComputer::DeviceIdentity() const {
  for (const Stored& stored : store_) {
    auto certificate = pki::Certificate::FromDer(stored.certificate_der);
    auto key = pki::PrivateKey::FromPkcs8(stored.key_pkcs8);
    if (!certificate.ok() || !key.ok()) continue;
    if (certificate->issuer_common_name() != agent::kIssuerCommonName) continue;
    return pki::ExportableIdentity{*std::move(certificate), *std::move(key), *stored.chain};
  }
  return std::nullopt;
}

}  // namespace devicetrust::simulator
