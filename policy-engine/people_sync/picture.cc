#include "policy-engine/people_sync/picture.h"

#include <algorithm>
#include <utility>

namespace devicetrust::policy {

void Picture::Put(const std::string& guid, PicturedPerson person) {
  const auto [place, added] = people_.try_emplace(guid);
  PicturedPerson& known = place->second;
  if (!added && known == person) return;
  if (added) {
    replaced_.try_emplace(guid, std::nullopt);
  } else {
    replaced_.try_emplace(guid, std::move(known));
  }
  known = std::move(person);
}

void Picture::Erase(const std::string& guid) {
  const auto found = people_.find(guid);
  if (found == people_.end()) return;
  replaced_.try_emplace(guid, std::move(found->second));
  people_.erase(found);
}

Picture Picture::GroupsAlone() const {
  Picture groups;
  for (const auto& [number, group] : groups_) groups.AddGroup(group);
  return groups;
}

void Picture::Forget(const PicturedGroup& group) {
  by_guid_.erase(group.guid);
  by_sid_.erase(group.sid);
  const auto by_dn = by_dn_.find(FoldName(group.dn));
  if (by_dn != by_dn_.end() && by_dn->second == group.number) by_dn_.erase(by_dn);
}

void Picture::AddGroup(PicturedGroup group) {
  const auto before = groups_.find(group.number);
  if (before != groups_.end()) Forget(before->second);
  ReserveNumbers(group.number + 1);
  by_guid_[group.guid] = group.number;
  by_sid_[group.sid] = group.number;
  by_dn_[FoldName(group.dn)] = group.number;
  const GroupNumber number = group.number;
  groups_[number] = std::move(group);
}

void Picture::RemoveGroup(GroupNumber number) {
  const auto found = groups_.find(number);
  if (found == groups_.end()) return;
  Forget(found->second);
  groups_.erase(found);
}

void Picture::ReserveNumbers(GroupNumber least) { next_number_ = std::max(next_number_, least); }

const PicturedGroup* Picture::FindGroup(GroupNumber number) const {
  const auto found = groups_.find(number);
  return found == groups_.end() ? nullptr : &found->second;
}

const PicturedGroup* Picture::FindGroupByGuid(const std::string& guid) const {
  const auto found = by_guid_.find(guid);
  return found == by_guid_.end() ? nullptr : FindGroup(found->second);
}

const PicturedGroup* Picture::FindGroupByDn(std::string_view dn) const {
  const auto found = by_dn_.find(FoldName(dn));
  return found == by_dn_.end() ? nullptr : FindGroup(found->second);
}

const PicturedGroup* Picture::FindGroupBySid(const std::string& sid) const {
  const auto found = by_sid_.find(sid);
  return found == by_sid_.end() ? nullptr : FindGroup(found->second);
}

const PicturedGroup* Picture::FindGroupByName(std::string_view name) const {
  for (const auto& [number, group] : groups_) {
    if (SameName(group.name, name)) return &group;
  }
  return nullptr;
}

Memberships::Memberships(const Picture& picture, std::string_view prefix) {
  std::vector<const PicturedGroup*> counting;
  GroupNumber highest = 0;
  for (const auto& [number, group] : picture.groups()) {
    highest = std::max(highest, number);
    if (group.counts) counting.push_back(&group);
  }
  std::ranges::sort(counting, {}, [](const PicturedGroup* group) {
    return std::pair<std::string, std::string_view>(FoldName(group->name), group->guid);
  });
  for (const PicturedGroup* group : counting) {
    rank_of_[group->number] = static_cast<std::uint32_t>(names_.size());
    names_.push_back(std::string(prefix) + group->name);
  }
  marks_.assign(names_.size(), 0);
  ranks_.resize(static_cast<std::size_t>(highest) + 1);
  for (const PicturedGroup* group : counting) {
    // What is reached; one that is reached again, in a circle too, is passed by.
    std::vector<std::uint32_t>& ranks = ranks_[group->number];
    ++mark_;
    std::vector<const PicturedGroup*> reached = {group};
    marks_[rank_of_[group->number]] = mark_;
    for (std::size_t i = 0; i < reached.size(); ++i) {
      ranks.push_back(rank_of_[reached[i]->number]);
      for (const GroupNumber parent : reached[i]->parents) {
        const PicturedGroup* const up = picture.FindGroup(parent);
        if (up == nullptr || !up->counts) continue;
        std::uint32_t& mark = marks_[rank_of_[parent]];
        if (std::exchange(mark, mark_) != mark_) reached.push_back(up);
      }
    }
    std::ranges::sort(ranks);
  }
}

void Memberships::Mark(GroupNumber group, std::vector<std::uint32_t>& all) {
  if (group >= ranks_.size()) return;
  for (const std::uint32_t rank : ranks_[group]) {
    if (std::exchange(marks_[rank], mark_) != mark_) all.push_back(rank);
  }
}

std::string Memberships::NamesOf(const PicturedPerson& person) {
  ++mark_;
  std::vector<std::uint32_t> all;
  Mark(person.primary, all);
  for (const GroupNumber group : person.groups) Mark(group, all);
  std::ranges::sort(all);
  std::string joined;
  for (const std::uint32_t rank : all) {
    if (!joined.empty()) joined += '\n';
    joined += names_[rank];
  }
  return joined;
}

bool Memberships::IsIn(const PicturedPerson& person, GroupNumber group) const {
  const auto rank = rank_of_.find(group);
  if (rank == rank_of_.end()) return false;
  const auto brings = [&](GroupNumber direct) {
    return direct < ranks_.size() && std::ranges::binary_search(ranks_[direct], rank->second);
  };
  return brings(person.primary) || std::ranges::any_of(person.groups, brings);
}

std::vector<std::string_view> Memberships::NamesBy(GroupNumber group) const {
  std::vector<std::string_view> names;
  if (group >= ranks_.size()) return names;
  for (const std::uint32_t rank : ranks_[group]) names.push_back(names_[rank]);
  return names;
}

}  // namespace devicetrust::policy
