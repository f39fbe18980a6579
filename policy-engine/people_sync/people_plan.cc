#include "policy-engine/people_sync/people_plan.h"

#include <algorithm>
#include <utility>

namespace devicetrust::policy {
namespace {

// By number: whether the group brings other names than before.
std::vector<bool> ChangedGroups(const Picture& before, const Picture& after,
                                const Memberships& names_before, const Memberships& names_after) {
  std::vector<bool> changed;
  const auto compare = [&](GroupNumber number) {
    if (number >= changed.size()) changed.resize(number + std::size_t{1});
    changed[number] = names_before.NamesBy(number) != names_after.NamesBy(number);
  };
  for (const auto& [number, group] : before.groups()) compare(number);
  for (const auto& [number, group] : after.groups()) compare(number);
  return changed;
}

class Planner {
 public:
  Planner(const Picture& before, const PeopleReading& reading, const PeopleScope& scope,
          const PicturedGroup* group, bool everybody, WallTime now)
      : reading_(reading),
        group_(group),
        everybody_(everybody),
        now_(UnixSeconds(now)),
        names_before_(before, scope.prefix),
        names_after_(reading.picture, scope.prefix),
        changed_groups_(ChangedGroups(before, reading.picture, names_before_, names_after_)) {}

  PeoplePlan Make() {
    const Picture::People& people = reading_.picture.people();
    const Picture::Replaced& replaced = reading_.picture.replaced();
    for (const auto& [guid, before] : replaced) {
      if (before && !people.contains(guid)) Gone(guid, *before);
    }
    for (const auto& [guid, person] : people) {
      if (person.applied == Applied::kActive) ++plan_.active;
      const auto other = replaced.empty() ? replaced.end() : replaced.find(guid);
      if (other != replaced.end()) {
        Present(guid, person, other->second ? &*other->second : nullptr);
      } else if (MayConcern(person)) {
        Present(guid, person, &person);
      }
    }
    std::ranges::stable_partition(plan_.changes,
                                  [](const PersonChange& change) { return !change.wanted; });
    return std::move(plan_);
  }

 private:
  void Gone(const std::string& guid, const PicturedPerson& person) {
    const bool active = person.applied == Applied::kActive;
    plan_.active += active ? 1 : 0;
    PersonChange& change = plan_.changes.emplace_back();
    change.guid = guid;
    change.sid = person.sid;
    change.before = person.applied;
    change.of_user = active;
  }

  bool IsWanted(const PicturedPerson& person) const {
    return person.enabled && (person.expires_at == 0 || person.expires_at > now_) &&
           (group_ == nullptr || names_after_.IsIn(person, group_->number));
  }
  bool HasOtherGroups(const PicturedPerson& before, const PicturedPerson& after) const {
    const auto changed = [this](GroupNumber number) {
      return number < changed_groups_.size() && changed_groups_[number];
    };
    return before.primary != after.primary || before.groups != after.groups ||
           changed(after.primary) || std::ranges::any_of(after.groups, changed);
  }

  // Of somebody who is as before: time may have passed, a group have changed, a try have failed.
  bool MayConcern(const PicturedPerson& person) const {
    const bool active = person.applied == Applied::kActive;
    return IsWanted(person) != active || (active && HasOtherGroups(person, person)) ||
           (everybody_ && person.applied == Applied::kInactive);
  }

  void Present(const std::string& guid, const PicturedPerson& person,
               const PicturedPerson* before) {
    const auto profile = reading_.profiles.find(guid);
    PersonChange change;
    change.guid = guid;
    change.sid = person.sid;
    change.after = &person;
    change.wanted = IsWanted(person);
    change.before = person.applied;
    if (profile != reading_.profiles.end()) change.profile = &profile->second;
    if (change.wanted) {
      Want(person, before, change);
    } else if (person.applied == Applied::kActive) {
      change.of_user = true;
    } else if (before == nullptr || (everybody_ && person.applied == Applied::kInactive)) {
      // An import may have brought the person, or an admin have activated: then that one leaves.
      change.of_user = true;
    }
    if (change.of_user || before == nullptr || *before != person) {
      plan_.changes.push_back(std::move(change));
    }
  }

  void Want(const PicturedPerson& person, const PicturedPerson* before, PersonChange& change) {
    switch (person.applied) {
      case Applied::kRefused:
        if (!everybody_ && change.profile == nullptr) return;
        [[fallthrough]];
      case Applied::kNothing:
        if (change.profile == nullptr) {
          plan_.without_profile.emplace(change.guid, change.sid);
          return;
        }
        change.of_user = true;
        break;
      case Applied::kInactive:
        change.of_user = true;
        break;
      case Applied::kActive:
        if (change.profile == nullptr && before != nullptr && !HasOtherGroups(*before, person)) {
          return;
        }
        change.of_user = true;
        break;
    }
    change.groups = names_after_.NamesOf(person);
    const bool names_alone = person.applied == Applied::kActive && change.profile == nullptr;
    if (names_alone && before != nullptr && change.groups == names_before_.NamesOf(*before)) {
      change.of_user = false;
    }
  }

  const PeopleReading& reading_;
  const PicturedGroup* const group_;
  const bool everybody_;
  const std::int64_t now_;
  Memberships names_before_;
  Memberships names_after_;
  const std::vector<bool> changed_groups_;
  PeoplePlan plan_;
};

}  // namespace

PeoplePlan PlanPeople(const Picture& before, const PeopleReading& reading, const PeopleScope& scope,
                      const PicturedGroup* group_of_scope, bool everybody, WallTime now) {
  return Planner(before, reading, scope, group_of_scope, everybody, now).Make();
}

}  // namespace devicetrust::policy
