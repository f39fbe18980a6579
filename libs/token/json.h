// JSON as tokens need it. Internal to libs/token.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string_view>

#include "libs/base/status.h"

namespace devicetrust::token {

// `text` as one JSON object: UTF-8, no byte order mark, no control characters outside of
// the grammar, nesting of at most 8, no member name twice in one object (compared after
// unescaping). kInvalidArgument else, without quoting the text.
absl::StatusOr<nlohmann::json> ParseObject(std::string_view text);

// The string member `name` of `object`, of 1 to 256 bytes; nothing else is one.
absl::StatusOr<std::string> StringMember(const nlohmann::json& object, const char* name);

}  // namespace devicetrust::token
