// A hundred rules and ten thousand sign-ins that depend on all of their conditions, by a formula
// that bench/policy_vs_cedar has too: it gives the same rules to Cedar.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "policy-engine/rules/evaluation.h"
#include "policy-engine/rules/sign_in.h"

namespace devicetrust::policy {

inline std::vector<Zone> HundredRulesZones() {
  std::vector<Zone> zones;
  for (int k = 0; k < 20; ++k) {
    zones.push_back(
        Zone::Compile({fmt::format("site-{}", k), {fmt::format("10.{}.0.0/16", k)}}).value());
  }
  return zones;
}

inline std::vector<Rule> HundredRulesList() {
  std::vector<Rule> rules;
  for (int i = 0; i < 99; ++i) {
    Rule rule;
    rule.name = fmt::format("rule {}", i);
    rule.people.everyone = false;
    rule.people.groups = {fmt::format("team-{}", i)};
    if (i % 10 == 0) rule.people.users = {fmt::format("user-{}", i)};
    if (i % 7 == 0) rule.people.except_groups = {"contractors"};
    if (i % 3 == 0) rule.location = {Location::kInZones, {fmt::format("site-{}", i % 20)}};
    if (i % 5 != 0) rule.clients = {ClientKind::kWebBrowser, ClientKind::kModernAuth};
    if (i % 4 == 1) rule.platforms = {Platform::kWindows};
    if (i % 4 == 2) rule.platforms = {Platform::kWindows, Platform::kMacos};
    if (i % 4 == 3) rule.platforms = {Platform::kIos, Platform::kAndroid};
    if (i % 4 == 1 && i % 5 != 0) rule.trust = TrustCondition::kTrusted;
    rules.push_back(std::move(rule));
  }
  Rule rest;
  rest.name = "everybody else";
  rest.actions.allow = false;
  rules.push_back(std::move(rest));
  return rules;
}

inline std::shared_ptr<const CompiledPolicy> HundredRules() {
  return CompiledPolicy::Compile(HundredRulesList(), AppKind::kOffice, HundredRulesZones()).value();
}

inline std::vector<SignIn> HundredRulesSignIns() {
  constexpr Platform kPlatforms[] = {Platform::kWindows, Platform::kMacos, Platform::kIos,
                                     Platform::kAndroid, Platform::kUnknown};
  std::vector<SignIn> sign_ins;
  for (int j = 0; j < 10'000; ++j) {
    SignIn sign_in;
    sign_in.user_id = fmt::format("user-{}", j % 1000);
    sign_in.groups = {"Everyone", fmt::format("team-{}", j * 7 % 120),
                      fmt::format("team-{}", j * 13 % 120), "staff"};
    if (j % 11 == 0) sign_in.groups.emplace_back("contractors");
    sign_in.address = IpAddress::Parse(fmt::format("10.{}.0.5", j % 25));
    sign_in.client = j % 6 == 0 ? ClientKind::kLegacyAuth : ClientKind::kWebBrowser;
    sign_in.claimed_platform = kPlatforms[j % 5];
    sign_in.trust = j % 3 == 0 ? Trust::kTrusted : Trust::kNotTrusted;
    sign_ins.push_back(std::move(sign_in));
  }
  return sign_ins;
}

}  // namespace devicetrust::policy
