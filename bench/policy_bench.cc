// One sign-on decision: the five-rule allow-list, decided by its second and its fourth rule, and a
// hundred rules.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "bench/hundred_rules.h"
#include "policy-engine/rules/analysis.h"
#include "policy-engine/rules/evaluation.h"

namespace devicetrust::policy {
namespace {

Rule NewRule(const std::string& name, ClientSelection clients, PlatformSelection platforms,
             TrustCondition trust, bool allow) {
  Rule rule;
  rule.name = name;
  rule.clients = clients;
  rule.platforms = platforms;
  rule.trust = trust;
  rule.actions.allow = allow;
  rule.actions.prompt_for_factor = allow && clients != ClientSelection{ClientKind::kLegacyAuth};
  return rule;
}

std::shared_ptr<const CompiledPolicy> AllowList() {
  const ClientSelection modern{ClientKind::kWebBrowser, ClientKind::kModernAuth};
  const PlatformSelection not_windows{Platform::kIos, Platform::kAndroid, Platform::kOtherMobile,
                                      Platform::kMacos, Platform::kOtherDesktop};
  std::vector<Rule> rules = {
      NewRule("Legacy clients", {ClientKind::kLegacyAuth}, PlatformSelection::All(),
              TrustCondition::kAny, true),
      NewRule("Windows, trusted", modern, {Platform::kWindows}, TrustCondition::kTrusted, true),
      NewRule("All platforms except Windows", modern, not_windows, TrustCondition::kAny, true),
      NewRule("Everything else", ClientSelection::All(), PlatformSelection::All(),
              TrustCondition::kAny, false)};
  return CompiledPolicy::Compile(std::move(rules), AppKind::kOffice, {}).value();
}

void BM_EvaluatePolicy(benchmark::State& state, Trust trust, std::size_t expected_rule) {
  const auto policy = AllowList();
  const std::vector<std::string> groups = {"Everyone", "Sales", "Berlin", "VPN users"};
  Facts facts;
  facts.user_id = "00u1a2b3c4d5e6f7g8h9";
  facts.groups = groups;
  facts.client = ClientKind::kWebBrowser;
  facts.claimed_platform = Platform::kWindows;
  facts.trust = trust;
  for (auto _ : state) {
    const Decision decision = policy->Evaluate(facts);
    if (decision.rule != expected_rule) return state.SkipWithError("another rule decided");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(BM_EvaluatePolicy, trusted, Trust::kTrusted, 1);
BENCHMARK_CAPTURE(BM_EvaluatePolicy, refused, Trust::kNotTrusted, 3);

// Sign-ins of many people, from many places, by a hundred rules: the median and the 99th percentile
// of single calls, as counters, less what reading the clock costs.
void BM_EvaluateHundredRules(benchmark::State& state) {
  using Ticks = std::chrono::steady_clock;
  const auto policy = HundredRules();
  const std::vector<SignIn> sign_ins = HundredRulesSignIns();
  std::vector<std::int64_t> nanoseconds, clock_alone;
  std::size_t next = 0, allowed = 0;
  for (auto _ : state) {
    const Facts facts = sign_ins[next++ % sign_ins.size()].facts();
    const auto begin = Ticks::now();
    const Decision decision = policy->Evaluate(facts);
    const auto end = Ticks::now();
    clock_alone.push_back((Ticks::now() - end).count());
    nanoseconds.push_back((end - begin).count());
    if (next <= sign_ins.size()) allowed += decision.outcome == Outcome::kAllowed ? 1 : 0;
  }
  if (allowed == 0) return state.SkipWithError("the sign-ins do not differ");
  state.counters["allowed"] = static_cast<double>(allowed);
  const auto at = [](std::vector<std::int64_t>& all, double part) {
    const auto nth = all.begin() + static_cast<std::ptrdiff_t>(part * double(all.size() - 1));
    std::nth_element(all.begin(), nth, all.end());
    return *nth;
  };
  const std::int64_t clock = at(clock_alone, 0.5);
  state.counters["p50_ns"] = static_cast<double>(at(nanoseconds, 0.5) - clock);
  state.counters["p99_ns"] = static_cast<double>(at(nanoseconds, 0.99) - clock);
}
BENCHMARK(BM_EvaluateHundredRules)->Iterations(400'000);

void BM_AnalyzeHundredRules(benchmark::State& state) {
  const auto policy = HundredRules();
  for (auto _ : state) {
    const Analysis analysis = Analyze(*policy);
    if (!analysis.bound.empty()) return state.SkipWithError("a bound was hit");
    state.counters["findings"] = static_cast<double>(analysis.findings.size());
  }
}
BENCHMARK(BM_AnalyzeHundredRules)->Unit(benchmark::kMillisecond);

// An edit of one rule in the middle, and a policy turned upside down.
void BM_CompareHundredRules(benchmark::State& state, bool reversed) {
  const auto before = HundredRules();
  std::vector<Rule> rules = HundredRulesList();
  rules[50].actions.allow = false;
  if (reversed) std::reverse(rules.begin(), rules.end() - 1);
  const auto after = CompiledPolicy::Compile(rules, AppKind::kOffice, HundredRulesZones()).value();
  for (auto _ : state) {
    const Comparison comparison = Compare(*before, *after);
    if (!comparison.bound.empty()) return state.SkipWithError("a bound was hit");
    state.counters["differences"] = static_cast<double>(comparison.differences.size());
  }
}
BENCHMARK_CAPTURE(BM_CompareHundredRules, edited, false)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_CompareHundredRules, reversed, true)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace devicetrust::policy
