#include "simulator/scenario/file/scenario_apps.h"

#include <cctype>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "libs/admin/contract_json.h"
#include "libs/admin/policy_file.h"
#include "libs/base/files.h"

namespace devicetrust::simulator {
namespace {

using Json = nlohmann::ordered_json;

void AddApp(const std::string& id, const std::vector<org::v1::Rule>& rules, ScenarioSpec& spec) {
  org::v1::App& app = spec.apps.emplace_back();
  app.set_id(id);
  std::string label = id;
  label[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(label[0])));
  app.set_label(label);
  for (const org::v1::Rule& rule : rules) *app.add_rules() = rule;
  app.set_has_client_conditions(
      std::ranges::any_of(rules, [](const auto& rule) { return rule.clients_size() > 0; }));
  app.mutable_saml()->set_entity_id("urn:example:" + id);
  org::v1::AssertionConsumerService& acs = *app.mutable_saml()->add_acs();
  acs.set_url(fmt::format("https://{}.apps.example.com/acs", id));
  acs.set_is_default(true);
  app.mutable_saml()->set_wants_assertions_signed(true);
}

absl::Status ReadPolicy(const std::string& file_name, const YamlNode& node, ScenarioSpec& spec) {
  std::string name = file_name;
  std::string text;
  if (node.kind == YamlNode::Kind::kText) {
    const std::filesystem::path path = std::filesystem::path(file_name).parent_path() / node.text;
    absl::StatusOr<std::string> read = ReadFile(path.string());
    if (!read.ok()) {
      return ErrorAt(file_name, node.place, std::string(read.status().message()),
                     "Name a file that dtctl policy export wrote, as seen from this one.");
    }
    name = path.string();
    text = *std::move(read);
  } else {
    text = YamlToJson(node);
  }
  const absl::StatusOr<org::v1::PolicyDocument> document = admin::PolicyFromJson(name, text);
  if (!document.ok()) {
    return ErrorAt(file_name, node.place, std::string(document.status().message()), "");
  }
  if (document->apps().empty()) {
    return ErrorAt(file_name, node.place, "this policy has no app", "Nobody could open anything.");
  }
  for (const org::v1::App& app : document->apps()) {
    if (!app.has_saml() || app.saml().acs().empty()) {
      return ErrorAt(file_name, node.place,
                     fmt::format("the app {} has no address that SAML answers go to", app.id()),
                     "Scenarios open apps that speak SAML; leave others out.");
    }
    spec.apps.push_back(app);
  }
  spec.zones.assign(document->zones().begin(), document->zones().end());
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadRules(const std::string& file_name, const YamlNode& node,
                       std::vector<org::v1::Rule>& rules) {
  if (node.kind != YamlNode::Kind::kList || node.items.empty()) {
    return ErrorAt(file_name, node.place, "rules is a list", "As dtctl rules get APP writes it.");
  }
  for (const YamlNode& item : node.items) {
    const absl::Status read =
        admin::MessageFromJson(Json::parse(YamlToJson(item)), rules.emplace_back());
    if (read.ok()) continue;
    return ErrorAt(file_name, item.place,
                   fmt::format("rule {}: {}", rules.size(), std::string(read.message())), "");
  }
  return absl::OkStatus();
}

absl::Status ReadApps(const std::string& file_name, const Section& file, ScenarioSpec& spec) {
  const YamlNode* const policy = file.Find("policy");
  const YamlNode* const apps = file.Find("apps");
  const YamlNode* const rules = file.Find("rules");
  if (policy != nullptr) {
    if (apps == nullptr && rules == nullptr) return ReadPolicy(file_name, *policy, spec);
    return ErrorAt(file_name, (apps != nullptr ? apps : rules)->place,
                   "a policy has its own apps and rules", "Keep either policy, or apps and rules.");
  }
  if (apps == nullptr || rules == nullptr) {
    return ErrorAt(file_name, file.place(), "there are no apps with rules",
                   "Write apps: [mail] and rules: […], or policy: FILE.");
  }
  std::vector<org::v1::Rule> list;
  DT_RETURN_IF_ERROR(ReadRules(file_name, *rules, list));
  if (apps->kind != YamlNode::Kind::kList || apps->items.empty() || apps->items.size() > 50) {
    return ErrorAt(file_name, apps->place, "apps is a list of 1 to 50 names", "apps: [mail, wiki]");
  }
  std::set<std::string> seen;
  for (const YamlNode& node : apps->items) {
    const auto letter = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    };
    const bool good = !node.text.empty() && node.text.size() <= 40 && node.text[0] != '-' &&
                      std::ranges::all_of(node.text, letter);
    if (!good || !seen.insert(node.text).second) {
      return ErrorAt(file_name, node.place,
                     good ? fmt::format("the app {} is there twice", node.text)
                          : fmt::format("\"{}\" is no name of an app", node.text),
                     "Write 1 to 40 lower-case letters, digits and dashes.");
    }
    AddApp(node.text, list, spec);
  }
  return absl::OkStatus();
}

}  // namespace devicetrust::simulator
