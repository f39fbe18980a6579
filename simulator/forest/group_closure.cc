// In which groups somebody is, through groups in groups. Compiled into the KDC's plug-in as well.
#include <algorithm>

#include "simulator/forest/account_layout.h"

namespace devicetrust::simulator {
namespace {

struct ForeignMembership {
  std::size_t group;
  Member member;
};

std::vector<ForeignMembership> ReadForeignMembers(const TableHeader& header) {
  std::vector<ForeignMembership> all;
  for (const auto& packed : header.foreign_member) {
    const std::uint64_t one = packed.load(std::memory_order_acquire);
    if (one == 0) continue;
    all.push_back({static_cast<std::size_t>(one >> 48U) - 1,
                   {static_cast<std::uint32_t>(one >> 32U & 0xffffU),
                    static_cast<std::uint32_t>(one & 0xffff'ffffU)}});
  }
  return all;
}

}  // namespace

template <typename Counts>
void AccountView::AddGroupsOfGroups(std::vector<Member>& members, Counts counts) const {
  const std::span<const Group> all = groups();
  const std::vector<ForeignMembership> foreign = ReadForeignMembers(mapping_->header());
  const auto add = [&](const Group& group) {
    const Member member{group.realm, group.rid};
    if (counts(group) && std::ranges::find(members, member) == members.end()) {
      members.push_back(member);
    }
  };
  for (std::size_t i = 0; i < members.size(); ++i) {
    const Member member = members[i];
    for (std::size_t at = 0; at < all.size(); ++at) {
      if (all[at].realm != member.realm || all[at].rid != member.rid) continue;
      for (const std::uint32_t rid : GroupParents(at)) {
        const Group* const parent = FindGroup(member.realm, rid);
        if (parent != nullptr) add(*parent);
      }
    }
    for (const ForeignMembership& one : foreign) {
      if (one.member == member && one.group < all.size()) add(all[one.group]);
    }
  }
}

std::vector<Member> AccountView::GroupsAtLogon(const Account& account) const {
  const std::uint32_t forest = realms()[account.realm].forest;
  const auto counts = [&](const Group& group) {
    if (group.scope == GroupScope::kDomainLocal || realms()[group.realm].forest != forest) {
      return false;
    }
    return group.scope == GroupScope::kUniversal || group.realm == account.realm;
  };
  std::vector<Member> members = {{account.realm, account.rid},
                                 {account.realm, account.primary_group_rid}};
  for (const std::uint32_t rid : account.groups()) {
    const Group* const group = FindGroup(account.realm, rid);
    if (group == nullptr || counts(*group)) members.push_back({account.realm, rid});
  }
  AddGroupsOfGroups(members, counts);
  members.erase(members.begin());  // The account itself.
  return members;
}

std::vector<Member> AccountView::LocalGroups(std::uint32_t realm,
                                             std::span<const Member> members) const {
  const auto counts = [realm](const Group& group) {
    return group.realm == realm && group.scope == GroupScope::kDomainLocal;
  };
  if (std::ranges::none_of(groups(), counts)) return {};
  std::vector<Member> all(members.begin(), members.end());
  for (const Member& member : members) {
    if (member.realm != realm) continue;
    const std::optional<std::uint32_t> slot = FindRid(realm, member.rid);
    if (!slot) continue;
    for (const std::uint32_t rid : Read(*slot).account.groups()) {
      const Group* const group = FindGroup(realm, rid);
      if (group != nullptr && counts(*group)) all.push_back({realm, rid});
    }
  }
  AddGroupsOfGroups(all, counts);
  all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(members.size()));
  return all;
}

}  // namespace devicetrust::simulator
