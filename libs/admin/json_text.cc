#include "libs/admin/json_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace devicetrust::admin {
namespace {

// nlohmann counts bytes from 1.
std::string PlaceOf(std::string_view text, std::size_t byte) {
  const std::string_view before = text.substr(0, std::min(byte, text.size() + 1) - (byte > 0));
  const std::size_t line_end = before.rfind('\n');
  const std::size_t begin = line_end == std::string_view::npos ? 0 : line_end + 1;
  return fmt::format("line {}, column {}", std::count(before.begin(), before.end(), '\n') + 1,
                     before.size() - begin + 1);
}

}  // namespace

absl::StatusOr<nlohmann::ordered_json> ParseJsonArray(const std::string& file,
                                                      std::string_view text) {
  try {
    nlohmann::ordered_json parsed = nlohmann::ordered_json::parse(text);
    if (parsed.is_array()) return parsed;
    return absl::InvalidArgumentError(fmt::format("{}: must hold a JSON list: [ … ]", file));
  } catch (const nlohmann::json::parse_error& error) {
    return absl::InvalidArgumentError(
        fmt::format("{}: {}: this is no JSON; is a comma, quote or bracket missing before it?",
                    file, PlaceOf(text, error.byte)));
  }
}

}  // namespace devicetrust::admin
