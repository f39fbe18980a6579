// Where WS-Federation is spoken at the org host, and which app is meant.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "devicetrust/org/v1/apps.pb.h"
#include "libs/base/status.h"
#include "libs/http/form.h"
#include "simulator/gateway/upstream/org_snapshots.h"

namespace devicetrust::gateway {

inline constexpr std::string_view kWsFedPath = "/sso/wsfed";
inline constexpr std::string_view kWsFedActivePath = "/sso/wsfed/active";

// ID of /app/ID<suffix>.
std::optional<std::string> AppOfPath(std::string_view path, std::string_view suffix);

// The app that the path names, else that of wtrealm; never null. APP_UNKNOWN: the named one is no
// WS-Federation app. WSFED_UNKNOWN_REALM: nobody has that realm. WSFED_REQUEST_MALFORMED: there is
// neither.
absl::StatusOr<const org::v1::App*> FindWsFedApp(const AppDirectory& apps,
                                                 const std::optional<std::string>& named,
                                                 const http::Parameters& parameters);

}  // namespace devicetrust::gateway
