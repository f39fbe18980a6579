#include "policy-engine/rules/people_space.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "libs/base/names.h"

namespace devicetrust::policy {
namespace {

// What says the same, whatever the order and the case of its names.
using Meaning = std::tuple<bool, std::set<std::string>, std::set<std::string>,
                           std::set<std::string>, std::set<std::string>>;

Meaning MeaningOf(const PeopleCondition& people) {
  const auto folded = [](const std::vector<std::string>& names) {
    std::set<std::string> set;
    for (const std::string& name : names) set.insert(FoldName(name));
    return set;
  };
  return {people.everyone,
          {people.users.begin(), people.users.end()},
          folded(people.groups),
          {people.except_users.begin(), people.except_users.end()},
          folded(people.except_groups)};
}

}  // namespace

PeopleSpace::PeopleSpace(std::span<const PeopleCondition* const> conditions) {
  std::map<Meaning, std::size_t> known;
  std::vector<const PeopleCondition*> distinct;
  for (const PeopleCondition* const condition : conditions) {
    const auto [at, fresh] = known.emplace(MeaningOf(*condition), distinct.size());
    if (fresh) distinct.push_back(condition);
    numbers_.push_back(at->second);
  }
  conditions_.resize(distinct.size());
  SortUsers(distinct);
  SortGroups(distinct);
}

void PeopleSpace::SortUsers(std::span<const PeopleCondition* const> distinct) {
  User nobody;
  std::map<std::string, User> named;
  for (std::size_t i = 0; i < distinct.size(); ++i) {
    if (distinct[i]->everyone) nobody.in.Add(i);
    for (const std::string& user : distinct[i]->users) named[user].in.Add(i);
    for (const std::string& user : distinct[i]->except_users) named[user].out.Add(i);
  }
  users_ = {""};
  user_conditions_ = {nobody};
  std::unordered_map<std::size_t, std::vector<std::size_t>> alike;
  for (auto& [name, says] : named) {
    User& user = says;  // A lambda of clang's captures no structured binding.
    user.in |= nobody.in;
    const std::size_t hash = Conditions::Hash{}(user.in) * 31 + Conditions::Hash{}(user.out);
    std::vector<std::size_t>& others = alike[hash];
    const bool known = std::any_of(others.begin(), others.end(), [&](std::size_t other) {
      return user_conditions_[other].in == user.in && user_conditions_[other].out == user.out;
    });
    if (known) continue;
    others.push_back(users_.size());
    users_.push_back(name);
    user_conditions_.push_back(user);
  }
}

void PeopleSpace::SortGroups(std::span<const PeopleCondition* const> distinct) {
  std::unordered_map<std::string, User, NameHash, NameEqual> named;
  std::vector<const std::string*> order;
  const auto name = [&](const std::string& group) -> User& {
    const auto [at, fresh] = named.try_emplace(group);
    if (fresh) order.push_back(&at->first);
    return at->second;
  };
  for (std::size_t i = 0; i < distinct.size(); ++i) {
    for (const std::string& group : distinct[i]->groups) name(group).in.Add(i);
    for (const std::string& group : distinct[i]->except_groups) name(group).out.Add(i);
  }
  std::unordered_multimap<std::size_t, const User*> kinds;
  for (const std::string* const group : order) {
    const User& says = named.find(*group)->second;
    const std::size_t hash = Conditions::Hash{}(says.in) * 31 + Conditions::Hash{}(says.out);
    const auto [begin, end] = kinds.equal_range(hash);
    const bool known = std::any_of(begin, end, [&says](const auto& kind) {
      return kind.second->in == says.in && kind.second->out == says.out;
    });
    if (known) continue;
    kinds.emplace(hash, &says);
    const std::size_t kind = group_names_.size();
    group_names_.push_back(*group);
    if (kind >= kGroupKindsMax) return;
    says.in.ForEach([&](std::size_t i) { conditions_[i].in.Add(kind); });
    says.out.ForEach([&](std::size_t i) { conditions_[i].out.Add(kind); });
  }
}

Person::Person(const PeopleSpace& space, std::size_t user)
    : space_(&space),
      user_(user),
      groups_(PeopleSpace::Groups::FirstOnes(space.group_names_.size())) {}

const std::string& Person::user_id() const { return space_->users_[user_]; }

bool Person::Includes(std::size_t condition, const PeopleSpace::Groups& groups) const {
  return space_->user_conditions_[user_].in.Has(condition) ||
         space_->conditions_[condition].in.Meets(groups);
}

bool Person::Holds(std::size_t condition, const PeopleSpace::Groups& groups) const {
  return !space_->user_conditions_[user_].out.Has(condition) &&
         !space_->conditions_[condition].out.Meets(groups) && Includes(condition, groups);
}

bool Person::Require(std::size_t condition) {
  if (required_.Has(condition)) return true;
  if (excluded_.Has(condition) || space_->user_conditions_[user_].out.Has(condition)) return false;
  required_.Add(condition);
  groups_ -= space_->conditions_[condition].out;
  return Settle();
}

bool Person::Exclude(std::size_t condition) {
  if (excluded_.Has(condition)) return true;
  if (required_.Has(condition)) return false;
  excluded_.Add(condition);
  if (space_->user_conditions_[user_].out.Has(condition) || !Includes(condition, groups_)) {
    return true;  // And it stays so, whatever is struck out.
  }
  watched_.Add(condition);
  return !Holds(condition, groups_) || Settle();
}

// Strikes out the groups by which an excluded condition would hold, until none does.
bool Person::Settle() {
  const PeopleSpace::User& user = space_->user_conditions_[user_];
  for (bool again = true; again;) {
    again = false;
    bool possible = true;
    watched_.ForEach([&](std::size_t condition) {
      if (!Holds(condition, groups_)) return;
      if (user.in.Has(condition)) possible = false;
      groups_ -= space_->conditions_[condition].in;
      again = true;
    });
    if (!possible) return false;
  }
  bool possible = true;
  required_.ForEach(
      [&](std::size_t condition) { possible = possible && Includes(condition, groups_); });
  return possible;
}

std::vector<std::string> Person::Groups() const {
  const auto meets_all = [this](const PeopleSpace::Groups& groups) {
    bool all = true;
    required_.ForEach([&](std::size_t one) { all = all && Holds(one, groups); });
    excluded_.ForEach([&](std::size_t one) { all = all && !Holds(one, groups); });
    return all;
  };
  PeopleSpace::Groups needed = groups_;
  groups_.ForEach([&](std::size_t group) {
    PeopleSpace::Groups fewer = needed;
    fewer.Remove(group);
    if (meets_all(fewer)) needed = fewer;
  });
  std::vector<std::string> names;
  needed.ForEach([&](std::size_t group) { names.push_back(space_->group_names_[group]); });
  return names;
}

}  // namespace devicetrust::policy
