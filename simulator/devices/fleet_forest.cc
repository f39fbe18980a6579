#include "simulator/devices/fleet_forest.h"

#include <map>

namespace devicetrust::simulator {

absl::StatusOr<std::vector<std::string>> PopulateForest(Forest& forest, const Fleet& fleet,
                                                        const DirectoryAccount& directory) {
  AccountTable& table = forest.accounts();
  const std::uint32_t realm = forest.realm();
  std::map<std::string, std::uint32_t> groups;
  for (const std::string& group : fleet.groups) {
    DT_ASSIGN_OR_RETURN(groups[group], table.AddGroup(realm, group));
  }

  std::vector<NewAccount> users;
  users.reserve(fleet.users.size() + 1);
  for (const FleetUser& user : fleet.users) {
    NewAccount& account = users.emplace_back();
    account.name = user.account_name;
    account.password = user.password;
    account.display_name = user.display_name;
    account.given_name = user.given_name;
    account.surname = user.surname;
    account.mail = user.email;
    account.upn = user.principal;
    account.ou = "Staff";
    for (const std::string& group : user.groups) account.group_rids.push_back(groups.at(group));
  }
  NewAccount& service = users.emplace_back();
  service.name = directory.principal.substr(0, directory.principal.find('@'));
  service.password = directory.password;

  std::vector<NewAccount> computers;
  computers.reserve(fleet.domain_joined);
  for (const FleetDevice& device : fleet.devices) {
    if (device.computer_name.empty()) continue;
    NewAccount& account = computers.emplace_back();
    account.kind = AccountKind::kComputer;
    account.name = device.computer_name;
    account.operating_system = device.operating_system;
    account.operating_system_version = device.operating_system_version;
  }

  DT_ASSIGN_OR_RETURN(const std::uint32_t first, table.Add(realm, users));
  DT_RETURN_IF_ERROR(table.Add(realm, computers).status());
  std::vector<std::string> sids;
  sids.reserve(fleet.users.size());
  const Realm& domain = forest.view().realms()[realm];
  for (std::uint32_t i = 0; i < fleet.users.size(); ++i) {
    sids.push_back(Sid(domain, forest.view().Read(first + i).account.rid));
  }
  return sids;
}

}  // namespace devicetrust::simulator
