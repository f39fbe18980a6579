// Every check of a diagnosis, as a pure function of what was found.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "devicetrust/ca/v1/ca.pb.h"
#include "devicetrust/org/v1/decisions.pb.h"
#include "devicetrust/org/v1/diagnostics.pb.h"
#include "devicetrust/org/v1/iwa_registry.pb.h"
#include "devicetrust/org/v1/people_sync.pb.h"
#include "devicetrust/org/v1/settings.pb.h"
#include "devicetrust/org/v1/system_log.pb.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"

namespace devicetrust::policy {

// How the rules of an app treat a device that is not trusted.
struct AppTrust {
  std::string label;
  bool uses_trust = false;        // An active rule names trust.
  bool denies_untrusted = false;  // An active rule denies whoever is not trusted.
};

struct Evidence {
  WallTime now;
  org::v1::OrgSettings settings;
  std::vector<org::v1::PeopleSyncStatus> people;  // By domain; none: people are imported.
  std::vector<org::v1::Iwa> iwas;
  std::string asked_user;  // As asked for; empty: a device, which nobody has.
  std::optional<org::v1::User> user;
  std::string device_id;  // Empty: any of the user's.
  // Of the person or device, newest first; an error: the CA does not answer.
  absl::StatusOr<std::vector<ca::v1::CertificateRecord>> certificates;
  // user.credential.enroll and user.authentication.authenticate of the same, newest first.
  std::vector<org::v1::Event> events;
  std::vector<AppTrust> apps;  // With a decision that of its app alone.
  std::optional<org::v1::Decision> decision;
};

// An IWA tells the org each minute that it lives.
inline constexpr std::chrono::minutes kHeartbeatAgeMax{5};

// In the order in which one needs the other.
std::vector<org::v1::Check> Judge(const Evidence& evidence);

}  // namespace devicetrust::policy
