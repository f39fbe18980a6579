// What each verb of dtctl does. Answers go to standard output, everything else to standard
// error. Exit codes: 0 done, 1 refused or failed, 2 bad usage.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libs/base/clock.h"
#include "tools/dtctl/admin_client.h"

namespace devicetrust::ctl {

struct RevokeOptions {
  std::string user;    // Either this one
  std::string serial;  // or that one.
  std::string reason = "unspecified";
  bool yes = false;  // Don't ask.
  bool json = false;
};

struct LogOptions {
  std::vector<std::string> types;
  std::string user;
  std::string device;
  std::string since;  // As ParseTime().
  std::string until;
  int limit = 50;
  bool follow = false;
  bool json = false;
};

struct DeviceTrustOptions {
  std::optional<std::string> learn_more_url;  // Empty text: remove it.
  bool force = false;
  bool json = false;
};

// The words that --reason takes.
std::vector<std::string> RevocationReasons();

int Revoke(AdminClient& client, const RevokeOptions& options);
int ShowLog(AdminClient& client, const LogOptions& options, const Clock& clock);
int ShowDeviceTrust(AdminClient& client, const DeviceTrustOptions& options);
int SwitchDeviceTrust(AdminClient& client, bool enabled, const DeviceTrustOptions& options);
int Explain(AdminClient& client, const std::string& code, bool json);

// Prints ErrorText() and returns 1.
int Failed(const absl::Status& status);

}  // namespace devicetrust::ctl
