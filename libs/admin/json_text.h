// JSON that a person wrote. For .cc files: nlohmann's headers are heavy.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "libs/base/status.h"

namespace devicetrust::admin {

// A JSON object or array. kInvalidArgument: none, or an object that has a member twice, of which
// RFC 8259 lets each reader choose another one. The message names `file` and, for what is no JSON
// at all, line and column.
absl::StatusOr<nlohmann::ordered_json> ParseJson(const std::string& file, std::string_view text);

// The same for a file that must hold an array.
absl::StatusOr<nlohmann::ordered_json> ParseJsonArray(const std::string& file,
                                                      std::string_view text);

}  // namespace devicetrust::admin
