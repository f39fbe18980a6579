// What an app's rules come to, over every sign-in that there may be: exactly, not by trying some.
// The space of sign-ins is finite as far as rules can tell (sign_in_space.h, people_space.h), and
// each finding has a sign-in of it as an example, which the evaluation decides as the finding says
// and by which anybody can try it.
// Pure; only active rules count.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policy-engine/rules/evaluation.h"
#include "policy-engine/rules/sign_in.h"

namespace devicetrust::policy {

enum class FindingKind : std::uint8_t {
  // No sign-in is decided by `rule`: `others` take all that meet it. The example meets it.
  kNeverReached,
  // Only while Device Trust is off does `rule` decide anything. It decides the example then.
  kReachedOnlyWithoutDeviceTrust,
  // No sign-in meets the conditions of `rule`, or, when the people of the org were given, none that
  // one of them makes. The example is the nearest: each condition that can be met it meets.
  kNobodyCanMeet,
  // `rule` names Trusted, and no enrolled device of somebody whom it names is of its platforms.
  kNoEnrolledDevice,
  // `others` decide some of the sign-ins that meet `rule`, and to another effect.
  kShadowedInPart,
  // No rule matches, and so the default rule allows.
  kFallsToDefault,
  // The same while Device Trust is off, where with it on a rule that names it may match.
  kFallsToDefaultWithoutDeviceTrust,
  // A rule names Trusted, and no untrusted device is ever denied. The example gets in with one;
  // where a rule lets it in only with a trusted device, that one's example is taken.
  kUntrustedNeverDenied,
  // `others` have one rule that lets in with a trusted device; with an untrusted one the same
  // sign-in is let in by `rule`.
  kAdmitsUntrusted,
  // As before, and `rule` names Not trusted: it is meant to.
  kAdmitsUntrustedByName,
  // No sign-in is allowed, the example's of a trusted device neither.
  kLocksEverybodyOut,
};

enum class Severity : std::uint8_t { kNote, kWarning };
Severity SeverityOf(FindingKind kind);

struct Finding {
  FindingKind kind;
  std::size_t rule = 0;             // Index; rules().size() is the default rule, or the app's all.
  std::vector<std::size_t> others;  // Indexes, in order.
  SignIn example;
  std::string detail;  // Where it happens: "unknown platform"; may be empty.
};

// The people of the org and their enrolled devices, as far as the rules of one policy can tell them
// apart. Memory does not grow with their number.
class Population {
 public:
  explicit Population(const CompiledPolicy& policy) : policy_(policy) {}

  // Bit i of `devices`: an enrolled device of theirs is of Platform i; bit 0: of one that the
  // directory does not record.
  void Add(std::string_view user_id, std::string_view principal,
           std::span<const std::string> groups, std::uint8_t devices);
  std::size_t size() const { return size_; }

 private:
  friend class Analyzer;
  struct Kind {
    std::uint8_t devices = 0;
    SignIn example;  // Somebody of this kind.
  };

  const CompiledPolicy& policy_;
  std::unordered_map<RuleSet, Kind, RuleSet::Hash> kinds_;
  std::size_t size_ = 0;
};

struct Analysis {
  std::vector<Finding> findings;  // Warnings first, then by rule.
  // Empty: the analysis is complete. Else which bound was hit; findings hold, but there may be
  // more, and of the kinds that speak of all sign-ins there are none.
  std::string bound;
};

inline constexpr std::size_t kAnalysisStepsMax = 50'000'000;

// `people` may be null: then nothing is said of who there is. It must be of `policy`.
Analysis Analyze(const CompiledPolicy& policy, const Population* people = nullptr,
                 std::size_t steps_max = kAnalysisStepsMax);

// A sign-in that two policies decide to another effect: by rule `before` of the first and `after`
// of the second.
struct Difference {
  std::size_t before = 0;  // Indexes; the number of rules is the default rule.
  std::size_t after = 0;
  Outcome outcome_before = Outcome::kDenied;  // Of the example.
  Outcome outcome_after = Outcome::kDenied;
  SignIn example;
};

struct Comparison {
  std::vector<Difference> differences;  // One for each pair of rules. None: see `bound`.
  std::string bound;  // As in Analysis. Empty and no difference: the two are equivalent.

  bool Equivalent() const { return bound.empty() && differences.empty(); }
};

// Both of one kind of app, each with the zones of its own. Report-only rules have no part in it.
Comparison Compare(const CompiledPolicy& before, const CompiledPolicy& after,
                   std::size_t steps_max = kAnalysisStepsMax);

// Ages of password and factor at which `a` and `b` come to different outcomes, put into `sign_in`.
// False: they never do.
bool FindDifference(const Actions& a, const Actions& b, SignIn& sign_in);

}  // namespace devicetrust::policy
