#include "simulator/report/html_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>

#include "simulator/report/html_chart.h"
#include "simulator/report/report_style.h"

namespace devicetrust::simulator {
namespace {

constexpr std::size_t kChartsMax = 12;  // Of operations over time: the busiest.
constexpr std::size_t kRowsMax = 200;

std::string Trimmed(std::string text) {
  const std::size_t begin = text.find_first_not_of(' ');
  const std::size_t end = text.find_last_not_of(' ');
  return begin == std::string::npos ? std::string() : text.substr(begin, end - begin + 1);
}

std::string Took(std::chrono::microseconds time) { return Trimmed(Latency(time)); }

std::string TookOf(double microseconds) {
  if (microseconds < 1000) return fmt::format("{:.0f} µs", microseconds);
  if (microseconds < 1e6) return fmt::format("{:.0f} ms", microseconds / 1000);
  return fmt::format("{:.0f} s", microseconds / 1e6);
}

std::string Section(std::string_view title, const std::string& content) {
  if (content.empty()) return {};
  return fmt::format("<section><h2>{}</h2>{}</section>", HtmlText(title), content);
}

std::string Cell(const std::string& text) { return "<td>" + HtmlText(text) + "</td>"; }

std::string Tile(const std::string& figure, std::string_view what) {
  return fmt::format("<li><b>{}</b><span>{}</span></li>", HtmlText(figure), HtmlText(what));
}

std::string Head(const RunResult& result) {
  const std::string title = result.scenario.empty() ? "A run of dt-sim" : result.scenario;
  const std::string verdict = VerdictWord(result);
  std::vector<std::string> facts;
  if (!result.started_at.empty()) facts.push_back(result.started_at);
  if (result.resources.wall_seconds > 0) {
    facts.push_back(fmt::format("{:.1f} s", result.resources.wall_seconds));
  }
  facts.push_back(Plural(result.devices, "device"));
  facts.push_back(fmt::format("seed {}", result.seed));
  if (result.cores > 0) facts.push_back(Plural(result.cores, "core"));
  facts.push_back("dt-sim " + result.version);
  std::string line;
  for (const std::string& fact : facts) line += (line.empty() ? "" : " · ") + fact;
  return fmt::format(
      R"(<header><h1><span class="verdict {0}">{0}</span>{1}</h1><p class="soft">{2}</p></header>)",
      verdict, HtmlText(title), HtmlText(line));
}

std::string Bad(const RunResult& result) {
  std::string items;
  if (!result.failure.empty()) items += "<li>" + HtmlText(result.failure, 2000) + "</li>";
  if (!result.fell_behind.empty()) items += "<li>" + HtmlText(result.fell_behind) + "</li>";
  for (std::size_t i = 0; i < std::min(kRowsMax, result.violations.size()); ++i) {
    items += "<li>" + HtmlText(result.violations[i], 1000) + "</li>";
  }
  return items.empty() ? "" : R"(<div class="bad"><ul>)" + items + "</ul></div>";
}

std::string Tiles(const RunResult& result) {
  std::string tiles;
  std::uint64_t errors = 0;
  for (const OperationRecord& operation : result.recording.operations) {
    errors += operation.errors;
    tiles += Tile(
        Thousands(operation.response.count()),
        fmt::format("{}, 99 % within {}", operation.name, Took(operation.response.Percentile(99))));
    if (tiles.size() > 2000) break;
  }
  tiles += Tile(Thousands(errors), errors == 1 ? "error" : "errors");
  if (!result.resources.processes.empty()) {
    tiles += Tile(Mebibytes(result.resources.PssBytes()),
                  fmt::format("of memory, {:.0f} s of CPU", result.resources.CpuSeconds()));
  }
  return R"(<ul class="tiles">)" + tiles + "</ul>";
}

std::string Told(const RunResult& result) {
  std::string html;
  for (const std::string& line : result.story) html += "<p>" + HtmlText(line, 1000) + "</p>";
  return html;
}

std::string Thresholds(const Recording& recording) {
  std::string rows;
  for (const ThresholdRecord& threshold : recording.thresholds) {
    rows +=
        fmt::format(R"(<tr><td>{}</td>{}<td class="{}">{}</td></tr>)", HtmlText(threshold.text),
                    Cell(threshold.measured.empty() ? "nothing was measured" : threshold.measured),
                    threshold.holds ? "holds" : "fails", threshold.holds ? "✓ holds" : "✗ fails");
  }
  if (rows.empty()) return {};
  return R"(<div class="scroll"><table><tr><th>Threshold</th><th>Measured</th><th></th></tr>)" +
         rows + "</table></div>";
}

std::vector<ChartBand> Bands(const Recording& recording) {
  std::vector<ChartBand> bands;
  for (const FaultRecord& fault : recording.faults) {
    bands.push_back(
        {fault.name, fault.begin_seconds, fault.end_seconds.value_or(recording.seconds)});
  }
  return bands;
}

Chart OverTime(const Recording& recording, std::string title) {
  Chart chart;
  chart.title = std::move(title);
  chart.bands = Bands(recording);
  chart.x_max = std::max(recording.seconds, recording.slot_seconds);
  chart.x_ticks = TimeTicks(chart.x_max);
  return chart;
}

std::string At(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds);
  return seconds < 60 ? fmt::format("{:.3g} s", seconds)
                      : fmt::format("{}:{:02} min", whole / 60, whole % 60);
}

Chart LatencyChart(const Recording& recording, const OperationRecord& operation) {
  Chart chart = OverTime(recording, operation.name);
  chart.note = "response time of those that ended in a moment";
  chart.logarithmic = true;
  chart.y_text = TookOf;
  chart.lines = {
      {"median", {}, false, false}, {"90 %", {}, false, false}, {"99 %", {}, false, false}};
  for (std::size_t i = 0; i < operation.slots.size(); ++i) {
    const OperationSlot& slot = operation.slots[i];
    if (slot.done == 0 && slot.errors == 0) continue;
    const double begin = static_cast<double>(i) * recording.slot_seconds;
    const double middle = begin + recording.slot_seconds / 2;
    const std::array<double, 3> percents = {50, 90, 99};
    std::array<std::string, 3> words;
    for (std::size_t p = 0; p < percents.size(); ++p) {
      const auto value = slot.response.Percentile(percents[p]);
      words[p] = Took(value);
      if (slot.done > 0) {
        chart.lines[p].points.emplace_back(middle,
                                           std::max<double>(1, static_cast<double>(value.count())));
      }
    }
    chart.hints.push_back({begin, recording.slot_seconds,
                           fmt::format("{}: {} ended, {}; median {}, 90 % {}, 99 % {}", At(begin),
                                       Thousands(slot.done), Plural(slot.errors, "error"), words[0],
                                       words[1], words[2])});
  }
  return chart;
}

std::vector<const OperationRecord*> Busiest(const Recording& recording) {
  std::vector<const OperationRecord*> all;
  for (const OperationRecord& operation : recording.operations) all.push_back(&operation);
  if (all.size() <= kChartsMax) return all;
  std::ranges::stable_sort(all, std::ranges::greater(),
                           [](const OperationRecord* each) { return each->response.count(); });
  all.resize(kChartsMax);
  return all;
}

std::string Latencies(const Recording& recording) {
  std::string html;
  for (const OperationRecord* const operation : Busiest(recording)) {
    html += ChartHtml(LatencyChart(recording, *operation));
  }
  return html;
}

std::string Throughput(const Recording& recording) {
  Chart chart = OverTime(recording, "Per second");
  chart.y_text = [](double value) { return Rate(value); };
  for (const OperationRecord* const operation : Busiest(recording)) {
    ChartLine& line = chart.lines.emplace_back(ChartLine{operation->name, {}, false, false});
    ChartLine errors{operation->name + ", errors", {}, true, false};
    bool before = false;
    for (std::size_t i = 0; i < operation->slots.size(); ++i) {
      const OperationSlot& slot = operation->slots[i];
      const double middle = (static_cast<double>(i) + 0.5) * recording.slot_seconds;
      before = before || slot.done > 0 || slot.errors > 0;
      if (!before) continue;
      line.points.emplace_back(middle, static_cast<double>(slot.done) / recording.slot_seconds);
      errors.points.emplace_back(middle, static_cast<double>(slot.errors) / recording.slot_seconds);
    }
    if (operation->errors > 0) chart.lines.push_back(std::move(errors));
  }
  return ChartHtml(chart);
}

// So that each nine has the same room.
double NinesOf(double percent) { return -std::log10(1 - percent / 100); }

std::string PercentileCurves(const Recording& recording) {
  Chart chart;
  chart.title = "So many were at least so fast";
  chart.note = "each further nine has the same room";
  chart.logarithmic = true;
  chart.y_text = TookOf;
  chart.x_max = 1;
  for (const OperationRecord* const operation : Busiest(recording)) {
    const auto curve = [&](const Histogram& histogram, const std::string& name, bool dashed) {
      ChartLine line{name, {}, dashed, false};
      const double last = std::min(5.0, std::log10(static_cast<double>(histogram.count()) + 1));
      for (double nines = 0; nines <= last; nines += 0.05) {
        const double percent = 100 * (1 - std::pow(10, -nines));
        const auto value = static_cast<double>(histogram.Percentile(percent).count());
        line.points.emplace_back(nines, std::max(1.0, value));
      }
      chart.x_max = std::max(chart.x_max, last);
      if (histogram.count() > 0) chart.lines.push_back(std::move(line));
    };
    const Histogram& response = operation->response;
    const Histogram& service = operation->service;
    curve(response, operation->name, false);
    if (service.sum() != response.sum()) curve(service, operation->name + ", service time", true);
  }
  for (const double percent : {0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999}) {
    const double place = NinesOf(percent);
    if (place <= chart.x_max) chart.x_ticks.emplace_back(place, fmt::format("{} %", percent));
  }
  return ChartHtml(chart);
}

std::string HistogramRow(const std::string& name, const Histogram& latency, std::uint64_t errors) {
  std::string row = "<tr>" + Cell(name) + Cell(Thousands(latency.count())) +
                    Cell(errors == 0 ? "" : Thousands(errors));
  for (const double percent : {50.0, 90.0, 99.0, 99.9}) {
    row += Cell(latency.count() == 0 ? "" : Took(latency.Percentile(percent)));
  }
  return row + Cell(latency.count() == 0 ? "" : Took(latency.max())) + "</tr>";
}

std::string LatencyTable(const RunResult& result) {
  std::string rows;
  for (const OperationRecord& operation : result.recording.operations) {
    rows += HistogramRow(operation.name, operation.response, operation.errors);
    if (operation.service.sum() != operation.response.sum()) {
      rows += HistogramRow(operation.name + ", service time", operation.service, 0);
    }
  }
  for (std::size_t i = 0; i < std::min(kRowsMax, result.steps.size()); ++i) {
    rows += HistogramRow(result.steps[i].first, result.steps[i].second, 0);
  }
  if (rows.empty()) return {};
  return R"(<div class="scroll"><table><tr><th></th><th>count</th><th>errors</th>)"
         R"(<th>median</th><th>90 %</th><th>99 %</th><th>99.9 %</th><th>longest</th></tr>)" +
         rows + "</table></div>";
}

std::string Decisions(const RunResult& result) {
  std::uint64_t most = 1;
  for (const RuleCount& rule : result.decisions) most = std::max(most, rule.count);
  std::string rows;
  for (std::size_t i = 0; i < std::min(kRowsMax, result.decisions.size()); ++i) {
    const RuleCount& rule = result.decisions[i];
    rows += fmt::format(
        R"(<tr><td>{}. {}{}</td><td class="text">{}</td>{}<td class="wide">{}</td></tr>)", i + 1,
        HtmlText(rule.rule),
        rule.remark.empty() ? "" : R"(<br><span class="soft">)" + HtmlText(rule.remark) + "</span>",
        HtmlText(rule.outcome), Cell(rule.count == 0 ? "–" : Thousands(rule.count)),
        rule.count == 0
            ? ""
            : fmt::format(R"(<span class="bar{}" style="width:{:.1f}%"></span>)",
                          rule.outcome == "denied" ? " denied" : "",
                          100.0 * static_cast<double>(rule.count) / static_cast<double>(most)));
  }
  std::string html;
  if (!rows.empty()) {
    html = R"(<div class="scroll"><table><tr><th>Rule</th><th class="text">Outcome</th>)"
           R"(<th>Decisions</th><th></th></tr>)" +
           rows + "</table></div>";
  }
  const Recording& recording = result.recording;
  Chart chart = OverTime(recording, "Decisions per second");
  chart.y_text = [](double value) { return Rate(value); };
  for (const RuleRecord& rule : recording.rules) {
    ChartLine& line = chart.lines.emplace_back();
    line.name = fmt::format("{}: {}", rule.rule, rule.outcome);
    for (std::size_t i = 0; i < rule.slots.size(); ++i) {
      line.points.emplace_back((static_cast<double>(i) + 0.5) * recording.slot_seconds,
                               static_cast<double>(rule.slots[i]) / recording.slot_seconds);
    }
  }
  return html + ChartHtml(chart);
}

std::string Fleet(const Recording& recording) {
  Chart chart = OverTime(recording, "How many");
  chart.y_text = [](double value) {
    return Thousands(static_cast<std::uint64_t>(std::llround(value)));
  };
  for (const GaugeRecord& gauge : recording.gauges) {
    ChartLine& line = chart.lines.emplace_back(ChartLine{gauge.name, {}, false, false});
    for (std::size_t i = 0; i < gauge.slots.size(); ++i) {
      if (!gauge.slots[i].has_value()) continue;
      const double at = (static_cast<double>(i) + 0.5) * recording.slot_seconds;
      // Between two values it was the first.
      if (!line.points.empty()) line.points.emplace_back(at, line.points.back().second);
      line.points.emplace_back(at, *gauge.slots[i]);
    }
    if (!line.points.empty()) line.points.emplace_back(chart.x_max, line.points.back().second);
  }
  return ChartHtml(chart);
}

std::string Faults(const Recording& recording) {
  std::string rows;
  for (const FaultRecord& fault : recording.faults) {
    const bool once = fault.end_seconds == fault.begin_seconds;
    rows += "<tr>" + Cell(fault.name) + Cell(At(fault.begin_seconds)) +
            Cell(once                            ? "done once"
                 : fault.end_seconds.has_value() ? At(*fault.end_seconds - fault.begin_seconds)
                                                 : "to the end") +
            "</tr>";
  }
  if (rows.empty()) return {};
  return "<table><tr><th>What</th><th>at</th><th>lasted</th></tr>" + rows + "</table>";
}

std::string Cost(const RunResult& result) {
  const Recording& recording = result.recording;
  Chart cpu = OverTime(recording, "CPU");
  cpu.note = "cores in use";
  cpu.y_text = [](double value) { return fmt::format("{:.3g}", value); };
  Chart memory = OverTime(recording, "Memory");
  memory.note = "proportional set size";
  memory.y_text = [](double value) { return Mebibytes(static_cast<std::uint64_t>(value)); };
  for (const ProcessRecord& process : recording.processes) {
    ChartLine& used = cpu.lines.emplace_back(ChartLine{process.name, {}, false, false});
    ChartLine& held = memory.lines.emplace_back(ChartLine{process.name, {}, false, false});
    std::optional<std::size_t> before;
    for (std::size_t i = 0; i < process.slots.size(); ++i) {
      if (!process.slots[i].has_value()) continue;
      const double at = static_cast<double>(i) * recording.slot_seconds;
      held.points.emplace_back(at, static_cast<double>(process.slots[i]->pss_bytes));
      if (before.has_value()) {
        const double length = static_cast<double>(i - *before) * recording.slot_seconds;
        used.points.emplace_back(at, process.slots[i]->cpu_seconds / length);
      }
      before = i;
    }
  }
  std::string rows;
  for (std::size_t i = 0; i < std::min(kRowsMax, result.resources.processes.size()); ++i) {
    const ProcessUsage& process = result.resources.processes[i];
    rows += "<tr>" + Cell(process.name) + Cell(fmt::format("{:.1f} s", process.cpu_seconds)) +
            Cell(Mebibytes(process.pss_bytes)) + "</tr>";
  }
  std::string html = ChartHtml(cpu) + ChartHtml(memory);
  if (!rows.empty()) {
    html += "<table><tr><th>Process</th><th>CPU</th><th>most memory</th></tr>" + rows + "</table>";
  }
  if (!result.processes && !html.empty()) {
    html += R"(<p class="soft">The services ran inside dt-sim; with )"
            R"(<code>--processes</code> each is shown by itself.</p>)";
  }
  return html;
}

std::string StoryHtml(const StoryRecord& story) {
  std::string steps;
  const double whole = std::max(1.0, static_cast<double>(story.took.count()));
  for (const StoryRecord::Step& step : story.steps) {
    const double left = std::clamp(100 * static_cast<double>(step.at.count()) / whole, 0.0, 100.0);
    const double width =
        std::clamp(100 * static_cast<double>(step.took.count()) / whole, 0.0, 100 - left);
    steps += fmt::format(R"(<li><span>{}</span><span class="took">{}</span><span class="track">)"
                         R"(<i style="left:{:.1f}%;width:{:.1f}%"></i></span>{})",
                         HtmlText(step.name), HtmlText(Took(step.took)), left, width,
                         step.detail.empty() ? "" : "<small>" + HtmlText(step.detail) + "</small>");
    steps += "</li>";
  }
  std::string end = HtmlText(story.outcome);
  if (!story.code.empty())
    end += " · why: <code>dt-sim explain " + HtmlText(story.code) + "</code>";
  return fmt::format(
      R"(<div class="story"><h3>{}: {}</h3><p class="soft">{} · {} after the start · {}</p>)"
      R"(<ol class="steps">{}</ol></div>)",
      HtmlText(story.title), HtmlText(Took(story.took)), HtmlText(story.subject),
      HtmlText(At(story.at_seconds)), end, steps);
}

std::string Stories(const Recording& recording) {
  std::string html;
  for (const StoryRecord& story : recording.stories) html += StoryHtml(story);
  return html;
}

std::string SystemLog(const RunResult& result) {
  std::string rows;
  std::size_t left = kRowsMax;
  for (const auto& [type, count] : result.system_log) {
    if (left-- == 0) break;
    rows += "<tr>" + Cell(type) + Cell(Thousands(count)) + "</tr>";
  }
  return rows.empty() ? "" : "<table><tr><th>Event</th><th>how many</th></tr>" + rows + "</table>";
}

}  // namespace

std::string HtmlReport(const RunResult& result) {
  const Recording& recording = result.recording;
  std::string html = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
)";
  html += fmt::format(
      "<title>{} {}</title>\n<style>{}</style></head><body><main>\n", VerdictWord(result),
      HtmlText(result.scenario.empty() ? "dt-sim run" : result.scenario), kReportStyle);
  html += Head(result) + Bad(result) + Tiles(result);
  html += Section("What happened", Told(result));
  html += Section("Thresholds", Thresholds(recording));
  html += Section("Faults and changes", Faults(recording));
  html += Section("Throughput", Throughput(recording));
  html += Section("Latency over time", Latencies(recording));
  html += Section("Percentiles", PercentileCurves(recording) + LatencyTable(result));
  html += Section("Decisions by rule", Decisions(result));
  html += Section("The fleet", Fleet(recording));
  html += Section("Stories", Stories(recording));
  html += Section("Cost", Cost(result));
  html += Section("System Log", SystemLog(result));
  return html + "\n</main></body></html>\n";
}

}  // namespace devicetrust::simulator
