// Groups of the account table.
#include <fmt/format.h>

#include <algorithm>

#include "libs/base/names.h"
#include "simulator/forest/account_layout.h"

namespace devicetrust::simulator {

absl::StatusOr<std::uint32_t> AccountTable::AddGroup(std::uint32_t realm, const std::string& name,
                                                     GroupScope scope) {
  const MutexLock lock(mutex_);
  TableHeader& header = view_.mapping_->header();
  if (realm >= view_.realms().size()) return absl::InvalidArgumentError("no such realm");
  Group group;
  group.realm = realm;
  group.scope = scope;
  const std::string dn =
      fmt::format("CN={},CN=Users,{}", EscapeRdnValue(name), view_.realms()[realm].base_dn.view());
  if (!group.name.Assign(name)) return TooLong("group", name);
  if (!group.dn.Assign(dn)) return TooLong("DN", dn);
  for (const Group& other : view_.groups()) {
    if (other.realm == realm && SameName(other.name, name)) return absl::AlreadyExistsError(name);
  }
  const std::uint32_t count = header.groups.load(std::memory_order_relaxed);
  if (count == kGroupsMax) return absl::ResourceExhaustedError("the table is full of groups");
  group.rid = next_rid_[realm]++;
  header.group[count] = group;
  group_index_[GroupKey(realm, group.rid)] = count;
  TouchGroup(count);
  header.groups.store(count + 1, std::memory_order_release);
  header.groups_version.fetch_add(1, std::memory_order_release);
  return group.rid;
}

void AccountTable::TouchGroup(std::size_t index) {
  TableHeader& header = view_.mapping_->header();
  const std::uint64_t usn = NextUsn();
  header.group_usn[index].store(usn, std::memory_order_release);
  header.usn.store(usn, std::memory_order_release);
}

absl::Status AccountTable::SetGroupParents(std::uint32_t realm, std::uint32_t group_rid,
                                           std::span<const std::uint32_t> parent_rids) {
  const MutexLock lock(mutex_);
  const auto group = group_index_.find(GroupKey(realm, group_rid));
  if (group == group_index_.end()) return absl::NotFoundError("no such group");
  if (parent_rids.size() > kGroupParentsMax) {
    return absl::InvalidArgumentError(
        fmt::format("a group is in at most {} groups", kGroupParentsMax));
  }
  for (const std::uint32_t rid : parent_rids) {
    const auto parent = group_index_.find(GroupKey(realm, rid));
    if (parent == group_index_.end()) continue;
    DT_RETURN_IF_ERROR(CheckMember(view_.groups()[parent->second], {realm, group_rid}));
  }
  TableHeader& header = view_.mapping_->header();
  const std::uint64_t usn = NextUsn();
  std::vector<std::uint32_t> touched = view_.GroupParents(group->second);
  touched.insert(touched.end(), parent_rids.begin(), parent_rids.end());
  for (std::size_t i = 0; i < kGroupParentsMax; ++i) {
    header.group_parent[group->second][i].store(i < parent_rids.size() ? parent_rids[i] : 0,
                                                std::memory_order_release);
  }
  for (const std::uint32_t rid : touched) {
    const auto parent = group_index_.find(GroupKey(realm, rid));
    if (parent == group_index_.end()) continue;
    header.group_usn[parent->second].store(usn, std::memory_order_release);
  }
  header.groups_version.fetch_add(1, std::memory_order_release);
  header.usn.store(usn, std::memory_order_release);
  return absl::OkStatus();
}

absl::Status AccountTable::CheckMember(const Group& group, const Member& member) const {
  const std::span<const Realm> realms = view_.realms();
  if (member.realm >= realms.size()) return absl::InvalidArgumentError("no such realm");
  const Group* const nested = view_.FindGroup(member.realm, member.rid);
  const bool same_domain = member.realm == group.realm;
  const bool same_forest = realms[member.realm].forest == realms[group.realm].forest;
  const auto scope = nested == nullptr ? GroupScope::kGlobal : nested->scope;
  bool allowed = false;
  switch (group.scope) {
    case GroupScope::kGlobal:
      allowed = same_domain && scope == GroupScope::kGlobal;
      break;
    case GroupScope::kUniversal:
      allowed = same_forest && scope != GroupScope::kDomainLocal;
      break;
    case GroupScope::kDomainLocal:
      allowed = same_domain || scope != GroupScope::kDomainLocal;
      break;
  }
  if (allowed) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("the scope of group {} allows no such member", group.name.view()));
}

absl::Status AccountTable::SetForeignMember(std::uint32_t realm, std::uint32_t group_rid,
                                            const Member& member, bool on) {
  const MutexLock lock(mutex_);
  const auto group = group_index_.find(GroupKey(realm, group_rid));
  if (group == group_index_.end()) return absl::NotFoundError("no such group");
  if (member.realm == realm) {
    return absl::InvalidArgumentError("who is of the group's own domain is no foreign member");
  }
  DT_RETURN_IF_ERROR(CheckMember(view_.groups()[group->second], member));
  TableHeader& header = view_.mapping_->header();
  const std::uint64_t wanted = PackForeignMember(group->second, member.realm, member.rid);
  std::atomic<std::uint64_t>* place = nullptr;
  for (std::atomic<std::uint64_t>& one : header.foreign_member) {
    const std::uint64_t found = one.load(std::memory_order_relaxed);
    if (found == wanted) {
      place = &one;
      break;
    }
    if (found == 0 && on && place == nullptr) place = &one;
  }
  if (place == nullptr) {
    return on ? absl::ResourceExhaustedError("the table is full of members from other domains")
              : absl::OkStatus();
  }
  place->store(on ? wanted : 0, std::memory_order_release);
  header.groups_version.fetch_add(1, std::memory_order_release);
  TouchGroup(group->second);
  return absl::OkStatus();
}

}  // namespace devicetrust::simulator
