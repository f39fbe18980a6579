// Everybody whom there may be, as far as the people conditions of rules can tell: each user whom a
// rule names, or nobody of them, in any combination of the groups that rules name. That many people
// cannot be walked one by one, and need not be: "in one of these groups, and in none of those" and
// its opposite are clauses with at most one negated group, for which the largest set of groups that
// meets all of them is found by striking groups out (dual Horn clauses), or is seen not to exist.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "policy-engine/rules/rule_set.h"
#include "policy-engine/rules/rules.h"

namespace devicetrust::policy {

// Of two policies.
inline constexpr std::size_t kPeopleConditionsMax = 2 * kRulesPerAppMax;
// Groups that no rule tells apart are one. More than any policy of people has.
inline constexpr std::size_t kGroupKindsMax = 512;

// Immutable and thread-safe.
class PeopleSpace {
 public:
  // A number for each of `conditions`; those that say the same have the same.
  // At most kPeopleConditionsMax.
  explicit PeopleSpace(std::span<const PeopleCondition* const> conditions);

  // False: the conditions name more than kGroupKindsMax kinds of groups, and nothing may be asked.
  bool fits() const { return group_names_.size() <= kGroupKindsMax; }
  std::size_t number(std::size_t condition) const { return numbers_[condition]; }
  // Users whom conditions name alike are one. The first is whoever is named by none: empty.
  const std::vector<std::string>& users() const { return users_; }

 private:
  friend class Person;
  using Groups = BitSet<kGroupKindsMax>;
  using Conditions = BitSet<kPeopleConditionsMax>;
  struct Of {
    Groups in;
    Groups out;
  };
  struct User {
    Conditions in;  // Everyone, or the user by name.
    Conditions out;
  };

  void SortUsers(std::span<const PeopleCondition* const> distinct);
  void SortGroups(std::span<const PeopleCondition* const> distinct);

  std::vector<std::size_t> numbers_;
  std::vector<Of> conditions_;  // By number.
  std::vector<std::string> users_;
  std::vector<User> user_conditions_;     // Beside users_.
  std::vector<std::string> group_names_;  // By kind: one group of it.
};

// Some person of the space who meets what was asked for so far. A value; copies go their own way.
class Person {
 public:
  Person(const PeopleSpace& space, std::size_t user);

  // The people condition of this number holds, or does not. False: there is no such person, and
  // nothing may be asked of this one any more.
  bool Require(std::size_t condition);
  bool Exclude(std::size_t condition);

  const std::string& user_id() const;
  // As few groups as needed, of those that meet everything asked.
  std::vector<std::string> Groups() const;

 private:
  bool Includes(std::size_t condition, const PeopleSpace::Groups& groups) const;
  bool Holds(std::size_t condition, const PeopleSpace::Groups& groups) const;
  bool Settle();

  const PeopleSpace* space_;
  std::size_t user_;
  PeopleSpace::Groups groups_;  // All that may be: what is asked only strikes out.
  PeopleSpace::Conditions required_;
  PeopleSpace::Conditions excluded_;
  PeopleSpace::Conditions watched_;  // Of the excluded: held off by a group that may yet go.
};

}  // namespace devicetrust::policy
