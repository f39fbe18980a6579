#include "libs/admin/message_diff.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "libs/admin/contract_json.h"
#include "libs/base/printable.h"

namespace devicetrust::admin {
namespace {

using nlohmann::ordered_json;

ordered_json JsonOf(const google::protobuf::Message& message) {
  return ordered_json::parse(MessageToJson(message), nullptr, /*allow_exceptions=*/false);
}

// What an element of a list is known by; empty: by its value.
std::string NameOf(const ordered_json& element) {
  if (!element.is_object()) return "";
  for (const char* const key : {"id", "name"}) {
    const auto found = element.find(key);
    if (found != element.end() && found->is_string()) return found->get<std::string>();
  }
  return "";
}

bool HasNames(const ordered_json& list) {
  return std::all_of(list.begin(), list.end(),
                     [](const ordered_json& element) { return !NameOf(element).empty(); });
}

// "rules" -> "rule".
std::string Singular(const std::string& list) {
  return list.ends_with('s') ? list.substr(0, list.size() - 1) : list;
}

std::string Ordinal(std::size_t number) {
  const std::size_t tens = number % 100 / 10;
  const std::size_t ones = number % 10;
  if (tens != 1 && ones == 1) return fmt::format("{}st", number);
  if (tens != 1 && ones == 2) return fmt::format("{}nd", number);
  if (tens != 1 && ones == 3) return fmt::format("{}rd", number);
  return fmt::format("{}th", number);
}

class Diff {
 public:
  void Values(const std::string& place, const std::string& key, const ordered_json& before,
              const ordered_json& after) {
    if (before == after) return;
    const auto is = [&](auto kind) {
      return (kind(before) || before.is_null()) && (kind(after) || after.is_null());
    };
    if (is([](const ordered_json& value) { return value.is_object(); })) {
      return Objects(place, key, before, after);
    }
    if (is([](const ordered_json& value) { return value.is_array(); })) {
      return Lists(place, key, before.is_null() ? ordered_json::array() : before,
                   after.is_null() ? ordered_json::array() : after);
    }
    const bool flag = before.is_boolean() || after.is_boolean();  // False is left out.
    Line('~', place, fmt::format("{}: {} -> {}", key, Word(before, flag), Word(after, flag)));
  }
  std::string Take() { return std::move(text_); }

 private:
  static std::string Word(const ordered_json& value, bool flag) {
    if (value.is_null()) return flag ? "false" : "none";
    return value.dump();
  }

  void Line(char sign, const std::string& place, const std::string& what) {
    text_ += fmt::format("{} {}{}{}\n", sign, Printable(place), place.empty() ? "" : ": ",
                         Printable(what));
  }

  static const ordered_json& Member(const ordered_json& object, const std::string& key) {
    static const ordered_json kNone;
    const auto found = object.is_object() ? object.find(key) : object.end();
    return found == object.end() ? kNone : *found;
  }

  void Objects(const std::string& place, const std::string& key, const ordered_json& before,
               const ordered_json& after) {
    std::vector<std::string> keys;
    for (const ordered_json* const object : {&before, &after}) {
      if (!object->is_object()) continue;
      for (const auto& [name, value] : object->items()) {
        if (std::find(keys.begin(), keys.end(), name) == keys.end()) keys.push_back(name);
      }
    }
    for (const std::string& name : keys) {
      Values(place, key.empty() ? name : key + "." + name, Member(before, name),
             Member(after, name));
    }
  }

  void Lists(const std::string& place, const std::string& key, const ordered_json& before,
             const ordered_json& after) {
    if (HasNames(before) && HasNames(after)) return Named(place, key, before, after);
    std::vector<std::string> changes;
    const auto lacks = [](const ordered_json& list, const ordered_json& element) {
      return std::find(list.begin(), list.end(), element) == list.end();
    };
    for (const ordered_json& element : after) {
      if (lacks(before, element)) changes.push_back("+" + element.dump());
    }
    for (const ordered_json& element : before) {
      if (lacks(after, element)) changes.push_back("-" + element.dump());
    }
    if (changes.empty()) changes.push_back(before.dump() + " -> " + after.dump());
    Line('~', place, fmt::format("{}: {}", key, fmt::join(changes, ", ")));
  }

  static std::string Label(const std::string& key, const ordered_json& element) {
    return fmt::format("{} \"{}\"", Singular(key), NameOf(element));
  }

  // Where in `list` the element of this name is; its size: nowhere.
  static std::size_t Find(const ordered_json& list, const std::string& name) {
    const auto found = std::find_if(list.begin(), list.end(), [&](const ordered_json& element) {
      return NameOf(element) == name;
    });
    return static_cast<std::size_t>(found - list.begin());
  }

  static std::string Content(ordered_json element) {
    element.erase(element.contains("id") ? "id" : "name");
    return element.dump();
  }

  void Named(const std::string& place, const std::string& key, const ordered_json& before,
             const ordered_json& after) {
    std::vector<std::string> kept_before;
    std::vector<std::string> kept_after;
    for (const ordered_json& element : before) {
      if (Find(after, NameOf(element)) < after.size()) {
        kept_before.push_back(fmt::format("\"{}\"", NameOf(element)));
        continue;
      }
      Line('-', place, fmt::format("{}: {}", Label(key, element), Content(element)));
    }
    std::size_t number = 0;
    for (const ordered_json& element : after) {
      ++number;
      const std::size_t was = Find(before, NameOf(element));
      if (was == before.size()) {
        Line('+', place,
             fmt::format("{} ({}): {}", Label(key, element), Ordinal(number), Content(element)));
        continue;
      }
      kept_after.push_back(fmt::format("\"{}\"", NameOf(element)));
      const std::string inside =
          place.empty() ? Label(key, element) : fmt::format("{}: {}", place, Label(key, element));
      Values(inside, "", before[was], element);
    }
    if (kept_before != kept_after) {
      Line('~', place,
           fmt::format("order of {}: {} -> {}", key, fmt::join(kept_before, ", "),
                       fmt::join(kept_after, ", ")));
    }
  }

  std::string text_;
};

}  // namespace

std::string DiffText(const google::protobuf::Message& before,
                     const google::protobuf::Message& after) {
  Diff diff;
  diff.Values("", "", JsonOf(before), JsonOf(after));
  return diff.Take();
}

}  // namespace devicetrust::admin
