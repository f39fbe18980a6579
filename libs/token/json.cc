#include "libs/token/json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace devicetrust::token {
namespace {

using nlohmann::json;

constexpr std::size_t kDepthMax = 8;
constexpr std::size_t kMemberBytesMax = 256;

// Sees each name as the parser reads it: afterwards a duplicate is gone, the last one won.
class DuplicateFinder {
 public:
  bool operator()(int /*depth*/, json::parse_event_t event, json& parsed) {
    switch (event) {
      case json::parse_event_t::object_start:
        Open();
        break;
      case json::parse_event_t::array_start:
        Open();
        break;
      case json::parse_event_t::object_end:
      case json::parse_event_t::array_end:
        names_.pop_back();
        break;
      case json::parse_event_t::key:
        bad_ |= !names_.back().insert(parsed.get<std::string>()).second;
        break;
      case json::parse_event_t::value:
        break;
    }
    return true;
  }
  bool bad() const { return bad_; }

 private:
  void Open() {
    names_.emplace_back();
    bad_ |= names_.size() > kDepthMax;
  }
  std::vector<std::set<std::string>> names_;
  bool bad_ = false;
};

}  // namespace

absl::StatusOr<json> ParseObject(std::string_view text) {
  // The parser would skip a byte order mark, and take a NUL for the end.
  if (!text.starts_with('{') || text.find('\0') != std::string_view::npos) {
    return absl::InvalidArgumentError("not a JSON object");
  }
  DuplicateFinder finder;
  json object = json::parse(text.begin(), text.end(), std::ref(finder), /*allow_exceptions=*/false);
  if (!object.is_object()) return absl::InvalidArgumentError("not a JSON object");
  if (finder.bad()) {
    return absl::InvalidArgumentError("JSON with a member twice, or nested too deeply");
  }
  return object;
}

absl::StatusOr<std::string> StringMember(const json& object, const char* name) {
  const auto it = object.find(name);
  if (it == object.end() || !it->is_string()) {
    return absl::InvalidArgumentError(fmt::format("no string '{}'", name));
  }
  std::string value = it->get<std::string>();
  if (value.empty() || value.size() > kMemberBytesMax) {
    return absl::InvalidArgumentError(
        fmt::format("'{}' must have 1 to {} bytes", name, kMemberBytesMax));
  }
  return value;
}

}  // namespace devicetrust::token
