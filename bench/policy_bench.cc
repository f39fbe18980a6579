// One sign-on decision: the five-rule allow-list, decided by its second and its fourth rule.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

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

}  // namespace
}  // namespace devicetrust::policy
