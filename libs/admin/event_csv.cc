#include "libs/admin/event_csv.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "libs/base/printable.h"
#include "libs/eventlog/event_json.h"

namespace devicetrust::admin {
namespace {

namespace v1 = ::devicetrust::org::v1;

std::string EventCsvCell(std::string_view text) {
  constexpr std::string_view kFormulaBegins = "=+-@\t\r\n";
  std::string cell(text);
  if (!cell.empty() && kFormulaBegins.find(cell.front()) != std::string_view::npos) {
    cell.insert(cell.begin(), '\'');
  }
  cell = Printable(cell);
  if (cell.find_first_of(",\"") == std::string::npos) return cell;
  std::string quoted = "\"";
  for (const char c : cell) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

std::string EventCsvCells(const std::vector<std::string>& cells) {
  std::string line;
  for (const std::string& cell : cells) line += (line.empty() ? "" : ",") + EventCsvCell(cell);
  return line + "\r\n";
}

// "User u1 (ada@corp.test)".
std::string TargetText(const v1::Target& target) {
  std::string text = target.type() + " " + target.id();
  if (!target.display_name().empty()) text += " (" + target.display_name() + ")";
  return text;
}

}  // namespace

std::string EventCsvHeader() {
  return EventCsvCells({"published",   "eventType", "displayMessage", "result",    "reason",
                        "actorType",   "actorId",   "actorName",      "ipAddress", "zone",
                        "browser",     "os",        "device",         "platform",  "targets",
                        "transaction", "debugData", "writer",         "uuid",      "sequence"});
}

std::string EventCsvLine(const v1::Event& event) {
  std::vector<std::string> targets;
  for (const v1::Target& target : event.targets()) targets.push_back(TargetText(target));
  std::vector<std::string> debug_data;
  for (const auto& [key, value] : event.debug_data()) debug_data.push_back(key + "=" + value);
  std::ranges::sort(debug_data);
  const v1::ClientContext& client = event.client();
  return EventCsvCells({eventlog::EventTime(event.at()),
                        event.type(),
                        event.display_message(),
                        eventlog::ResultName(event.outcome().result()),
                        event.outcome().reason(),
                        event.actor().type(),
                        event.actor().id(),
                        event.actor().display_name(),
                        client.address(),
                        fmt::format("{}", fmt::join(client.zones(), "; ")),
                        client.browser(),
                        client.os(),
                        client.device(),
                        client.platform(),
                        fmt::format("{}", fmt::join(targets, "; ")),
                        event.transaction().id(),
                        fmt::format("{}", fmt::join(debug_data, "; ")),
                        event.writer(),
                        event.id(),
                        std::to_string(event.sequence())});
}

}  // namespace devicetrust::admin
