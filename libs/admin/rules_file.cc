#include "libs/admin/rules_file.h"

#include <vector>

#include "libs/admin/contract_json.h"

namespace devicetrust::admin {

namespace v1 = ::devicetrust::org::v1;

std::string RulesToJson(const v1::App& app) {
  std::vector<const google::protobuf::Message*> rules;
  for (const v1::Rule& rule : app.rules()) {
    if (!rule.is_default()) rules.push_back(&rule);
  }
  return MessagesToJson(rules);
}

absl::StatusOr<v1::SetRulesRequest> RulesFromJson(const std::string& file, std::string_view text) {
  v1::SetRulesRequest request;
  DT_RETURN_IF_ERROR(MessagesFromJson(
      file, text, "rule",
      [&request]() -> google::protobuf::Message& { return *request.add_rules(); }));
  return request;
}

std::string ZonesToJson(const v1::GetZonesResponse& zones) {
  std::vector<const google::protobuf::Message*> list;
  for (const v1::Zone& zone : zones.zones()) list.push_back(&zone);
  return MessagesToJson(list);
}

absl::StatusOr<v1::SetZonesRequest> ZonesFromJson(const std::string& file, std::string_view text) {
  v1::SetZonesRequest request;
  DT_RETURN_IF_ERROR(MessagesFromJson(
      file, text, "zone",
      [&request]() -> google::protobuf::Message& { return *request.add_zones(); }));
  return request;
}

}  // namespace devicetrust::admin
