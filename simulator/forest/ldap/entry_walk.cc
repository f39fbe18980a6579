// In which order entries are visited, what has changed, and who is in which group.
#include <algorithm>

#include "simulator/forest/ldap/entry.h"

namespace devicetrust::simulator {
namespace {

constexpr LdapPosition kDomainPosition = 1;
constexpr LdapPosition kFirstContainer = 2;
constexpr LdapPosition kFirstTrust = 1U << 18U;
constexpr LdapPosition kWellKnownGroup = 1U << 20U;  // And the RID.
constexpr LdapPosition kFirstGroup = 1U << 24U;
constexpr LdapPosition kFirstAccount = LdapPosition{1} << 32U;

LdapPosition PositionOf(const LdapEntry& group) {
  return group.group == LdapEntry::kWellKnown ? kWellKnownGroup + group.rid
                                              : kFirstGroup + group.group;
}

std::uint64_t GroupKey(std::uint32_t realm, std::uint32_t rid) {
  return std::uint64_t{realm} << 32U | rid;
}

}  // namespace

void LdapEntries::LearnGroups() const {
  const std::span<const Group> groups = accounts_.groups();
  for (; groups_known_ < groups.size(); ++groups_known_) {
    const Group& group = groups[groups_known_];
    groups_.emplace(GroupKey(group.realm, group.rid), groups_known_);
    groups_by_dn_.emplace(CanonicalName(group.dn), groups_known_);
  }
}

std::optional<std::size_t> LdapEntries::GroupIndex(std::uint32_t realm, std::uint32_t rid) const {
  const MutexLock lock(mutex_);
  LearnGroups();
  const auto found = groups_.find(GroupKey(realm, rid));
  if (found == groups_.end()) return std::nullopt;
  return found->second;
}

void LdapEntries::Scan(std::uint32_t realm, bool deleted, LdapPosition after,
                       const Visit& visit) const {
  if (after < kFirstAccount) {
    if (after == 0 && !visit(kDomainPosition, DomainEntry(realm))) return;
    LdapPosition position = kFirstContainer;
    for (const LdapEntry& entry : ContainerEntries(realm)) {
      if (position > after && !visit(position, entry)) return;
      ++position;
    }
    for (std::size_t i = 0; i < accounts_.trusts(); ++i) {
      const std::optional<LdapEntry> entry = TrustEntry(realm, i);
      if (entry && kFirstTrust + i > after && !visit(kFirstTrust + i, *entry)) return;
    }
    for (const LdapEntry& entry : GroupEntries(realm)) {
      const LdapPosition at = PositionOf(entry);
      if (at > after && !visit(at, entry)) return;
    }
  }
  const std::uint32_t size = accounts_.size();
  const auto first = after < kFirstAccount ? 0 : static_cast<std::uint32_t>(after + 1);
  for (std::uint32_t slot = first; slot < size; ++slot) {
    const std::optional<LdapEntry> entry = AccountEntry(slot, deleted);
    if (!entry || entry->realm != realm) continue;
    if (!visit(kFirstAccount + slot, *entry)) return;
  }
}

void LdapEntries::Walk(std::uint32_t realm, bool deleted, LdapPosition after,
                       std::span<const LdapPosition> positions, const Visit& visit) const {
  for (auto at = std::ranges::upper_bound(positions, after); at != positions.end(); ++at) {
    if (*at < kWellKnownGroup) {
      const auto trust = TrustEntry(realm, static_cast<std::size_t>(*at - kFirstTrust));
      if (trust && !visit(*at, *trust)) return;
      continue;
    }
    if (*at < kFirstAccount) {
      if (!visit(*at, GroupEntry(static_cast<std::size_t>(*at - kFirstGroup)))) return;
      continue;
    }
    const auto entry = AccountEntry(static_cast<std::uint32_t>(*at - kFirstAccount), deleted);
    if (entry && entry->realm == realm && !visit(*at, *entry)) return;
  }
}

std::vector<LdapPosition> LdapEntries::ChangedSince(std::uint32_t realm, std::uint64_t usn) const {
  std::vector<LdapPosition> positions;
  for (std::size_t i = 0; i < accounts_.trusts(); ++i) {
    if (accounts_.TrustAt(i).usn >= usn) positions.push_back(kFirstTrust + i);
  }
  const std::span<const Group> groups = accounts_.groups();
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (groups[i].realm == realm && accounts_.GroupUsn(i) >= usn) {
      positions.push_back(kFirstGroup + i);
    }
  }
  const std::uint32_t size = accounts_.size();
  for (std::uint32_t slot = 0; slot < size; ++slot) {
    if (accounts_.UsnOf(slot) >= usn) positions.push_back(kFirstAccount + slot);
  }
  return positions;
}

void LdapEntries::RefreshMembers() const {
  const std::uint64_t usn = accounts_.highest_usn();
  members_.resize(accounts_.groups().size());
  if (usn == members_usn_) return;
  const std::uint32_t size = accounts_.size();
  groups_of_.resize(size);
  for (std::uint32_t slot = 0; slot < size; ++slot) {
    if (accounts_.GroupsUsnOf(slot) <= members_usn_ && accounts_.UsnOf(slot) <= members_usn_) {
      continue;
    }
    const Row row = accounts_.Read(slot);
    for (const std::uint32_t group : groups_of_[slot]) members_[group].erase(slot);
    groups_of_[slot].clear();
    if (row.account.has(kDeleted)) continue;
    for (const std::uint32_t rid : row.account.groups()) {
      const auto group = groups_.find(GroupKey(row.account.realm, rid));
      if (group == groups_.end()) continue;
      groups_of_[slot].push_back(static_cast<std::uint32_t>(group->second));
      members_[group->second].insert(slot);
    }
  }
  members_usn_ = usn;
}

std::vector<LdapPosition> LdapEntries::MembersOf(std::uint32_t realm,
                                                 std::string_view group_dn) const {
  std::vector<LdapPosition> positions;
  const MutexLock lock(mutex_);
  LearnGroups();
  const auto found = groups_by_dn_.find(std::string(group_dn));
  const std::span<const Group> groups = accounts_.groups();
  if (found == groups_by_dn_.end() || groups[found->second].realm != realm) return positions;
  for (std::size_t child = 0; child < groups.size(); ++child) {
    if (groups[child].realm != realm) continue;
    const std::vector<std::uint32_t> parents = accounts_.GroupParents(child);
    if (std::ranges::find(parents, groups[found->second].rid) != parents.end()) {
      positions.push_back(kFirstGroup + child);
    }
  }
  RefreshMembers();
  for (const std::uint32_t slot : members_[found->second]) {
    positions.push_back(kFirstAccount + slot);
  }
  return positions;
}

std::vector<std::uint32_t> LdapEntries::GroupsThroughout(const LdapEntry& entry) const {
  std::vector<std::uint32_t> rids;
  const auto add = [&rids](std::uint32_t rid) {
    if (std::ranges::find(rids, rid) == rids.end()) rids.push_back(rid);
  };
  if (entry.is_account()) {
    add(entry.row.account.primary_group_rid);
    for (const std::uint32_t rid : entry.row.account.groups()) add(rid);
  } else if (entry.kind == LdapEntry::Kind::kGroup && entry.group != LdapEntry::kWellKnown) {
    for (const std::uint32_t rid : accounts_.GroupParents(entry.group)) add(rid);
  }
  for (std::size_t i = 0; i < rids.size(); ++i) {
    const std::optional<std::size_t> index = GroupIndex(entry.realm, rids[i]);
    if (!index) continue;
    for (const std::uint32_t rid : accounts_.GroupParents(*index)) add(rid);
  }
  return rids;
}

}  // namespace devicetrust::simulator
