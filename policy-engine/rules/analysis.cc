#include "policy-engine/rules/analysis.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "policy-engine/rules/sign_in_space.h"

namespace devicetrust::policy {
namespace {

constexpr std::size_t Index(Trust trust) { return static_cast<std::size_t>(trust); }

std::vector<const PeopleCondition*> ConditionsOf(const CompiledPolicy& policy) {
  std::vector<const PeopleCondition*> conditions;
  for (const Rule& rule : policy.rules()) conditions.push_back(&rule.people);
  return conditions;
}

// "unknown platform, other mobile": the platforms and clients of a set of cells, where not all.
std::string PartOf(std::uint8_t clients, std::uint8_t platforms) {
  std::string text;
  const auto add = [&text](std::string_view name) {
    if (!text.empty()) text += ", ";
    text += name;
  };
  constexpr unsigned kAllPlatforms = (1u << (kPlatformCount + 1)) - 1;
  constexpr unsigned kAllClients = (1u << (kClientKindCount + 1)) - 1;
  for (int i = 0; platforms != kAllPlatforms && i <= kPlatformCount; ++i) {
    if ((platforms >> i & 1) == 0) continue;
    add(i == 0 ? "unknown platform" : Name(static_cast<Platform>(i)));
  }
  for (int i = 0; clients != kAllClients && i <= kClientKindCount; ++i) {
    if ((clients >> i & 1) != 0) add(i == 0 ? "unknown client" : Name(static_cast<ClientKind>(i)));
  }
  return text;
}

}  // namespace

Severity SeverityOf(FindingKind kind) {
  switch (kind) {
    case FindingKind::kShadowedInPart:
    case FindingKind::kAdmitsUntrustedByName:
      return Severity::kNote;
    default:
      return Severity::kWarning;
  }
}

void Population::Add(std::string_view user_id, std::string_view principal,
                     std::span<const std::string> groups, std::uint8_t devices) {
  ++size_;
  const auto [at, fresh] = kinds_.try_emplace(policy_.people().Match(user_id, groups));
  Kind& kind = at->second;
  if (fresh || (kind.devices == 0 && devices != 0)) {
    kind.example.user_id = user_id;
    kind.example.principal = principal;
    kind.example.groups = {groups.begin(), groups.end()};
  }
  kind.devices |= devices;
}

class Analyzer {
 public:
  Analyzer(const CompiledPolicy& policy, const Population* people, std::size_t steps_max)
      : policy_(policy),
        people_(people),
        conditions_(ConditionsOf(policy)),
        space_(conditions_),
        steps_left_(steps_max),
        meets_(count() + 1),
        takes_from_(count() + 1) {}

  Analysis Run() {
    LookAtPeople();
    if (!space_.fits()) {
      analysis_.bound = "the rules name too many different groups";
    } else if (const auto cells = CellsOf(policy_, policy_); !cells) {
      analysis_.bound = "the network zones cut the addresses into too many parts";
    } else {
      for (const SignInCell& cell : *cells) Look(cell);
      for (const SignInCell& cell : *cells) LookForHoles(cell);
      if (steps_left_ == 0) analysis_.bound = "the rules overlap in too many ways";
    }
    TellWhatIsThere();
    if (analysis_.bound.empty()) TellWhatIsNot();
    std::stable_sort(analysis_.findings.begin(), analysis_.findings.end(),
                     [](const Finding& a, const Finding& b) {
                       return std::pair(SeverityOf(b.kind), a.rule) <
                              std::pair(SeverityOf(a.kind), b.rule);
                     });
    return std::move(analysis_);
  }

 private:
  using Pair = std::pair<std::size_t, std::size_t>;
  // What becomes of the sign-ins of a set of rules whose other conditions hold.
  struct Walked {
    RuleSet decided;             // Those that were known to decide whatever they may are left out.
    std::optional<Person> fell;  // To the default rule.
  };
  // Where sign-ins fall to the default rule, with Device Trust on and off.
  struct Hole {
    void Add(const SignInCell& cell, const SignIn& sign_in) {
      if (!example) example = sign_in;
      clients |= cell.clients;
      platforms |= cell.platforms;
    }
    std::optional<SignIn> example;
    std::uint8_t clients = 0;
    std::uint8_t platforms = 0;
  };

  std::size_t count() const { return policy_.rules().size(); }
  std::size_t ConditionOf(std::size_t rule) const { return space_.number(rule); }
  const Rule& rule(std::size_t index) const { return policy_.rule(index); }
  bool Step() {
    if (steps_left_ > 0) --steps_left_;
    return steps_left_ > 0;
  }

  void Look(const SignInCell& cell) {
    for (const Trust trust : kTrustsInOrder) {
      const Walked& walked = Walk(cell, trust);
      const bool on = trust != Trust::kNotEvaluated;
      (on ? decided_on_ : decided_off_) |= walked.decided;
      if (trust == Trust::kNotTrusted) decided_untrusted_ |= walked.decided;
      if (on && walked.fell) holes_[1].Add(cell, ExampleOf(cell, trust, *walked.fell));
    }
  }

  // Once it is known which rules decide anything.
  void LookForHoles(const SignInCell& cell) {
    for (std::size_t user = 0; user < space_.users().size(); ++user) {
      LookForUntrusted(cell, Person(space_, user));
      LookForHoleWhenOff(cell, Person(space_, user));
    }
  }

  const Walked& Walk(const SignInCell& cell, Trust trust) {
    const RuleSet rules = cell.a & policy_.Of(trust);
    const auto [at, fresh] = walked_.try_emplace(rules);
    if (!fresh) return at->second;
    for (std::size_t user = 0; user < space_.users().size(); ++user) {
      WalkAs(cell, trust, rules, Person(space_, user), at->second);
    }
    return at->second;
  }

  void WalkAs(const SignInCell& cell, Trust trust, const RuleSet& rules, Person left,
              Walked& walked) {
    for (std::size_t i = rules.First(count()); i < count(); i = rules.First(count(), i + 1)) {
      if (!Step()) return;
      const bool shadows = !(rules - RuleSet::FirstOnes(i + 1) - takes_from_[i]).empty();
      if (shadows || !IsSettled(i)) {
        Person decided = left;
        if (decided.Require(ConditionOf(i))) {
          walked.decided.Add(i);
          meets_[i] = true;
          if (trust == Trust::kNotEvaluated && !decided_on_.Has(i) && !decided_off_.Has(i)) {
            only_off_.try_emplace(i, ExampleOf(cell, trust, decided));
          }
          LookForShadows(cell, trust, rules, i, decided);
        }
      }
      if (!left.Exclude(ConditionOf(i))) return;
    }
    if (!walked.fell) walked.fell = left;
  }

  // Nothing is left to learn of where it decides.
  bool IsSettled(std::size_t i) const {
    return decided_on_.Has(i) &&
           (decided_off_.Has(i) || !policy_.Of(Trust::kNotEvaluated).Has(i)) &&
           (decided_untrusted_.Has(i) || !policy_.Of(Trust::kNotTrusted).Has(i));
  }

  // The later rules that `person`, whom rule `i` decides, meets too.
  void LookForShadows(const SignInCell& cell, Trust trust, const RuleSet& rules, std::size_t i,
                      const Person& person) {
    const RuleSet news = rules - RuleSet::FirstOnes(i + 1) - takes_from_[i];
    news.ForEach([&](std::size_t later) {
      if (!Step()) return;
      Person both = person;
      if (!both.Require(ConditionOf(later))) return;
      takes_from_[i].Add(later);
      meets_[later] = true;
      shadows_.emplace(Pair(later, i), ExampleOf(cell, trust, both));
    });
  }

  // Sign-ins that a rule lets in with a trusted device, and another with an untrusted one.
  void LookForUntrusted(const SignInCell& cell, Person left) {
    const RuleSet trusted = cell.a & policy_.Of(Trust::kTrusted);
    const RuleSet untrusted = cell.a & policy_.Of(Trust::kNotTrusted);
    const bool falls = Walk(cell, Trust::kNotTrusted).fell.has_value();
    for (std::size_t i = trusted.First(count()); i < count(); i = trusted.First(count(), i + 1)) {
      if (!Step()) return;
      const bool asks = rule(i).trust == TrustCondition::kTrusted && rule(i).actions.allow;
      if (asks && MayBeAdmitted(untrusted & decided_untrusted_, falls, i)) {
        Person decided = left;
        if (decided.Require(ConditionOf(i))) WalkUntrusted(cell, untrusted, i, decided);
      }
      if (!left.Exclude(ConditionOf(i))) return;
    }
  }

  // By one of `rules`, or by the default rule where sign-ins fall to it, and it is news.
  bool MayBeAdmitted(const RuleSet& rules, bool falls, std::size_t asking) const {
    bool may = falls && !admitted_.contains(Pair(count(), asking));
    rules.ForEach([&](std::size_t i) {
      may = may || (rule(i).actions.allow && !admitted_.contains(Pair(i, asking)));
    });
    return may;
  }

  void WalkUntrusted(const SignInCell& cell, const RuleSet& rules, std::size_t asking,
                     Person left) {
    const auto is_news = [&](std::size_t i) {
      return rule(i).actions.allow && !admitted_.contains(Pair(i, asking));
    };
    const auto admits = [&](std::size_t i, const Person& person) {
      admitted_.emplace(Pair(i, asking), ExampleOf(cell, Trust::kNotTrusted, person));
    };
    for (std::size_t i = rules.First(count()); i < count(); i = rules.First(count(), i + 1)) {
      if (!Step()) return;
      Person decided = left;
      if (is_news(i) && decided.Require(ConditionOf(i))) admits(i, decided);
      if (!left.Exclude(ConditionOf(i))) return;
    }
    if (is_news(count())) admits(count(), left);
  }

  // Somebody whom no rule matches while Device Trust is off, and some rule that names it while it
  // is on.
  void LookForHoleWhenOff(const SignInCell& cell, Person left) {
    const RuleSet off = cell.a & policy_.Of(Trust::kNotEvaluated);
    bool possible = true;
    off.ForEach([&](std::size_t i) { possible = possible && left.Exclude(ConditionOf(i)); });
    if (!possible) return;
    (cell.a - off).ForEach([&](std::size_t i) {
      Person matched = left;
      if (Step() && matched.Require(ConditionOf(i))) {
        holes_[0].Add(cell, ExampleOf(cell, Trust::kNotEvaluated, matched));
      }
    });
  }

  void Tell(FindingKind kind, std::size_t index, std::vector<std::size_t> others, SignIn example,
            std::string detail = {}) {
    analysis_.findings.push_back(
        {kind, index, std::move(others), std::move(example), std::move(detail)});
  }

  void TellWhatIsThere() {
    for (const auto& [pair, example] : admitted_) {
      const bool by_name = rule(pair.first).trust == TrustCondition::kNotTrusted;
      Tell(by_name ? FindingKind::kAdmitsUntrustedByName : FindingKind::kAdmitsUntrusted,
           pair.first, {pair.second}, example);
    }
    const auto hole = [this](FindingKind kind, const Hole& found) {
      if (!found.example) return;
      Tell(kind, count(), {}, *found.example, PartOf(found.clients, found.platforms));
    };
    hole(FindingKind::kFallsToDefault, holes_[1]);
    hole(FindingKind::kFallsToDefaultWithoutDeviceTrust, holes_[0]);
    const RuleSet decided = decided_on_ | decided_off_;
    for (const auto& [pair, example] : shadows_) {
      const auto [later, first] = pair;
      SignIn ages;
      if (!decided.Has(later)) continue;
      if (!FindDifference(rule(later).actions, rule(first).actions, ages)) continue;
      Tell(FindingKind::kShadowedInPart, later, {first}, example);
    }
  }

  // What holds of all sign-ins, and so is known when all were looked at.
  void TellWhatIsNot() {
    RuleSet decided = decided_on_ | decided_off_;
    (policy_.active() - decided).ForEach([this](std::size_t i) {
      if (!meets_[i]) return Tell(FindingKind::kNobodyCanMeet, i, {}, NearestTo(i));
      std::vector<std::size_t> others;
      const auto first = shadows_.lower_bound(Pair(i, 0));
      for (auto at = first; at != shadows_.end() && at->first.first == i; ++at) {
        others.push_back(at->first.second);
      }
      Tell(FindingKind::kNeverReached, i, std::move(others), first->second);
    });
    if (policy_.uses_trust()) {
      (decided - decided_on_).ForEach([this](std::size_t i) {
        Tell(FindingKind::kReachedOnlyWithoutDeviceTrust, i, {}, only_off_.at(i));
      });
    }
    bool asks = false, denies_untrusted = false;
    bool allows = holes_[1].example.has_value();
    policy_.active().ForEach(
        [&](std::size_t i) { asks = asks || rule(i).trust == TrustCondition::kTrusted; });
    decided_untrusted_.ForEach(
        [&](std::size_t i) { denies_untrusted = denies_untrusted || !rule(i).actions.allow; });
    decided_on_.ForEach([&](std::size_t i) { allows = allows || rule(i).actions.allow; });
    // Of both, any sign-in is an example, and so the usual one.
    if (asks && !denies_untrusted) {
      Tell(FindingKind::kUntrustedNeverDenied, count(), {},
           admitted_.empty() ? Usual(Trust::kNotTrusted) : admitted_.begin()->second);
    }
    if (!allows) Tell(FindingKind::kLocksEverybodyOut, count(), {}, Usual(Trust::kTrusted));
  }

  // Of the people whom the org has: who meets each rule, and with which device.
  void LookAtPeople() {
    if (people_ == nullptr) return;
    policy_.active().ForEach([this](std::size_t i) {
      const SignIn* somebody = nullptr;
      unsigned devices = 0;
      for (const auto& [rules, kind] : people_->kinds_) {
        if (!rules.Has(i)) continue;
        somebody = &kind.example;
        devices |= kind.devices;
      }
      if (somebody == nullptr) {
        Tell(FindingKind::kNobodyCanMeet, i, {}, NearestTo(i),
             fmt::format("none of the {} people of the org", people_->size()));
      } else if (rule(i).trust == TrustCondition::kTrusted && !HasDevice(i, devices)) {
        Tell(FindingKind::kNoEnrolledDevice, i, {}, NearestTo(i, *somebody));
      }
    });
  }

  bool HasDevice(std::size_t index, unsigned devices) const {
    if ((devices & 1u) != 0) return true;  // Its platform is what the user agent says.
    for (int i = 1; i <= kPlatformCount; ++i) {
      if ((devices >> i & 1) != 0 && rule(index).platforms.Has(static_cast<Platform>(i))) {
        return true;
      }
    }
    return false;
  }

  // By somebody whom no rule names.
  SignIn Usual(Trust trust) const {
    SignIn example = NearestTo(count());
    example.trust = trust;
    return example;
  }

  // `somebody` signing in so that each other condition of the rule holds that can.
  SignIn NearestTo(std::size_t index, SignIn somebody) const {
    SignIn& example = somebody;
    bool found = false;
    PlaceIndex::ForEachPlace(policy_.places(), policy_.places(),
                             [&](const RuleSet& rules, const RuleSet&, const auto& address) {
                               if (found || (index < count() && !rules.Has(index))) return;
                               example.address = address;
                               found = true;
                             });
    for (const ClientKind client :
         {ClientKind::kLegacyAuth, ClientKind::kModernAuth, ClientKind::kWebBrowser}) {
      if (rule(index).clients.Has(client)) example.client = client;
    }
    for (int i = kPlatformCount; i >= 1; --i) {
      const auto platform = static_cast<Platform>(i);
      if (rule(index).platforms.Has(platform)) example.claimed_platform = platform;
    }
    if (rule(index).platforms.Has(Platform::kWindows))
      example.claimed_platform = Platform::kWindows;
    example.trust = Trust::kNotTrusted;
    if (rule(index).trust == TrustCondition::kTrusted) {
      example.trust = Trust::kTrusted;
      example.verified_platform = example.claimed_platform;
    }
    return somebody;
  }

  // By somebody whom the rule includes, and does not exclude if that can be.
  SignIn NearestTo(std::size_t index) const {
    const PeopleCondition& people = rule(index).people;
    SignIn somebody;
    if (people.everyone) return NearestTo(index, somebody);
    const auto holds = [&](const SignIn& one) {
      return policy_.people().Match(one.user_id, one.groups).Has(index);
    };
    for (const std::string& user : people.users) {
      SignIn one;
      one.user_id = user;
      if (holds(one)) return NearestTo(index, one);
      if (somebody.user_id.empty()) somebody = std::move(one);
    }
    for (const std::string& group : people.groups) {
      SignIn one;
      one.groups = {group};
      if (holds(one)) return NearestTo(index, one);
      if (somebody.user_id.empty() && somebody.groups.empty()) somebody = std::move(one);
    }
    return NearestTo(index, somebody);
  }

  const CompiledPolicy& policy_;
  const Population* const people_;
  const std::vector<const PeopleCondition*> conditions_;
  const PeopleSpace space_;
  std::size_t steps_left_;
  Analysis analysis_;

  std::vector<bool> meets_;          // By rule: some sign-in meets it.
  std::vector<RuleSet> takes_from_;  // By rule: the later rules of which a sign-in is known.
  std::map<Pair, SignIn> shadows_;   // Later rule, deciding rule: a sign-in that meets both.
  std::map<Pair, SignIn> admitted_;  // Admitting rule, rule that asks for trust.
  std::unordered_map<RuleSet, Walked, RuleSet::Hash> walked_;
  RuleSet decided_on_, decided_off_, decided_untrusted_;
  std::map<std::size_t, SignIn> only_off_;  // By rule that decided with Device Trust off first.
  std::array<Hole, 2> holes_;               // Device Trust off, on.
};

Analysis Analyze(const CompiledPolicy& policy, const Population* people, std::size_t steps_max) {
  return Analyzer(policy, people, steps_max).Run();
}

}  // namespace devicetrust::policy
