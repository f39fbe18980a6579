// What the pages of a person's own account look like: apps, sessions, second factor. They work
// without scripts; web/account/ makes them quicker. Everything that varies is escaped here. Uses
// sso's frame of a page and the contracts; knows no cookie and asks nobody.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "devicetrust/org/v1/dashboard.pb.h"
#include "devicetrust/org/v1/factors.pb.h"
#include "devicetrust/org/v1/sessions.pb.h"
#include "libs/base/clock.h"
#include "libs/http/message.h"
#include "simulator/gateway/downloads/package_folder.h"
#include "simulator/gateway/sso/pages.h"
#include "simulator/gateway/sso/site.h"

namespace devicetrust::gateway {

// An app on the dashboard.
struct Tile {
  std::string label;
  std::string open_url;
  std::string logo_url;  // Empty: its first letter stands for it.
  bool locked = false;
};

struct DashboardPage {
  std::string_view principal = {};
  std::vector<Tile> tiles = {};
  std::string_view query = {};  // Only apps whose name has it are shown.
  std::string_view learn_more_url = {};
  bool may_enroll_factor = false;
};
http::Response RenderDashboard(const Site& site, const DashboardPage& page);
// Changes when the page would: what its script compares.
std::string DashboardVersion(const DashboardPage& page);

struct SessionsPage {
  std::string_view principal = {};
  const org::v1::ListSessionsResponse& sessions;
  WallTime now;
  std::string_view notice = {};
};
http::Response RenderSessions(const Site& site, const SessionsPage& page);

// The second factor as it stands. `next`: an address of ours that the person came from; empty:
// none.
struct SecondFactorPage {
  std::string_view principal = {};
  bool has_factor = false;
  int recovery_codes_left = 0;
  bool may_enroll = false;
  bool shown_lately = false;  // It may be replaced.
  std::string_view next = {};
  FormMessage problem = {};  // About the code that was typed.
};
http::Response RenderSecondFactor(const Site& site, const SecondFactorPage& page);

// A new secret, as a picture and as text, and the form for its first code.
struct EnrollmentPage {
  std::string_view principal = {};
  std::string_view enrollment_id = {};
  std::string_view otpauth_uri = {};
  std::string_view next = {};
  FormMessage problem = {};
};
http::Response RenderEnrollment(const Site& site, const EnrollmentPage& page);

struct RecoveryCodesPage {
  std::string_view principal = {};
  std::vector<std::string> codes = {};
  bool enrolled = false;  // With a new factor.
  std::string_view next = {};
};
http::Response RenderRecoveryCodes(const Site& site, const RecoveryCodesPage& page);

// Packages that everybody may have.
http::Response RenderDownloads(const Site& site, std::string_view principal,
                               const std::vector<std::shared_ptr<const Package>>& packages);

}  // namespace devicetrust::gateway
