#include <algorithm>
#include <set>
#include <unordered_set>
#include <utility>

#include "policy-engine/rules/analysis.h"
#include "policy-engine/rules/sign_in_space.h"

namespace devicetrust::policy {
namespace {

using std::chrono::seconds;

// Walks the rules of both policies at once, for each kind of user and each way in which cells look.
class Comparer {
 public:
  Comparer(const CompiledPolicy& before, const CompiledPolicy& after, std::size_t steps_max)
      : before_(before), after_(after), space_(Conditions(before, after)), steps_left_(steps_max) {
    differing_.resize(rules(before) + 1);
    for (std::size_t a = 0; a <= rules(before); ++a) {
      for (std::size_t b = 0; b <= rules(after); ++b) {
        SignIn ages;
        if (!FindDifference(before.rule(a).actions, after.rule(b).actions, ages)) continue;
        differing_[a].insert(b);
      }
    }
  }

  Comparison Run() {
    if (!space_.fits()) {
      comparison_.bound = "the rules name too many different groups";
      return comparison_;
    }
    const auto cells = CellsOf(before_, after_);
    if (!cells) {
      comparison_.bound = "the network zones cut the addresses into too many parts";
      return comparison_;
    }
    for (const SignInCell& cell : *cells) {
      for (const Trust trust : kTrustsInOrder) Look(cell, trust);
    }
    if (steps_left_ == 0) comparison_.bound = "the rules differ in too many ways";
    return std::move(comparison_);
  }

 private:
  static std::size_t rules(const CompiledPolicy& policy) { return policy.rules().size(); }

  static std::vector<const PeopleCondition*> Conditions(const CompiledPolicy& a,
                                                        const CompiledPolicy& b) {
    std::vector<const PeopleCondition*> conditions;
    for (const CompiledPolicy* const policy : {&a, &b}) {
      for (const Rule& rule : policy->rules()) conditions.push_back(&rule.people);
    }
    return conditions;
  }

  std::size_t ConditionOf(bool after, std::size_t rule) const {
    return space_.number(after ? rules(before_) + rule : rule);
  }

  bool Step() {
    if (steps_left_ > 0) --steps_left_;
    return steps_left_ > 0;
  }

  // Rule by rule the same condition and the same effect.
  bool LookAlike(const RuleSet& a, const RuleSet& b) const {
    std::size_t i = a.First(rules(before_));
    std::size_t j = b.First(rules(after_));
    for (; i < rules(before_) && j < rules(after_);
         i = a.First(rules(before_), i + 1), j = b.First(rules(after_), j + 1)) {
      if (ConditionOf(false, i) != ConditionOf(true, j) || differing_[i].contains(j)) return false;
    }
    return i == rules(before_) && j == rules(after_);
  }

  void Look(const SignInCell& cell, Trust trust) {
    const RuleSet a = cell.a & before_.Of(trust);
    const RuleSet b = cell.b & after_.Of(trust);
    if (!seen_.insert({a, b}).second || LookAlike(a, b)) return;
    for (std::size_t user = 0; user < space_.users().size(); ++user) {
      WalkBefore(cell, trust, a, b, Person(space_, user));
    }
  }

  void WalkBefore(const SignInCell& cell, Trust trust, const RuleSet& a, const RuleSet& b,
                  Person left) {
    const std::size_t none = rules(before_);
    for (std::size_t i = a.First(none); i < none; i = a.First(none, i + 1)) {
      if (!Step()) return;
      Person decided = left;
      if (decided.Require(ConditionOf(false, i))) WalkAfter(cell, trust, i, b, decided);
      if (!left.Exclude(ConditionOf(false, i))) return;
    }
    WalkAfter(cell, trust, none, b, left);
  }

  void WalkAfter(const SignInCell& cell, Trust trust, std::size_t i, const RuleSet& b,
                 Person left) {
    const std::size_t none = rules(after_);
    for (std::size_t j = b.First(none); j < none; j = b.First(none, j + 1)) {
      if (!Step()) return;
      if (IsNews(i, j)) {
        Person decided = left;
        if (decided.Require(ConditionOf(true, j))) Tell(cell, trust, i, j, decided);
      }
      if (!left.Exclude(ConditionOf(true, j))) return;
    }
    if (IsNews(i, none)) Tell(cell, trust, i, none, left);
  }

  bool IsNews(std::size_t i, std::size_t j) const { return differing_[i].contains(j); }

  void Tell(const SignInCell& cell, Trust trust, std::size_t i, std::size_t j,
            const Person& person) {
    differing_[i].erase(j);
    Difference difference{i, j, {}, {}, ExampleOf(cell, trust, person)};
    FindDifference(before_.rule(i).actions, after_.rule(j).actions, difference.example);
    const Facts facts = difference.example.facts();
    difference.outcome_before = OutcomeOf(before_.rule(i).actions, facts);
    difference.outcome_after = OutcomeOf(after_.rule(j).actions, facts);
    comparison_.differences.push_back(std::move(difference));
  }

  struct PairHash {
    std::size_t operator()(const std::pair<RuleSet, RuleSet>& pair) const {
      return RuleSet::Hash{}(pair.first) * 31 + RuleSet::Hash{}(pair.second);
    }
  };

  const CompiledPolicy& before_;
  const CompiledPolicy& after_;
  const PeopleSpace space_;
  std::size_t steps_left_;
  // By rule before: the rules after of another effect, of which no sign-in is told yet.
  std::vector<std::set<std::size_t>> differing_;
  std::unordered_set<std::pair<RuleSet, RuleSet>, PairHash> seen_;
  Comparison comparison_;
};

}  // namespace

bool FindDifference(const Actions& a, const Actions& b, SignIn& sign_in) {
  std::vector<seconds> passwords = {seconds{0}};
  std::vector<std::optional<seconds>> factors = {std::nullopt, seconds{0}};
  for (const Actions* const actions : {&a, &b}) {
    if (actions->reauthenticate_after) {
      passwords.push_back(*actions->reauthenticate_after - seconds{1});
      passwords.push_back(*actions->reauthenticate_after);
    }
    if (actions->factor_frequency == FactorFrequency::kEveryInterval) {
      factors.emplace_back(actions->factor_lifetime - seconds{1});
      factors.emplace_back(actions->factor_lifetime);
    }
  }
  for (const seconds password : passwords) {
    for (const std::optional<seconds>& factor : factors) {
      SignIn tried;
      tried.authenticated_ago = password;
      tried.factor_ago = factor;
      const Facts facts = tried.facts();
      if (OutcomeOf(a, facts) == OutcomeOf(b, facts)) continue;
      sign_in.authenticated_ago = password;
      sign_in.factor_ago = factor;
      return true;
    }
  }
  return false;
}

Comparison Compare(const CompiledPolicy& before, const CompiledPolicy& after,
                   std::size_t steps_max) {
  return Comparer(before, after, steps_max).Run();
}

}  // namespace devicetrust::policy
