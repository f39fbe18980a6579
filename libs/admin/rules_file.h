// Sign-on rules and network zones as files: what `get` writes, `set` reads.
#pragma once

#include <string>
#include <string_view>

#include "devicetrust/org/v1/apps.pb.h"
#include "devicetrust/org/v1/zones.pb.h"
#include "libs/base/status.h"

namespace devicetrust::admin {

// The rules of `app` as a JSON array, see contract_json.h; the default rule is left out, since
// it cannot be edited.
std::string RulesToJson(const org::v1::App& app);
// Errors: as MessagesFromJson().
absl::StatusOr<org::v1::SetRulesRequest> RulesFromJson(const std::string& file,
                                                       std::string_view text);

std::string ZonesToJson(const org::v1::GetZonesResponse& zones);
absl::StatusOr<org::v1::SetZonesRequest> ZonesFromJson(const std::string& file,
                                                       std::string_view text);

}  // namespace devicetrust::admin
