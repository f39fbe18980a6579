// The reference's example of five rules, for tests.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "policy-engine/rules/evaluation.h"

namespace devicetrust::policy {

inline Rule MakeRule(std::string name, ClientSelection clients, PlatformSelection platforms,
                     TrustCondition trust, bool allow, bool factor) {
  Rule rule;
  rule.name = std::move(name);
  rule.clients = clients;
  rule.platforms = platforms;
  rule.trust = trust;
  rule.actions.allow = allow;
  rule.actions.prompt_for_factor = factor;
  return rule;
}

// The reference's allow-list example. Its rule 3 is read by its title, "All platforms except
// Windows"; with `by_settings` it selects Windows too, as the settings below the title say.
inline std::vector<Rule> FiveRules(bool by_settings = false) {
  const ClientSelection legacy = {ClientKind::kLegacyAuth};
  const ClientSelection modern = {ClientKind::kWebBrowser, ClientKind::kModernAuth};
  PlatformSelection others = {Platform::kIos, Platform::kAndroid, Platform::kOtherMobile,
                              Platform::kMacos, Platform::kOtherDesktop};
  if (by_settings) others.Add(Platform::kWindows);
  const TrustCondition any = TrustCondition::kAny;
  return {
      MakeRule("Legacy clients", legacy, PlatformSelection::All(), any, true, false),
      MakeRule("Windows, trusted", modern, {Platform::kWindows}, TrustCondition::kTrusted, true,
               true),
      MakeRule("All platforms except Windows", modern, others, any, true, true),
      MakeRule("Deny the rest", ClientSelection::All(), PlatformSelection::All(), any, false,
               false),
  };
}

inline std::shared_ptr<const CompiledPolicy> Compiled(std::vector<Rule> rules,
                                                      AppKind kind = AppKind::kOffice,
                                                      std::vector<Zone> zones = {}) {
  return CompiledPolicy::Compile(std::move(rules), kind, zones).value();
}

}  // namespace devicetrust::policy
