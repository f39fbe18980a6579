#include "simulator/handshake/load_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "simulator/report/format.h"

namespace devicetrust::simulator {
namespace {

using Json = nlohmann::ordered_json;

// Three decimals are microseconds; more would be noise.
double Rounded(double value) { return std::round(value * 1000) / 1000; }

double Milliseconds(std::chrono::microseconds value) {
  return Rounded(static_cast<double>(value.count()) / 1000);
}

double PerSecond(const LoadResult& result) {
  return result.seconds > 0 ? static_cast<double>(result.done) / result.seconds : 0;
}

double Microseconds(double seconds, const LoadResult& result) {
  return result.done > 0 ? seconds * 1e6 / static_cast<double>(result.done) : 0;
}

Json HistogramJson(const Histogram& histogram) {
  return Json{{"mean_ms", Milliseconds(histogram.Mean())},
              {"p50_ms", Milliseconds(histogram.Percentile(50))},
              {"p90_ms", Milliseconds(histogram.Percentile(90))},
              {"p99_ms", Milliseconds(histogram.Percentile(99))},
              {"p999_ms", Milliseconds(histogram.Percentile(99.9))},
              {"max_ms", Milliseconds(histogram.max())}};
}

std::string HistogramLine(const char* name, const Histogram& histogram) {
  return fmt::format("  {:<10} p50 {}  p90 {}  p99 {}  p99.9 {}  max {}\n", name,
                     Latency(histogram.Percentile(50)), Latency(histogram.Percentile(90)),
                     Latency(histogram.Percentile(99)), Latency(histogram.Percentile(99.9)),
                     Latency(histogram.max()));
}

std::string Mode(const LoadPlan& plan) {
  if (plan.per_second > 0) {
    return fmt::format("open, {} {}", Rate(static_cast<double>(plan.per_second)),
                       plan.poisson ? "at random" : "evenly spaced");
  }
  return fmt::format("closed, {} at once", Thousands(static_cast<std::uint64_t>(plan.concurrency)));
}

std::string Counts(const std::map<std::string, std::uint64_t>& counts) {
  std::string text;
  for (const auto& [name, count] : counts) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", Thousands(count), name);
  }
  return text;
}

}  // namespace

std::string LoadSummary(const LoadPlan& plan, const LoadResult& result,
                        const std::vector<std::string>& limits) {
  const std::size_t certificates =
      plan.certificates.current.size() +
      (plan.revoked_percent > 0 ? plan.certificates.revoked.size() : 0);
  std::string text = fmt::format("{} port {}: {}; {}; {}\n", plan.address, plan.port, Mode(plan),
                                 Plural(certificates, "certificate"),
                                 Plural(static_cast<std::uint64_t>(plan.threads), "thread"));
  text += fmt::format("{} in {:.1f} s, {}", Plural(result.done, "connection"), result.seconds,
                      Rate(PerSecond(result)));
  if (plan.resume_percent > 0) text += fmt::format("; {} resumed", Thousands(result.resumed));
  if (plan.revoked_percent > 0) {
    text += fmt::format("; {} revoked and refused", Thousands(result.revoked));
  }
  text += "\n";
  if (!result.outcomes.empty()) text += fmt::format("  outcomes   {}\n", Counts(result.outcomes));
  if (!result.agreed.empty()) text += fmt::format("  agreed     {}\n", Counts(result.agreed));
  text += HistogramLine("handshake", result.handshake);
  text += HistogramLine("whole", result.latency);
  text += plan.per_second > 0
              ? "  from when each was to begin; whole: until the server closed\n"
              : "  from when each began, so of this many at once and no arrival rate\n";
  if (plan.tls.trusted.empty()) text += "  the server's certificate was not checked (--ca)\n";
  text += fmt::format("  CPU        generator {:.0f} us per connection",
                      Microseconds(result.client_cpu_seconds, result));
  if (result.server) {
    text += fmt::format(", {} {:.0f} us", result.server->name,
                        Microseconds(result.server_cpu_seconds, result));
  }
  text += "\n";
  for (const std::string& limit : limits) text += "NOTE: " + limit + "\n";
  if (!result.failures.empty()) {
    text += fmt::format("FAILED: {}\n", Plural(result.failures.count(), "connection"));
    for (const std::string& line : result.failures.Lines()) text += "  " + line + "\n";
  }
  return text;
}

std::string LoadJson(const LoadPlan& plan, const LoadResult& result,
                     const std::vector<std::string>& limits) {
  const bool open = plan.per_second > 0;
  const std::vector<std::string> failures = result.failures.Lines();
  Json json{{"target", fmt::format("{}:{}", plan.address, plan.port)},
            {"mode", open ? "open" : "closed"},
            {open ? "rate" : "concurrency",
             open ? plan.per_second : static_cast<std::uint64_t>(plan.concurrency)},
            {"threads", plan.threads},
            {"certificates", plan.certificates.current.size()},
            {"seconds", Rounded(result.seconds)},
            {"begun", result.begun},
            {"done", result.done},
            {"errors", result.failures.count()},
            {"first_error", failures.empty() ? "" : failures.front()},
            {"failures", failures},
            {"per_second", Rounded(PerSecond(result))},
            {"resumed", result.resumed},
            {"revoked", result.revoked},
            {"outcomes", result.outcomes},
            {"agreed", result.agreed},
            {"latency", HistogramJson(result.latency)},
            {"handshake", HistogramJson(result.handshake)},
            {"late", HistogramJson(result.late)},
            {"client",
             {{"cpu_seconds", Rounded(result.client_cpu_seconds)},
              {"cpu_us", Rounded(Microseconds(result.client_cpu_seconds, result))}}}};
  if (result.server) {
    json["server"] = {{"name", result.server->name},
                      {"pids", result.server->pids},
                      {"cpu_seconds", Rounded(result.server_cpu_seconds)},
                      {"cpu_us", Rounded(Microseconds(result.server_cpu_seconds, result))}};
  }
  json["limited_by"] = limits;
  if (result.interrupted_by != 0) json["interrupted_by"] = result.interrupted_by;
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace devicetrust::simulator
