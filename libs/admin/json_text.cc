#include "libs/admin/json_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

namespace devicetrust::admin {
namespace {

using nlohmann::ordered_json;

// nlohmann counts bytes from 1.
std::string PlaceOf(std::string_view text, std::size_t byte) {
  const std::string_view before = text.substr(0, std::min(byte, text.size() + 1) - (byte > 0));
  const std::size_t line_end = before.rfind('\n');
  const std::size_t begin = line_end == std::string_view::npos ? 0 : line_end + 1;
  return fmt::format("line {}, column {}", std::count(before.begin(), before.end(), '\n') + 1,
                     before.size() - begin + 1);
}

// Finds members that an object has twice, while the parser goes by.
class Doubles {
 public:
  // As nlohmann's parser_callback_t; `depth` of an object that stands in a list of the top is 1.
  bool See(int depth, ordered_json::parse_event_t event, const ordered_json& parsed) {
    switch (event) {
      case ordered_json::parse_event_t::object_start:
        if (depth == 1) ++element_;
        open_.emplace_back();
        break;
      case ordered_json::parse_event_t::object_end:
        if (!open_.empty()) open_.pop_back();
        break;
      case ordered_json::parse_event_t::key:
        if (!open_.empty() && !open_.back().insert(parsed.get<std::string>()).second) {
          if (found_.empty()) found_ = Describe(parsed.get<std::string>());
        }
        break;
      default:
        break;
    }
    return true;
  }
  const std::string& found() const { return found_; }  // Empty: none.
  void ForList(bool is_list) { is_list_ = is_list; }

 private:
  std::string Describe(const std::string& name) const {
    const std::string place = is_list_ ? fmt::format("number {} of the list: ", element_) : "";
    return fmt::format("{}the member \"{}\" stands there twice; leave one", place, name);
  }

  bool is_list_ = false;
  std::size_t element_ = 0;
  std::vector<std::set<std::string>> open_;
  std::string found_;
};

// Whether brackets outside of text stand deeper than a person writes them: what reads and prints a
// value calls itself for each.
bool IsTooDeep(std::string_view text) {
  constexpr int kDepthMax = 64;
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
      continue;
    }
    if (c == '"') quoted = true;
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    if (depth > kDepthMax) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<ordered_json> ParseJson(const std::string& file, std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (IsTooDeep(text)) {
    return absl::InvalidArgumentError(
        fmt::format("{}: its brackets are nested more than 64 deep", file));
  }
  Doubles doubles;
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  doubles.ForList(begin != std::string_view::npos && text[begin] == '[');
  try {
    ordered_json parsed = ordered_json::parse(
        text, [&doubles](int depth, ordered_json::parse_event_t event, const ordered_json& value) {
          return doubles.See(depth, event, value);
        });
    if (!doubles.found().empty()) {
      return absl::InvalidArgumentError(fmt::format("{}: {}", file, doubles.found()));
    }
    if (parsed.is_structured()) return parsed;
    return absl::InvalidArgumentError(
        fmt::format("{}: must hold a JSON object {{ … }} or a list [ … ]", file));
  } catch (const ordered_json::parse_error& error) {
    return absl::InvalidArgumentError(
        fmt::format("{}: {}: this is no JSON; is a comma, quote or bracket missing before it?",
                    file, PlaceOf(text, error.byte)));
  } catch (const ordered_json::out_of_range&) {
    return absl::InvalidArgumentError(fmt::format("{}: it has a number that is too large", file));
  }
}

absl::StatusOr<ordered_json> ParseJsonArray(const std::string& file, std::string_view text) {
  DT_ASSIGN_OR_RETURN(ordered_json parsed, ParseJson(file, text));
  if (parsed.is_array()) return parsed;
  return absl::InvalidArgumentError(fmt::format("{}: must hold a JSON list: [ … ]", file));
}

}  // namespace devicetrust::admin
