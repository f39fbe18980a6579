// What every decision reads: settings, zones, apps with their compiled rules. Immutable; the
// store swaps in a new one after each change.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "devicetrust/org/v1/apps.pb.h"
#include "devicetrust/org/v1/rules.pb.h"
#include "devicetrust/org/v1/settings.pb.h"
#include "devicetrust/org/v1/zones.pb.h"
#include "policy-engine/rules/evaluation.h"

namespace devicetrust::policy {

using RuleMessages = google::protobuf::RepeatedPtrField<org::v1::Rule>;
using ZoneMessages = google::protobuf::RepeatedPtrField<org::v1::Zone>;

struct AppState {
  org::v1::App app;       // As registered: without rules and what else is output only.
  RuleMessages rules;     // As set: without the default rule, which is every app's.
  std::size_t bytes = 0;  // Of both in the store.
  std::int64_t revision = 0;
  std::shared_ptr<const CompiledPolicy> policy;
};

struct OrgState {
  std::int64_t version = 0;  // Grows with every change of anything in here.
  org::v1::OrgSettings settings;
  // Device Trust was switched off although rules used it (ORG-2). As long as a rule still does,
  // settings.disabled_while_in_use says so.
  bool disabled_by_force = false;
  std::int64_t zones_revision = 0;
  ZoneMessages zone_messages;
  std::vector<Zone> zones;                            // The same, compiled.
  std::map<std::string, AppState, std::less<>> apps;  // By id.

  // What people call the org.
  const std::string& DisplayName() const {
    return settings.display_name().empty() ? settings.org_id() : settings.display_name();
  }
  // Both switches of ORG-1 are on.
  bool DeviceTrustEffective() const {
    return settings.device_trust_enabled() && settings.capability_enabled();
  }
  // An active rule of the app names trust, and Device Trust is on: the rules need to know the
  // device.
  bool NeedsDeviceChallenge(const AppState& app) const {
    return DeviceTrustEffective() && app.policy->uses_trust();
  }
  const AppState* FindApp(std::string_view id) const {
    const auto found = apps.find(id);
    return found == apps.end() ? nullptr : &found->second;
  }
  // "app 'mail', rule 'Windows, trusted'" for each active rule that names trust.
  std::vector<std::string> RulesNamingTrust() const;
};

}  // namespace devicetrust::policy
