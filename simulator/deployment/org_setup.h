// What a simulated org begins with: settings, users, apps and their rules.
#pragma once

#include <string>
#include <vector>

#include "devicetrust/org/v1/apps.pb.h"
#include "libs/admin/admin_client.h"
#include "libs/base/status.h"
#include "simulator/deployment/endpoints.h"
#include "simulator/devices/fleet.h"

namespace devicetrust::simulator {

// The reference's allow-list example in the order of its priorities (POL-5): legacy mail,
// trusted Windows with a factor, other platforms with a factor (rule 3 by its title), deny.
std::vector<org::v1::Rule> FiveRuleExample();
// For service providers from outside: trusted devices alone.
std::vector<org::v1::Rule> TrustedOnly();

void SetRules(org::v1::App& app, const std::vector<org::v1::Rule>& rules);

// AD integration, Device Trust on, all of `fleet` imported with their factors. `sids` by user.
absl::Status SetUpOrg(admin::AdminClient& admin, const Fleet& fleet,
                      const std::vector<std::string>& sids, const std::string& learn_more_url);

// Lets the IWA vouch for every domain of `fleet`.
absl::Status GrantDomains(admin::AdminClient& admin, const Fleet& fleet,
                          const std::string& iwa_name);

// Registers `app` with the rules that it holds.
absl::Status RegisterApp(admin::AdminClient& admin, const org::v1::App& app);

// Gives the console to the first user with a second factor, without which it stays closed, as a
// super admin: `admin.user` of the endpoints.
absl::Status NameAdmin(admin::AdminClient& admin, Endpoints& endpoints);

// Where a link begins a sign-in to the app.
std::string SignOnUrl(const std::string& org_origin, const org::v1::App& app);

// The line about it for people; nothing without such a user.
std::string AdminText(const EndpointAdmin& admin);

}  // namespace devicetrust::simulator
