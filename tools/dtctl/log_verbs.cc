#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <optional>

#include "libs/admin/decision_text.h"
#include "libs/admin/text.h"
#include "libs/admin/times.h"
#include "libs/base/clock.h"
#include "libs/base/printable.h"
#include "libs/base/utc_time.h"
#include "libs/eventlog/event_json.h"
#include "libs/eventlog/event_types.h"
#include "libs/rpc/timestamps.h"
#include "libs/service/command_line.h"
#include "tools/dtctl/log_file_verbs.h"
#include "tools/dtctl/log_options.h"
#include "tools/dtctl/log_schema.h"
#include "tools/dtctl/verbs.h"

namespace devicetrust::ctl {
namespace {

using admin::AdminClient;

constexpr std::chrono::seconds kReconnect{5};

struct LogOptions {
  EventOptions events;
  int limit = 50;
  bool follow = false;
  bool json = false;
  bool schema = false;
};

void PrintEvent(const org::v1::Event& event, bool as_json) {
  std::cout << (as_json ? PrintableJson(eventlog::EventJson(event)) : admin::EventLine(event))
            << "\n";
}

// Until interrupted. An org that restarts is waited for; the sequence sees to the rest.
int Follow(AdminClient& client, const org::v1::EventFilter& filter, std::int64_t sequence,
           bool json) {
  while (std::cout.good()) {
    const absl::Status ended = client.TailEvents(
        filter, sequence,
        [json](const org::v1::Event& event) {
          PrintEvent(event, json);
          return std::cout.flush().good();
        },
        [] { std::cerr << "dtctl: events in between were deleted before they were shown.\n"; });
    if (!std::cout.good()) break;
    if (!ended.ok() && ended.code() != absl::StatusCode::kUnavailable) return Failed(ended);
    std::cerr << "dtctl: the org went away; waiting for it.\n";
    client.WaitForOrg(kReconnect);
  }
  return kFailed;
}

int ShowLog(AdminClient& client, const LogOptions& options) {
  const auto filter = FilterOf(options.events, SystemClock());
  if (!filter.ok()) {
    Failed(filter.status());
    return kUsageError;
  }
  std::optional<WallTime> kept_since;
  auto events = client.SearchEvents(*filter, options.limit + 1, &kept_since);
  if (!events.ok()) return Failed(events.status());
  if (kept_since && filter->has_since() && rpc::FromTimestamp(filter->since()) < *kept_since) {
    std::cerr << fmt::format(
        "dtctl: what arrived before {} is deleted; dt-policy's options "
        "log-retention-days and log-bytes-max say how much is kept.\n",
        FormatUtc(*kept_since));
  }
  if (static_cast<int>(events->size()) > options.limit) {
    events->erase(events->begin());
    std::cerr << fmt::format("dtctl: the newest {}; more with --limit N.\n", options.limit);
  }
  // Follow goes on where the search ended, so that no event falls in between.
  std::int64_t sequence = 0;
  for (const org::v1::Event& event : *events) {
    PrintEvent(event, options.json);
    sequence = std::max(sequence, event.sequence());
  }
  std::cout << std::flush;
  if (!options.follow) {
    if (events->empty()) return Nothing("no event matches");
    return kDone;
  }
  return Follow(client, *filter, sequence, options.json);
}

int Explain(AdminClient& client, const std::string& code, bool json) {
  const auto decision = client.ExplainDecision(code);
  if (!decision.ok()) return Failed(decision.status());
  std::cout << (json ? admin::DecisionJson(*decision) + "\n"
                     : PrintableLines(admin::DecisionText(*decision)));
  return kDone;
}

void AddExplain(CLI::App& app, Action& chosen) {
  struct Options {
    std::string code;
    bool json = false;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* const verb =
      app.add_subcommand("explain", "Why a sign-in was allowed or refused, rule by rule");
  verb->add_option("code", options->code,
                   "The code on the refusal page; case and dashes don't matter")
      ->required();
  verb->add_flag("--json", options->json, "Print the whole trace as JSON");
  verb->footer(
      "Examples:\n"
      "  dtctl explain 7F3K-9QXD\n"
      "  dtctl explain 7f3k9qxd --json | jq .rules\n"
      "  dtctl log --type policy.evaluate_sign_on --since 1h   finds codes");
  verb->callback([options, &chosen] {
    chosen = [options](AdminClient& client) {
      return Explain(client, options->code, options->json);
    };
  });
}

}  // namespace

void AddEventOptions(CLI::App& verb, EventOptions& options) {
  service::MustBeKnown(
      *verb.add_option("--type", options.types,
                       "Only this event type, of docs/system-log.md; may be given again"),
      "TYPE", {eventlog::kEventTypes.begin(), eventlog::kEventTypes.end()});
  verb.add_option("--user", options.user, "Only events by or about this person: principal or id")
      ->type_name("WHO");
  verb.add_option("--device", options.device, "Only events of this device id")->type_name("ID");
  verb.add_option("--filter", options.expression,
                  "Only events that this matches, as SCIM writes filters: docs/system-log.md")
      ->type_name("EXPRESSION");
  verb.add_option("--since", options.since, "From: 90s, 15m, 2h, 7d ago, or 2026-11-24T08:00:00Z")
      ->type_name("TIME");
  verb.add_option("--until", options.until, "Up to, in the same forms")->type_name("TIME");
}

absl::StatusOr<org::v1::EventFilter> FilterOf(const EventOptions& options, const Clock& clock) {
  org::v1::EventFilter filter;
  for (const std::string& type : options.types) filter.add_types(type);
  filter.set_user_id(options.user);
  filter.set_device_id(options.device);
  filter.set_expression(options.expression);
  if (!options.since.empty()) {
    DT_ASSIGN_OR_RETURN(const WallTime since, admin::ParseTime(options.since, clock.Now()));
    *filter.mutable_since() = rpc::ToTimestamp(since);
  }
  if (!options.until.empty()) {
    DT_ASSIGN_OR_RETURN(const WallTime until, admin::ParseTime(options.until, clock.Now()));
    *filter.mutable_until() = rpc::ToTimestamp(until);
  }
  if (filter.has_since() && filter.has_until() &&
      rpc::FromTimestamp(filter.since()) > rpc::FromTimestamp(filter.until())) {
    return absl::InvalidArgumentError(
        fmt::format("--since {} is later than --until {}", options.since, options.until));
  }
  return filter;
}

void AddLogVerbs(CLI::App& app, Action& chosen, LocalAction& local) {
  const auto options = std::make_shared<LogOptions>();
  CLI::App* const verb = app.add_subcommand("log", "Show the System Log, oldest first");
  verb->require_subcommand(0, 1);
  AddEventOptions(*verb, options->events);
  CLI::Option* const limit =
      verb->add_option("--limit", options->limit, "At most so many, the newest");
  limit->capture_default_str();
  service::MustBeNumber(*limit, 1, 100'000);
  verb->add_flag("--follow,-f", options->follow, "Go on with what happens next, until Ctrl-C");
  verb->add_flag("--json", options->json, "One JSON object a line");
  verb->add_flag("--schema", options->schema, "Print the JSON schema of such a line, and no event");
  AddLogFileVerbs(*verb, chosen, local);
  verb->footer(
      "Examples:\n"
      "  dtctl log --since 15m\n"
      "  dtctl log --follow --type pki.cert.issue --type pki.cert.revoke\n"
      "  dtctl log --filter 'eventType eq \"pki.cert.revoke\" and actor.alternateId sw \"ada\"'\n"
      "  dtctl log --user ada@corp.test --json | jq .debugContext.debugData\n"
      "  dtctl log export --format csv > log.csv\n"
      "  dtctl log verify                         was anything changed?");
  verb->callback([options, verb, &chosen, &local] {
    if (!verb->get_subcommands().empty()) return;  // Has chosen for itself.
    if (options->schema) {
      local = [] {
        std::cout << kSystemLogSchema;
        return kDone;
      };
      return;
    }
    chosen = [options](AdminClient& client) { return ShowLog(client, *options); };
  });
  AddExplain(app, chosen);
}

}  // namespace devicetrust::ctl
