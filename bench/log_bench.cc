// The System Log on disk: what appending costs, with the chain and all indexes, durable before the
// call returns; and how long a search takes among a million events. DT_LOG_BENCH_EVENTS makes it
// another number. Appends are of two events a sign-in, as the org's outbox delivers them.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdlib>
#include <memory>
#include <vector>

#include "libs/base/random_id.h"
#include "libs/rpc/timestamps.h"
#include "libs/testing/temp_folder.h"
#include "policy-engine/log/system_log.h"
#include "policy-engine/migrations.h"

namespace devicetrust {
namespace {

using org::v1::Event;

SystemRandom log_random;

void AddLogTarget(Event& event, const char* type, const std::string& id, const std::string& name) {
  org::v1::Target& target = *event.add_targets();
  target.set_type(type);
  target.set_id(id);
  target.set_display_name(name);
}

Event SignInEvent(const char* type, const char* message, std::int64_t user, WallTime at) {
  Event event;
  event.set_id(NewRandomId(log_random).value());
  event.set_type(type);
  event.set_display_message(message);
  *event.mutable_at() = rpc::ToTimestamp(at);
  event.mutable_actor()->set_type("User");
  event.mutable_actor()->set_id(fmt::format("user-id-{:012}", user));
  event.mutable_actor()->set_display_name(fmt::format("user{}@corp.test", user));
  event.mutable_client()->set_address("192.0.2.7");
  event.mutable_client()->set_user_agent(
      "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
      " Chrome/120.0.0.0 Safari/537.36");
  event.mutable_client()->set_platform("windows");
  event.mutable_outcome()->set_result(org::v1::EventOutcome::RESULT_ALLOW);
  auto& debug = *event.mutable_debug_data();
  debug["device_id"] = fmt::format("device-{:012}", user);
  debug["serial"] = fmt::format("5b{:030x}", user);
  debug["code"] = "7F3K-9QXD";
  debug["trace_id"] = "0af7651916cd43dd8448eb211c80319c";
  return event;
}

// Of `count` / 2 sign-ins of 20,000 users, one after the other.
std::vector<Event> SignIns(std::int64_t first, std::int64_t count, WallTime at) {
  std::vector<Event> events;
  for (std::int64_t i = first; i < first + count; i += 2) {
    const std::int64_t user = i / 2 % 20'000;
    events.push_back(SignInEvent("user.authentication.authenticate",
                                 "Authentication of device through a certificate", user, at));
    AddLogTarget(events.back(), "Certificate", fmt::format("5b{:030x}", user), "");
    events.push_back(
        SignInEvent("policy.evaluate_sign_on", "Evaluation of a sign-on policy", user, at));
    AddLogTarget(events.back(), "AppInstance", "mail", "Mail");
    AddLogTarget(events.back(), "Rule", "1", "Windows, trusted");
  }
  return events;
}

struct LogStore {
  testing::TempFolder folder;
  std::unique_ptr<db::Database> database =
      db::Database::Open("sqlite:" + folder / "log.db", policy::LogMigrations()).value();
  SystemClock clock;
  policy::SystemLog log{*database, clock};
};

// Items: events. Argument: how many in a call.
void BM_SystemLogAppend(benchmark::State& state) {
  LogStore store;
  std::int64_t next = 0;
  for (auto _ : state) {
    state.PauseTiming();
    const std::vector<Event> events = SignIns(next, state.range(0), store.clock.Now());
    next += state.range(0);
    state.ResumeTiming();
    const auto appended = store.log.Append(policy::TheOrg(), events);
    if (!appended.ok()) return state.SkipWithError(appended.status().ToString().c_str());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_SystemLogAppend)->MeasureProcessCPUTime()->UseRealTime()->Arg(32)->Arg(256)->Arg(1000);

LogStore& Million() {
  static LogStore* const store = [] {
    auto* const made = new LogStore;
    const char* const asked = std::getenv("DT_LOG_BENCH_EVENTS");
    const std::int64_t count = asked == nullptr ? 1'000'000 : std::atoll(asked);
    for (std::int64_t i = 0; i < count; i += 1000) {
      made->log.Append(policy::TheOrg(), SignIns(i, 1000, made->clock.Now())).value();
    }
    const Event rare = SignInEvent("org.settings.change", "Change", 1, made->clock.Now());
    made->log.Append(policy::TheOrg(), {&rare, 1}).value();
    return made;
  }();
  return *store;
}

org::v1::EventFilter FilterNumber(std::int64_t number) {
  org::v1::EventFilter filter;
  switch (number) {
    case 0:
      filter.set_device_id("device-000000000777");
      break;
    case 1:
      filter.set_expression(R"(debugContext.debugData.device_id eq "device-000000000777")");
      break;
    case 2:
      filter.set_expression(
          R"(actor.alternateId eq "user777@corp.test" and eventType eq "policy.evaluate_sign_on")");
      break;
    case 3:
      filter.set_expression(R"(eventType eq "org.settings.change")");
      break;
    default:  // No index helps: one call of a bounded scan.
      filter.set_expression(R"(displayMessage co "nowhere")");
  }
  return filter;
}

// A page of 50. Argument: by device, by device in an expression, by user and type, by a rare type,
// by nothing that an index knows.
void BM_SystemLogSearch(benchmark::State& state) {
  LogStore& store = Million();
  const org::v1::EventFilter filter = FilterNumber(state.range(0));
  std::size_t found = 0;
  for (auto _ : state) {
    const auto page = store.log.Search(filter, 0, 50);
    if (!page.ok()) return state.SkipWithError(page.status().ToString().c_str());
    found = page->events.size();
  }
  state.counters["found"] = static_cast<double>(found);
}
BENCHMARK(BM_SystemLogSearch)->Unit(benchmark::kMillisecond)->DenseRange(0, 4);

}  // namespace
}  // namespace devicetrust
