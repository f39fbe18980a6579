#include "simulator/devices/fleet_forest.h"

#include <map>

namespace devicetrust::simulator {
namespace {

NewAccount AccountOf(const FleetUser& user, const std::map<std::string, std::uint32_t>& groups) {
  NewAccount account;
  account.name = user.account_name;
  account.password = user.password;
  account.display_name = user.display_name;
  account.given_name = user.given_name;
  account.surname = user.surname;
  account.mail = user.email;
  account.upn = user.principal;
  account.ou = "Staff";
  for (const std::string& group : user.groups) account.group_rids.push_back(groups.at(group));
  return account;
}

NewAccount AccountOf(const FleetDevice& device) {
  NewAccount account;
  account.kind = AccountKind::kComputer;
  account.name = device.computer_name;
  account.operating_system = device.operating_system;
  account.operating_system_version = device.operating_system_version;
  return account;
}

// Fills one domain, whose index is `domain` among the realms as well; sets the SIDs of its users.
absl::Status PopulateDomain(AccountTable& table, const Fleet& fleet, std::uint32_t domain,
                            const std::string& directory_password, std::vector<std::string>& sids) {
  std::map<std::string, std::uint32_t> groups;
  for (const std::string& group : fleet.groups) {
    DT_ASSIGN_OR_RETURN(groups[group], table.AddGroup(domain, group));
  }
  std::vector<NewAccount> accounts;
  std::vector<std::size_t> users;
  for (std::size_t i = 0; i < fleet.users.size(); ++i) {
    if (fleet.users[i].domain != domain) continue;
    users.push_back(i);
    accounts.push_back(AccountOf(fleet.users[i], groups));
  }
  accounts.push_back({.name = kDirectoryAccount, .password = directory_password});
  for (const FleetDevice& device : fleet.devices) {
    const bool here = !device.computer_name.empty() && fleet.users[device.user].domain == domain;
    if (here) accounts.push_back(AccountOf(device));
  }
  DT_ASSIGN_OR_RETURN(std::uint32_t slot, table.Add(domain, accounts));
  const Realm& realm = table.view().realms()[domain];
  for (const std::size_t user : users) {
    sids[user] = Sid(realm, table.view().Read(slot++).account.rid);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> PopulateForests(Forests& forests, const Fleet& fleet,
                                                         const std::string& directory_password) {
  std::vector<std::string> sids(fleet.users.size());
  for (std::uint32_t domain = 0; domain < fleet.domains.size(); ++domain) {
    DT_RETURN_IF_ERROR(PopulateDomain(forests.accounts(), fleet, domain, directory_password, sids));
  }
  return sids;
}

}  // namespace devicetrust::simulator
