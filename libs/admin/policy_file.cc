#include "libs/admin/policy_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "libs/admin/contract_json.h"
#include "libs/admin/json_schema.h"
#include "libs/admin/json_text.h"
#include "libs/base/printable.h"

namespace devicetrust::admin {
namespace {

namespace v1 = ::devicetrust::org::v1;
using nlohmann::ordered_json;

absl::Status FileError(const std::string& file, std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("{}: {}", file, Printable(what)));
}

// The file as an object of this version, with `members` and no others; those of `required` are
// lists.
absl::StatusOr<ordered_json> ReadFileOf(const std::string& file, std::string_view text,
                                        const std::vector<std::string>& members,
                                        const std::vector<std::string>& required) {
  if (text.size() > kPolicyFileBytesMax) {
    return FileError(file, fmt::format("it has more than {} MiB; name groups in the rules instead "
                                       "of people",
                                       kPolicyFileBytesMax >> 20));
  }
  DT_ASSIGN_OR_RETURN(ordered_json root, ParseJson(file, text));
  if (!root.is_object()) return FileError(file, "must hold one JSON object { … }");
  const auto version = root.find("version");
  if (version == root.end() || !version->is_number_integer()) {
    return FileError(file,
                     fmt::format("\"version\" is missing; this is version {}", kPolicyFileVersion));
  }
  if (*version != kPolicyFileVersion) {
    return FileError(file, fmt::format("it is of version {}, and this dtctl knows version {}; take "
                                       "a newer dtctl",
                                       version->dump(), kPolicyFileVersion));
  }
  for (const auto& [name, value] : root.items()) {
    if (name == "$schema" || name == "version") continue;
    if (std::ranges::find(members, name) != members.end()) continue;
    return FileError(file, fmt::format("there is no member \"{}\"; they are version, {}", name,
                                       fmt::join(members, ", ")));
  }
  for (const std::string& name : required) {
    if (!root.contains(name)) {
      return FileError(file, fmt::format("\"{}\" is missing; write [] for none", name));
    }
    if (!root[name].is_array())
      return FileError(file, fmt::format("\"{}\" is a list: [ … ]", name));
  }
  return root;
}

// `zone 2 "lab"`.
std::string Labelled(std::string_view noun, std::size_t number, const std::string& name) {
  return fmt::format("{} {}{}", noun, number, name.empty() ? "" : fmt::format(" \"{}\"", name));
}

std::string NameIn(const ordered_json& element, const char* key) {
  const auto name = element.is_object() ? element.find(key) : element.end();
  if (!element.is_object() || name == element.end() || !name->is_string()) return "";
  return name->get<std::string>();
}

// Reads the elements of a list, each known by its member `key`, which no two share.
template <typename Message>
absl::Status ReadList(const std::string& file, const ordered_json& list, std::string_view noun,
                      const char* key, bool unique,
                      google::protobuf::RepeatedPtrField<Message>& messages) {
  std::set<std::string> names;
  std::size_t number = 0;
  for (const ordered_json& element : list) {
    const std::string name = NameIn(element, key);
    const std::string label = Labelled(noun, ++number, name);
    const absl::Status status = MessageFromJson(element, *messages.Add());
    if (!status.ok()) {
      return FileError(file, fmt::format("{}: {}", label, std::string(status.message())));
    }
    if (unique && !names.insert(name).second) {
      return FileError(file,
                       fmt::format("{}: another {} has this {}; leave one", label, noun, key));
    }
  }
  return absl::OkStatus();
}

// What only answers have, and rules that are there twice.
absl::Status CheckApp(const std::string& file, const v1::App& app) {
  if (app.needs_device_challenge() || app.lost_references_size() > 0) {
    return FileError(file, fmt::format("app \"{}\": needs_device_challenge and lost_references are "
                                       "for reading only; leave them out",
                                       app.id()));
  }
  std::set<std::string> names;
  for (int i = 0; i < app.rules_size(); ++i) {
    const v1::Rule& rule = app.rules(i);
    const std::string label = fmt::format(
        "app \"{}\": {}", app.id(), Labelled("rule", static_cast<std::size_t>(i) + 1, rule.name()));
    if (rule.is_default()) {
      return FileError(file, label + ": every app has the default rule by itself; leave it out");
    }
    if (!names.insert(rule.name()).second) {
      return FileError(file, label + ": another rule of this app has this name; leave one");
    }
  }
  return absl::OkStatus();
}

void Append(ordered_json& root, const char* member, const google::protobuf::Message& message) {
  root[member].push_back(ordered_json::parse(MessageToJson(message), nullptr, false));
}

// 2 of "apps[2].rules[0]" for "apps["; nothing: there is none.
std::optional<int> IndexAfter(const std::string& path, std::string_view list) {
  const std::size_t begin = path.find(list);
  if (begin == path.npos) return std::nullopt;
  const char* const end = path.data() + path.size();
  int index = 0;
  const auto [stop, error] = std::from_chars(path.data() + begin + list.size(), end, index);
  const bool closed = error == std::errc() && stop != end && *stop == ']' && index >= 0;
  return closed ? std::optional(index) : std::nullopt;
}

}  // namespace

std::string PolicyToJson(const v1::PolicyDocument& document) {
  ordered_json root;
  root["version"] = kPolicyFileVersion;
  root["settings"] = ordered_json::parse(MessageToJson(document.settings()), nullptr, false);
  root["zones"] = ordered_json::array();
  root["apps"] = ordered_json::array();
  for (const v1::Zone& zone : document.zones()) Append(root, "zones", zone);
  for (const v1::App& app : document.apps()) Append(root, "apps", app);
  return PrintableJson(root.dump(2)) + "\n";
}

absl::StatusOr<v1::PolicyDocument> PolicyFromJson(const std::string& file, std::string_view text) {
  DT_ASSIGN_OR_RETURN(const ordered_json root,
                      ReadFileOf(file, text, {"settings", "zones", "apps"}, {"zones", "apps"}));
  v1::PolicyDocument document;
  if (root.contains("settings")) {
    const absl::Status status = MessageFromJson(root["settings"], *document.mutable_settings());
    if (!status.ok()) {
      return FileError(file, fmt::format("settings: {}", std::string(status.message())));
    }
  }
  DT_RETURN_IF_ERROR(
      ReadList(file, root["zones"], "zone", "name", true, *document.mutable_zones()));
  DT_RETURN_IF_ERROR(ReadList(file, root["apps"], "app", "id", true, *document.mutable_apps()));
  for (const v1::App& app : document.apps()) DT_RETURN_IF_ERROR(CheckApp(file, app));
  return document;
}

absl::StatusOr<std::vector<v1::PolicyTestCase>> CasesFromJson(const std::string& file,
                                                              std::string_view text) {
  DT_ASSIGN_OR_RETURN(const ordered_json root, ReadFileOf(file, text, {"cases"}, {"cases"}));
  google::protobuf::RepeatedPtrField<v1::PolicyTestCase> cases;
  DT_RETURN_IF_ERROR(ReadList(file, root["cases"], "case", "name", true, cases));
  return std::vector<v1::PolicyTestCase>(cases.begin(), cases.end());
}

std::string PolicySchema() {
  SchemaBuilder schema("Sign-on policy of a Device Trust org", kPolicyFileVersion);
  schema.Hide({"App.needs_device_challenge", "App.lost_references", "Rule.is_default"});
  schema.Member("settings", *v1::PolicySettings::descriptor(), /*list=*/false, /*required=*/false);
  schema.Member("zones", *v1::Zone::descriptor(), /*list=*/true, /*required=*/true);
  schema.Member("apps", *v1::App::descriptor(), /*list=*/true, /*required=*/true);
  return schema.Take();
}

std::string CasesSchema() {
  SchemaBuilder schema("Sign-ons that a policy is tested with", kPolicyFileVersion);
  schema.Member("cases", *v1::PolicyTestCase::descriptor(), /*list=*/true, /*required=*/true);
  return schema.Take();
}

std::string ProblemText(const std::string& file, const v1::PolicyDocument& document,
                        const v1::PolicyProblem& problem) {
  std::string place = problem.path();
  const auto app = IndexAfter(problem.path(), "apps[");
  const auto zone = IndexAfter(problem.path(), "zones[");
  if (app && *app < document.apps_size()) {
    place = fmt::format("app \"{}\"", document.apps(*app).id());
    const auto rule = IndexAfter(problem.path(), "rules[");
    if (rule && *rule < document.apps(*app).rules_size()) {
      place += ", " + Labelled("rule", static_cast<std::size_t>(*rule) + 1,
                               document.apps(*app).rules(*rule).name());
    }
  } else if (zone && *zone < document.zones_size()) {
    place = Labelled("zone", static_cast<std::size_t>(*zone) + 1, document.zones(*zone).name());
  }
  std::string text = Printable(fmt::format("{}: {}: {}", file, place, problem.message()));
  if (!problem.remedy().empty()) text += "\n  " + Printable(problem.remedy());
  return text;
}

}  // namespace devicetrust::admin
