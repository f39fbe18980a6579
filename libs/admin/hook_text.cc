#include "libs/admin/hook_text.h"

#include <fmt/format.h>

#include "libs/admin/text.h"
#include "libs/admin/times.h"
#include "libs/base/printable.h"

namespace devicetrust::admin {
namespace {

namespace v1 = ::devicetrust::org::v1;

std::string HookState(const v1::EventHook& hook) {
  if (!hook.enabled()) return "paused";
  if (hook.tries() > 0) return fmt::format("tried {} times", hook.tries());
  return hook.has_delivered_at() ? "delivers" : "nothing yet";
}

}  // namespace

std::string HooksTable(const v1::ListHooksResponse& hooks) {
  std::vector<std::vector<std::string>> rows;
  for (const v1::EventHook& hook : hooks.hooks()) {
    rows.push_back({hook.name(), HookState(hook), FormatTime(hook.delivered_at()),
                    std::to_string(hook.dead_letters()), hook.url()});
  }
  return TableText({"NAME", "STATE", "LAST DELIVERY", "DEAD LETTERS", "URL"}, rows);
}

std::string HookText(const v1::EventHook& hook) {
  std::string out = Printable(hook.name()) + "\n";
  const auto fact = [&out](std::string_view name, const std::string& value) {
    out += fmt::format("  {:<15}{}\n", name, value.empty() ? "-" : Printable(value));
  };
  fact("state", HookState(hook));
  fact("url", hook.url());
  fact("filter", hook.expression().empty() ? "all events" : hook.expression());
  fact("added", FormatTime(hook.created_at()) + " by " + hook.created_by());
  fact("last delivery", hook.has_delivered_at() ? FormatTime(hook.delivered_at()) : "");
  fact("last error", hook.last_error().empty()
                         ? ""
                         : hook.last_error() + " (" + FormatTime(hook.last_error_at()) + ")");
  fact("dead letters", std::to_string(hook.dead_letters()));
  for (const v1::HookKey& key : hook.keys()) {
    fact("key", key.id() + (key.has_expires_at() ? ", until " + FormatTime(key.expires_at()) : ""));
  }
  return out;
}

std::string DeadLettersTable(const v1::ListDeadLettersResponse& letters) {
  std::vector<std::vector<std::string>> rows;
  for (const v1::DeadLetter& letter : letters.dead_letters()) {
    rows.push_back({std::to_string(letter.id()), FormatTime(letter.died_at()),
                    std::to_string(letter.events()), letter.resending() ? "being sent" : "given up",
                    letter.error()});
  }
  return TableText({"ID", "SINCE", "EVENTS", "STATE", "ERROR"}, rows);
}

}  // namespace devicetrust::admin
