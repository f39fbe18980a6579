#include "policy-engine/decisions/sign_in_replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "policy-engine/decisions/decision_store.h"
#include "policy-engine/decisions/decision_words.h"
#include "policy-engine/decisions/sign_on_facts.h"
#include "policy-engine/rules/finding_words.h"
#include "policy-engine/rules_wire/rule_messages.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr int kDecisionsAtATime = 1000;
// Rules may have had any number of names over time; those that come late share one line.
constexpr std::size_t kFlowsMax = 1000;
constexpr std::string_view kOtherRules = "(other rules)";

// What failed of the rule that decided then: "platform wants iOS; is Windows".
std::string WhyNoLonger(const std::vector<RuleExplanation>& rules, std::size_t index) {
  std::string text;
  for (const ConditionExplanation& condition : rules[index].conditions) {
    if (condition.matched) continue;
    if (!text.empty()) text += ", ";
    text += fmt::format("{} wants {}; is {}", Name(condition.condition), condition.wanted,
                        condition.seen);
  }
  return text;
}

std::string Why(const CompiledPolicy& policy, const v1::Decision& record, const Facts& facts,
                const Decision& decided) {
  const std::vector<Rule>& rules = policy.rules();
  const auto same = std::find_if(rules.begin(), rules.end(), [&record](const Rule& rule) {
    return rule.name == record.rule_name();
  });
  const auto index = static_cast<std::size_t>(same - rules.begin());
  if (same == rules.end() && record.rule_name() != DefaultRule().name) {
    return fmt::format("there is no rule '{}', and {} decides", record.rule_name(),
                       NameOf(policy, decided.rule));
  }
  if (index == decided.rule) return NameOf(policy, index) + " decides to another effect";
  if (index > decided.rule) return NameOf(policy, decided.rule) + " matches before";
  if (!same->active) return NameOf(policy, index) + " is not active";
  const auto explained =
      Explain(policy, facts, decided, WordsFor(record.trust_reason()), Scope::kAll);
  return fmt::format("{} does not match: {}", NameOf(policy, index), WhyNoLonger(explained, index));
}

class Replayer {
 public:
  Replayer(const CompiledPolicy& policy, int flips_max, const FlipFn& flip)
      : policy_(policy), flips_left_(flips_max), flip_(flip) {}

  // False: enough.
  bool Take(const v1::Decision& record) {
    const KnownFacts known(record);
    const Decision decided = policy_.Evaluate(known.facts());
    ++replayed_;
    const bool depends = DependsOnDevice(known.facts());
    const v1::Outcome after = ToMessage(decided.outcome);
    if (after == record.outcome() && !depends) {
      if (policy_.rule(decided.rule).name != record.rule_name()) ++other_rule_;
      return true;
    }
    ++(depends ? depends_on_device_ : flipped_);
    Count(record, decided, depends);
    if (flips_left_ <= 0) return true;
    --flips_left_;
    return Tell(record, known.facts(), decided, depends);
  }

  v1::ReplaySummary Summary() const {
    v1::ReplaySummary summary;
    summary.set_replayed(replayed_);
    summary.set_flipped(flipped_);
    summary.set_other_rule(other_rule_);
    summary.set_depends_on_device(depends_on_device_);
    for (const auto& [key, count] : flows_) {
      v1::ReplayedFlow& flow = *summary.add_flows();
      flow.set_before(std::get<0>(key));
      flow.set_rule_before(std::get<1>(key));
      flow.set_after(std::get<2>(key));
      flow.set_rule_after(std::get<3>(key));
      flow.set_depends_on_device(std::get<4>(key));
      flow.set_count(count);
    }
    std::stable_sort(summary.mutable_flows()->begin(), summary.mutable_flows()->end(),
                     [](const auto& a, const auto& b) { return a.count() > b.count(); });
    return summary;
  }

 private:
  using FlowKey = std::tuple<v1::Outcome, std::string, v1::Outcome, std::string, bool>;

  // Nobody asked the device, and it matters here what it would have shown.
  bool DependsOnDevice(Facts facts) const {
    if (facts.trust != Trust::kNotEvaluated || !policy_.uses_trust()) return false;
    const Outcome unknown = policy_.Evaluate(facts).outcome;
    facts.trust = Trust::kTrusted;
    const Outcome trusted = policy_.Evaluate(facts).outcome;
    facts.trust = Trust::kNotTrusted;
    const Outcome untrusted = policy_.Evaluate(facts).outcome;
    return trusted != untrusted || untrusted != unknown;
  }

  void Count(const v1::Decision& record, const Decision& decided, bool depends) {
    FlowKey key{record.outcome(), record.rule_name(), ToMessage(decided.outcome),
                policy_.rule(decided.rule).name, depends};
    if (flows_.size() + 1 >= kFlowsMax && !flows_.contains(key)) {
      key = {v1::OUTCOME_UNSPECIFIED, std::string(kOtherRules), v1::OUTCOME_UNSPECIFIED,
             std::string(kOtherRules), false};
    }
    ++flows_[key];
  }

  bool Tell(const v1::Decision& record, const Facts& facts, const Decision& decided,
            bool depends) const {
    v1::SignInFlip flip;
    flip.set_code(record.code());
    *flip.mutable_at() = record.at();
    flip.set_principal(record.user().principal());
    flip.set_before(record.outcome());
    flip.mutable_rule_before()->set_index(record.rule_index());
    flip.mutable_rule_before()->set_name(record.rule_name());
    flip.set_after(ToMessage(decided.outcome));
    flip.mutable_rule_after()->set_index(static_cast<std::int32_t>(decided.rule + 1));
    flip.mutable_rule_after()->set_name(policy_.rule(decided.rule).name);
    flip.set_depends_on_device(depends);
    flip.set_why(Why(policy_, record, facts, decided));
    return flip_(flip);
  }

  const CompiledPolicy& policy_;
  int flips_left_;
  const FlipFn& flip_;
  std::int64_t replayed_ = 0, flipped_ = 0, other_rule_ = 0, depends_on_device_ = 0;
  std::map<FlowKey, std::int64_t> flows_;
};

}  // namespace

absl::StatusOr<v1::ReplaySummary> ReplaySignIns(db::Database& database,
                                                const CompiledPolicy& policy,
                                                const ReplayRange& range, const FlipFn& flip) {
  Replayer replayer(policy, range.flips_max, flip);
  DecisionPage page;
  page.last_ms = UnixMillis(range.since);
  v1::Decision record;
  do {
    const auto list = [&](db::Transaction& txn) {
      return ListDecisions(txn, range.app_id, page, UnixMillis(range.until), kDecisionsAtATime);
    };
    DT_ASSIGN_OR_RETURN(page, database.Read(list));
    for (const Bytes& bytes : page.records) {
      if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
        return absl::DataLossError("a stored decision does not parse");
      }
      if (!replayer.Take(record)) return absl::CancelledError("the caller has had enough");
    }
  } while (page.records.size() == static_cast<std::size_t>(kDecisionsAtATime));
  return replayer.Summary();
}

}  // namespace devicetrust::policy
