#include "simulator/forest/forests.h"

#include <fmt/format.h>

#include "absl/strings/ascii.h"
#include "libs/kerberos/keytab.h"

namespace devicetrust::simulator {

absl::StatusOr<std::unique_ptr<Forests>> Forests::Create(const ForestsConfig& config,
                                                         const Clock& clock, Random& random) {
  std::unique_ptr<Forests> forests(new Forests());
  const std::string table = config.run_dir + "/accounts.table";
  DT_ASSIGN_OR_RETURN(forests->accounts_,
                      AccountTable::Create(table, config.accounts_max, clock, random));
  DT_RETURN_IF_ERROR(forests->AddDomains(config.forests));
  for (const TrustSpec& trust : config.trusts) {
    DT_RETURN_IF_ERROR(
        forests->SetTrust(trust.trusting, trust.trusted,
                          trust.both_ways ? TrustDirection::kBoth : TrustDirection::kOutbound));
  }
  DT_ASSIGN_OR_RETURN(forests->kdc_, Kdc::Start({.run_dir = config.run_dir,
                                                 .table = table,
                                                 .realms = forests->realms_,
                                                 .port = config.kdc_port,
                                                 .log_requests = config.log_requests}));
  return forests;
}

absl::Status Forests::AddDomains(const std::vector<ForestSpec>& forests) {
  for (const ForestSpec& forest : forests) {
    std::optional<std::uint32_t> root;
    for (const DomainSpec& domain : forest.domains) {
      realms_.push_back(domain.realm());
      const NewRealm realm{domain.realm(), domain.netbios_name, domain.sid, root};
      DT_ASSIGN_OR_RETURN(const std::uint32_t index, accounts_->AddRealm(realm));
      if (!root) root = index;
    }
  }
  // Once all are there: a parent may be named behind its child.
  for (std::uint32_t realm = 0; realm < realms_.size(); ++realm) {
    const std::optional<std::uint32_t> parent = view().ParentOf(realm);
    if (!parent) continue;
    DT_RETURN_IF_ERROR(accounts_->SetTrust(realm, *parent, TrustDirection::kBoth));
  }
  return absl::OkStatus();
}

absl::Status Forests::SetTrust(const std::string& domain, const std::string& partner,
                               TrustDirection direction) {
  const auto realm_of = [this](const std::string& name) -> absl::StatusOr<std::uint32_t> {
    const std::optional<std::uint32_t> realm = view().FindRealm(absl::AsciiStrToUpper(name));
    if (!realm) return absl::NotFoundError(fmt::format("no domain here is {}", name));
    return *realm;
  };
  DT_ASSIGN_OR_RETURN(const std::uint32_t own, realm_of(domain));
  DT_ASSIGN_OR_RETURN(const std::uint32_t other, realm_of(partner));
  return accounts_->SetTrust(own, other, direction);
}

absl::Status Forests::AddService(std::string_view principal) {
  const std::size_t at = principal.rfind('@');
  const std::optional<std::uint32_t> realm =
      at == principal.npos ? std::nullopt : view().FindRealm(principal.substr(at + 1));
  if (!realm) return absl::NotFoundError(fmt::format("no realm here is that of {}", principal));
  const NewAccount service{.kind = AccountKind::kService,
                           .name = std::string(principal.substr(0, at))};
  return accounts_->Add(*realm, {&service, 1}).status();
}

absl::StatusOr<kerberos::Key> Forests::KeyOf(std::string_view principal) const {
  const std::optional<std::uint32_t> slot = view().FindPrincipal(principal);
  if (!slot) return absl::NotFoundError(fmt::format("no account {} in the forests", principal));
  const Account account = view().Read(*slot).account;
  LogonKey key = LogonKeyOf(account);
  return kerberos::Key{key.enctype, account.kvno, std::move(key.key)};
}

absl::Status Forests::WriteKeytab(const std::string& path,
                                  std::span<const std::string> principals) const {
  std::vector<kerberos::KeytabEntry> entries;
  for (const std::string& principal : principals) {
    DT_ASSIGN_OR_RETURN(kerberos::Key key, KeyOf(principal));
    entries.push_back({principal, std::move(key), 0});
  }
  return kerberos::WriteKeytab(path, entries);
}

}  // namespace devicetrust::simulator
