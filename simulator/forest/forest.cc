#include "simulator/forest/forest.h"

#include <fmt/format.h>

#include "libs/kerberos/keytab.h"

namespace devicetrust::simulator {

absl::StatusOr<std::unique_ptr<Forest>> Forest::Create(const ForestConfig& config,
                                                       const Clock& clock, Random& random) {
  std::unique_ptr<Forest> forest(new Forest());
  const std::string table = config.run_dir + "/accounts.table";
  DT_ASSIGN_OR_RETURN(forest->accounts_,
                      AccountTable::Create(table, config.accounts_max, clock, random));
  DT_ASSIGN_OR_RETURN(forest->realm_, forest->accounts_->AddRealm(
                                          {.name = config.realm, .netbios = config.netbios}));
  DT_ASSIGN_OR_RETURN(forest->kdc_, Kdc::Start({.run_dir = config.run_dir,
                                                .table = table,
                                                .realms = {config.realm},
                                                .port = config.kdc_port,
                                                .log_requests = config.log_requests}));
  return forest;
}

absl::Status Forest::AddService(const std::string& spn) {
  const NewAccount service{.kind = AccountKind::kService, .name = spn};
  return accounts_->Add(realm_, {&service, 1}).status();
}

std::string Forest::Principal(std::string_view name) const {
  return fmt::format("{}@{}", name, view().realms()[realm_].name.view());
}

absl::StatusOr<kerberos::Key> Forest::KeyOf(std::string_view name) const {
  const std::optional<std::uint32_t> slot = view().FindName(realm_, name);
  if (!slot) return absl::NotFoundError(fmt::format("no account {} in the forest", name));
  const Account account = view().Read(*slot).account;
  LogonKey key = LogonKeyOf(account);
  return kerberos::Key{key.enctype, account.kvno, std::move(key.key)};
}

absl::Status Forest::WriteKeytab(const std::string& path,
                                 std::span<const std::string> names) const {
  std::vector<kerberos::KeytabEntry> entries;
  for (const std::string& name : names) {
    DT_ASSIGN_OR_RETURN(kerberos::Key key, KeyOf(name));
    entries.push_back({Principal(name), std::move(key), 0});
  }
  return kerberos::WriteKeytab(path, entries);
}

}  // namespace devicetrust::simulator
