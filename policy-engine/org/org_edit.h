// What one change makes of the org, decided before its transaction begins.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "devicetrust/org/v1/system_log.pb.h"
#include "policy-engine/org/org_state.h"

namespace devicetrust::policy {

struct OrgEdit {
  struct Settings {
    org::v1::OrgSettings settings;
    bool disabled_by_force = false;
  };
  struct App {
    org::v1::App app;  // As registered.
    RuleMessages rules;
  };

  // What is not named stays as it is. Each that is named becomes a version of its own.
  std::optional<Settings> settings;
  std::optional<ZoneMessages> zones;
  std::map<std::string, std::optional<App>> apps;  // By id; none: removed.

  std::vector<std::string> warnings;              // For the admin.
  std::vector<org::v1::Target> targets;           // What was changed, for the event.
  std::map<std::string, std::string> debug = {};  // For the event too.

  // It writes nothing, and leaves neither event nor new version.
  bool empty() const { return !settings && !zones && apps.empty(); }
};

}  // namespace devicetrust::policy
