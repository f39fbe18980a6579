#include "simulator/report/ci_output.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace devicetrust::simulator {
namespace {

// For text and attributes; what XML 1.0 has no character for becomes a question mark.
std::string XmlText(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' ? '?' : c;
    }
  }
  return escaped;
}

struct JUnitCase {
  std::string name;
  std::string problem;  // Empty: passed.
};

std::vector<JUnitCase> CasesOf(const RunResult& result) {
  std::vector<JUnitCase> cases;
  for (const ThresholdRecord& threshold : result.recording.thresholds) {
    const std::string measured =
        threshold.measured.empty() ? "nothing was measured" : threshold.measured;
    cases.push_back({threshold.text, threshold.holds ? "" : measured});
  }
  std::vector<std::string> wrong = result.violations;
  if (!result.failure.empty()) wrong.push_back(result.failure);
  // Thresholds have cases of their own.
  std::erase_if(wrong, [&result](const std::string& line) {
    return std::ranges::any_of(result.recording.thresholds, [&line](const ThresholdRecord& one) {
      return !one.holds && line.starts_with(one.text + ": ");
    });
  });
  cases.push_back({"devices, org and System Log agree", fmt::format("{}", fmt::join(wrong, "\n"))});
  cases.push_back({"the generator kept to its schedule", result.fell_behind});
  return cases;
}

// A cell must not end its row.
std::string Cell(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) {
    text.replace(at, 1, "\\|");
  }
  std::ranges::replace(text, '\n', ' ');
  return text;
}

std::string Cell(std::chrono::microseconds latency) {
  const std::string text = Latency(latency);
  const std::size_t begin = text.find_first_not_of(' ');
  return text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

}  // namespace

std::string ToJUnit(const RunResult& result) {
  const std::vector<JUnitCase> cases = CasesOf(result);
  const auto failures =
      std::ranges::count_if(cases, [](const JUnitCase& one) { return !one.problem.empty(); });
  const std::string suite = XmlText(result.scenario);
  std::string text = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<testsuites>\n"
      "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" time=\"{:.3f}\" timestamp=\"{}\">\n",
      suite, cases.size(), failures, result.resources.wall_seconds, XmlText(result.started_at));
  for (const JUnitCase& one : cases) {
    const std::string head =
        fmt::format("    <testcase classname=\"{}\" name=\"{}\"", suite, XmlText(one.name));
    const std::string problem = XmlText(one.problem);
    text += problem.empty()
                ? head + "/>\n"
                : fmt::format("{}>\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n",
                              head, problem.substr(0, problem.find('\n')), problem);
  }
  return text + "  </testsuite>\n</testsuites>\n";
}

std::string ToMarkdown(const RunResult& result) {
  std::string text = fmt::format("## {}: {}\n\n{}, seed {}, {:.1f} s.\n", Cell(result.scenario),
                                 VerdictWord(result), Plural(result.devices, "device"), result.seed,
                                 result.resources.wall_seconds);
  if (!result.fell_behind.empty()) text += fmt::format("\n**INVALID**: {}.\n", result.fell_behind);
  if (!result.failure.empty()) text += fmt::format("\n**{}**\n", Cell(result.failure));
  if (!result.recording.thresholds.empty()) {
    text += "\n| threshold | measured | holds |\n| --- | --- | --- |\n";
    for (const ThresholdRecord& one : result.recording.thresholds) {
      text += fmt::format("| {} | {} | {} |\n", Cell(one.text),
                          one.measured.empty() ? "nothing" : Cell(one.measured),
                          one.holds ? "yes" : "**no**");
    }
  }
  text +=
      "\n| | done | errors | a second | p50 | p99 |\n| --- | ---: | ---: | ---: | ---: | ---: |\n";
  for (const Meter::Snapshot* const meter : {&result.enroll, &result.signin, &result.challenge}) {
    if (meter->done + meter->errors == 0) continue;
    text += fmt::format("| {} | {} | {} | {:.0f} | {} | {} |\n", Cell(meter->name),
                        Thousands(meter->done), Thousands(meter->errors), meter->PerSecond(),
                        Cell(meter->latency.Percentile(50)), Cell(meter->latency.Percentile(99)));
  }
  if (!result.decisions.empty()) {
    text += "\n| rule | outcome | decisions |\n| --- | --- | ---: |\n";
    for (const RuleCount& rule : result.decisions) {
      text += fmt::format("| {} | {} | {} |\n", Cell(rule.rule), Cell(rule.outcome),
                          Thousands(rule.count));
    }
  }
  for (const std::string& violation : result.violations) {
    text += fmt::format("\n- {}", Cell(violation));
  }
  return result.violations.empty() ? text : text + "\n";
}

}  // namespace devicetrust::simulator
