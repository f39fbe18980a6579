#include "tools/dtctl/test_report.h"

#include <fmt/format.h>

#include "libs/admin/text.h"
#include "libs/base/printable.h"

namespace devicetrust::ctl {
namespace {

std::string OutcomeWord(org::v1::Outcome outcome) {
  switch (outcome) {
    case org::v1::OUTCOME_ALLOWED:
      return "allowed";
    case org::v1::OUTCOME_FACTOR_REQUIRED:
      return "factor required";
    case org::v1::OUTCOME_REAUTHENTICATION_REQUIRED:
      return "sign-in again";
    case org::v1::OUTCOME_DENIED:
      return "denied";
    default:
      return "unknown";
  }
}

std::string ProblemOf(const org::v1::PolicyTestCase& test, const policy::TestVerdict& verdict) {
  if (verdict.passed) return "";
  const std::string rule = test.rule().empty() ? "" : fmt::format(" by '{}'", test.rule());
  return fmt::format("expected {}{}, was {} by '{}': {}", OutcomeWord(test.outcome()), rule,
                     OutcomeWord(verdict.outcome), verdict.rule, verdict.why);
}

// XML 1.0 takes no control characters, however they are written.
std::string XmlText(const std::string& text) {
  std::string escaped;
  for (const char c : Printable(text)) {
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
        escaped += c;
    }
  }
  return escaped;
}

}  // namespace

void TestReport::Add(const std::string& file, const org::v1::PolicyTestCase& test,
                     const absl::StatusOr<policy::TestVerdict>& verdict) {
  Line line{file, test.name(), "", !verdict.ok()};
  line.problem = verdict.ok() ? ProblemOf(test, *verdict) : std::string(verdict.status().message());
  if (line.name.empty()) line.name = fmt::format("case {}", lines_.size() + 1);
  if (!line.problem.empty()) ++failures_;
  lines_.push_back(std::move(line));
}

std::string TestReport::Text() const {
  std::string text;
  for (const Line& line : lines_) {
    if (line.problem.empty()) continue;
    text += Printable(fmt::format("FAILED {}: {}: {}", line.file, line.name, line.problem)) + "\n";
  }
  const std::size_t passed = lines_.size() - failures_;
  return text + fmt::format("{} passed, {} failed\n", admin::Plural(passed, "case"), failures_);
}

std::string TestReport::JUnitXml() const {
  std::size_t errors = 0;
  for (const Line& line : lines_) errors += line.makes_no_sense ? 1 : 0;
  std::string xml = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<testsuite name=\"policy\" tests=\"{}\" failures=\"{}\" errors=\"{}\">\n",
      lines_.size(), failures_ - errors, errors);
  for (const Line& line : lines_) {
    xml += fmt::format("  <testcase classname=\"{}\" name=\"{}\"", XmlText(line.file),
                       XmlText(line.name));
    if (line.problem.empty()) {
      xml += "/>\n";
      continue;
    }
    xml += fmt::format("><{0} message=\"{1}\"/></testcase>\n",
                       line.makes_no_sense ? "error" : "failure", XmlText(line.problem));
  }
  return xml + "</testsuite>\n";
}

}  // namespace devicetrust::ctl
