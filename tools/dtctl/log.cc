#include <fmt/format.h>

#include <iostream>

#include "libs/rpc/timestamps.h"
#include "tools/dtctl/text.h"
#include "tools/dtctl/times.h"
#include "tools/dtctl/verbs.h"

namespace devicetrust::ctl {
namespace {

constexpr int kReconnectSeconds = 5;

absl::StatusOr<org::v1::EventFilter> FilterOf(const LogOptions& options, const Clock& clock) {
  org::v1::EventFilter filter;
  for (const std::string& type : options.types) filter.add_types(type);
  filter.set_user_id(options.user);
  filter.set_device_id(options.device);
  if (!options.since.empty()) {
    DT_ASSIGN_OR_RETURN(const WallTime since, ParseTime(options.since, clock.Now()));
    *filter.mutable_since() = rpc::ToTimestamp(since);
  }
  if (!options.until.empty()) {
    DT_ASSIGN_OR_RETURN(const WallTime until, ParseTime(options.until, clock.Now()));
    *filter.mutable_until() = rpc::ToTimestamp(until);
  }
  if (filter.has_since() && filter.has_until() &&
      rpc::FromTimestamp(filter.since()) > rpc::FromTimestamp(filter.until())) {
    return absl::InvalidArgumentError(
        fmt::format("--since {} is later than --until {}", options.since, options.until));
  }
  return filter;
}

void Print(const org::v1::Event& event, bool as_json) {
  std::cout << (as_json ? ToJson(event) : EventLine(event)) << "\n";
}

}  // namespace

int ShowLog(AdminClient& client, const LogOptions& options, const Clock& clock) {
  const auto filter = FilterOf(options, clock);
  if (!filter.ok()) {
    Failed(filter.status());
    return 2;
  }
  auto events = client.Search(*filter, options.limit + 1);
  if (!events.ok()) return Failed(events.status());
  if (static_cast<int>(events->size()) > options.limit) {
    events->erase(events->begin());
    std::cerr << fmt::format("dtctl: the newest {}; more with --limit N.\n", options.limit);
  }
  // Follow goes on where the search ended, so that no event falls in between.
  std::int64_t sequence = 0;
  for (const org::v1::Event& event : *events) {
    Print(event, options.json);
    sequence = std::max(sequence, event.sequence());
  }
  std::cout << std::flush;
  if (!options.follow) {
    if (events->empty()) std::cerr << "dtctl: no event matches.\n";
    return EXIT_SUCCESS;
  }

  // Until interrupted. An org that restarts is waited for; the sequence sees to the rest.
  while (std::cout.good()) {
    const absl::Status ended =
        client.Tail(*filter, sequence, [&options](const org::v1::Event& event) {
          Print(event, options.json);
          return std::cout.flush().good();
        });
    if (!std::cout.good()) break;
    if (!ended.ok() && ended.code() != absl::StatusCode::kUnavailable) return Failed(ended);
    std::cerr << "dtctl: the org went away; waiting for it.\n";
    client.WaitForOrg(kReconnectSeconds);
  }
  return EXIT_FAILURE;
}

}  // namespace devicetrust::ctl
