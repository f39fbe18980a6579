#include "simulator/forest/logon_info.h"

#include <optional>
#include <vector>

namespace devicetrust::simulator {
namespace {

kerberos::Sid DomainSidOf(const Realm& realm) {
  return {5, {21, realm.domain[0], realm.domain[1], realm.domain[2]}};
}

// The domain that a SID is of, and the account or group in it.
std::optional<Member> MemberOf(const AccountView& accounts, const kerberos::Sid& sid) {
  if (sid.authority != 5 || sid.parts.size() != 5 || sid.parts[0] != 21) return std::nullopt;
  const std::optional<std::uint32_t> realm =
      accounts.FindDomain(std::span<const std::uint32_t, 3>(&sid.parts[1], 3));
  return realm ? std::optional(Member{*realm, sid.parts[4]}) : std::nullopt;
}

}  // namespace

kerberos::LogonInfo LogonInfoOf(const AccountView& accounts, const Row& row,
                                std::int64_t logon_time, bool asserted_by_service) {
  const Account& account = row.account;
  const Realm& realm = accounts.realms()[account.realm];
  kerberos::LogonInfo info;
  info.name = account.name.str();
  info.full_name = row.person.display_name.str();
  info.server = "DC1";
  info.domain = realm.netbios.str();
  info.rid = account.rid;
  info.primary_group_rid = account.primary_group_rid;
  info.user_account_control = PacUserAccountControl(account);
  info.domain_sid = DomainSidOf(realm);
  info.logon_time = kerberos::FileTime(logon_time);
  info.password_last_set = kerberos::FileTime(account.password_set);
  for (const Member& group : accounts.GroupsAtLogon(account)) {
    if (group.realm == account.realm) {
      info.group_rids.push_back(group.rid);
    } else {
      info.extra_sids.push_back(DomainSidOf(accounts.realms()[group.realm]).Child(group.rid));
    }
  }
  for (const std::array<std::uint32_t, 4>& sid : account.earlier_sids()) {
    info.extra_sids.push_back({5, {21, sid[0], sid[1], sid[2], sid[3]}});
  }
  // Who says that it is them ([MS-DTYP] 2.4.2.4): the authentication authority, or a service.
  info.extra_sids.push_back({18, {asserted_by_service ? 2U : 1U}});
  return info;
}

bool FilterSids(const AccountView& accounts, std::uint32_t realm, std::uint32_t peer,
                kerberos::LogonInfo& info) {
  constexpr std::uint32_t kFirstOfPeople = 1000;  // Below: administrators and the like.
  const std::optional<Member> account = MemberOf(accounts, info.domain_sid.Child(info.rid));
  if (!account || !accounts.MayVouch(realm, peer, account->realm)) return false;
  if (accounts.realms()[peer].forest == accounts.realms()[realm].forest) return true;
  std::erase_if(info.extra_sids, [&](const kerberos::Sid& sid) {
    if (sid.authority == 18) return false;
    const std::optional<Member> member = MemberOf(accounts, sid);
    return !member || member->rid < kFirstOfPeople ||
           !accounts.MayVouch(realm, peer, member->realm);
  });
  info.resource_domain_sid = {};
  info.resource_group_rids.clear();
  return true;
}

void AddLocalGroups(const AccountView& accounts, std::uint32_t realm, kerberos::LogonInfo& info) {
  std::vector<Member> members;
  const auto add = [&](const kerberos::Sid& sid) {
    if (const std::optional<Member> member = MemberOf(accounts, sid)) members.push_back(*member);
  };
  add(info.domain_sid.Child(info.rid));
  for (const std::uint32_t rid : info.group_rids) add(info.domain_sid.Child(rid));
  for (const kerberos::Sid& sid : info.extra_sids) add(sid);
  const kerberos::Sid domain = DomainSidOf(accounts.realms()[realm]);
  for (const Member& group : accounts.LocalGroups(realm, members)) {
    info.extra_sids.push_back(domain.Child(group.rid));
  }
}

}  // namespace devicetrust::simulator
