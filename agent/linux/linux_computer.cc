#include "agent/linux/linux_computer.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <unistd.h>

#include <array>

#include "agent/kerberos_negotiation.h"
#include "agent/linux/device_task.h"
#include "libs/base/ascii.h"
#include "libs/base/files.h"
#include "libs/kerberos/credentials.h"

namespace devicetrust::agent {
namespace {

// "PC1$@CORP.TEST" of a computer whose keytab we may not read: as its device task would be called.
std::string HostPrincipal(const std::string& user) {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) return "";
  std::string name(host.data());
  name = name.substr(0, name.find('.'));
  for (char& c : name) c = ToUpper(c);
  const std::size_t at = user.rfind('@');
  return at == std::string::npos ? "" : name + "$" + user.substr(at);
}

}  // namespace

LinuxComputer::LinuxComputer(LinuxComputerConfig config, PersonalStore* store, const Clock& clock)
    : config_(std::move(config)),
      store_(store),
      log_(config_.ticket_cache.empty() ? config_.paths.machine_log() : config_.paths.user_log(),
           clock) {
  if (config_.ask_device_task) {
    principal_ = HostPrincipal(logged_on_user().value_or(""));
    return;
  }
  auto computer = kerberos::ComputerOf(keytab());
  if (computer.ok()) principal_ = *std::move(computer);
}

std::string LinuxComputer::keytab() const {
  const std::string& named = config_.install.options().keytab;
  return named.empty() ? config_.paths.keytab() : named;
}

std::string LinuxComputer::name() const {
  const std::string name = principal_.substr(0, principal_.find('$'));
  return name.empty() ? "this computer" : name;
}

std::string LinuxComputer::domain() const {
  const std::size_t at = principal_.rfind('@');
  return at == std::string::npos ? "" : LowerCase(principal_.substr(at + 1));
}

NetworkPlace LinuxComputer::network_place() const {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return NetworkPlace::kCorporate;
  bool up = false;
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || (one->ifa_flags & IFF_UP) == 0) continue;
    up = up || one->ifa_addr->sa_family == AF_INET || one->ifa_addr->sa_family == AF_INET6;
  }
  ::freeifaddrs(all);
  return up ? NetworkPlace::kCorporate : NetworkPlace::kOffline;
}

std::optional<std::string> LinuxComputer::logged_on_user() const {
  if (config_.ticket_cache.empty()) return std::nullopt;
  auto principal = kerberos::PrincipalOfCache(config_.ticket_cache);
  if (!principal.ok()) return std::nullopt;
  return *std::move(principal);
}

std::optional<std::string> LinuxComputer::RegistryValue(std::string_view name) const {
  if (name == kOrgUrlValue) return config_.install.options().org_url;
  return config_.install.Value(std::string(name));
}

absl::StatusOr<std::vector<PersonalCertificate>> LinuxComputer::PersonalCertificates() const {
  return store_->Certificates();
}

absl::Status LinuxComputer::InstallPersonal(const std::vector<pki::Certificate>& chain,
                                            const DeviceKey& key, WallTime renew_at) {
  DT_RETURN_IF_ERROR(store_->Install(chain, key, renew_at));
  // Who may read the keytab is the device task as well, and notes whose computer it is.
  if (!config_.ask_device_task) {
    NoteEnrolledUser(config_.paths, logged_on_user().value_or("")).IgnoreError();
  }
  return absl::OkStatus();
}

absl::Status LinuxComputer::RemovePersonal(const pki::Certificate& certificate) {
  return store_->Remove(certificate);
}

absl::StatusOr<int> LinuxComputer::RemoveOrphanKeys() { return store_->RemoveOrphanKeys(); }
absl::StatusOr<DeviceKey> LinuxComputer::CreateKey() { return store_->CreateKey(); }
std::optional<DeviceKey> LinuxComputer::OpenPendingKey() const { return store_->OpenPendingKey(); }
void LinuxComputer::DeletePendingKey() { store_->DeletePendingKey(); }

absl::StatusOr<std::unique_ptr<Negotiation>> LinuxComputer::Negotiate(
    Account account, std::string_view service, const kerberos::Bindings& bindings) {
  auto credentials = account == Account::kComputer
                         ? kerberos::Credentials::FromKeytab(keytab(), principal_)
                         : kerberos::Credentials::FromCache(config_.ticket_cache);
  if (!credentials.ok()) return credentials.status();
  return StartKerberos(*std::move(credentials), service, bindings);
}

std::optional<absl::StatusOr<std::string>> LinuxComputer::DeviceTokenFor(
    const std::string& iwa_name, const std::string& key_thumbprint) {
  if (!config_.ask_device_task) return std::nullopt;
  return AskDeviceTask(config_.paths.device_task_socket(),
                       {iwa_name, key_thumbprint, logged_on_user().value_or("")});
}

std::optional<std::string> LinuxComputer::other_user() const {
  const std::optional<std::string> user = logged_on_user();
  const auto text = ReadFile(config_.paths.enrolled_user());
  if (!user || !text.ok()) return std::nullopt;
  const std::string enrolled = text->substr(0, text->find('\n'));
  if (enrolled.empty() || EqualIgnoringCase(enrolled, *user)) return std::nullopt;
  return enrolled;
}

}  // namespace devicetrust::agent
