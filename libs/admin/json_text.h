// JSON that a person wrote. For .cc files: nlohmann's headers are heavy.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "libs/base/status.h"

namespace devicetrust::admin {

// A JSON array. kInvalidArgument: none; the message names `file` and, for what is no JSON at all,
// line and column.
absl::StatusOr<nlohmann::ordered_json> ParseJsonArray(const std::string& file,
                                                      std::string_view text);

}  // namespace devicetrust::admin
