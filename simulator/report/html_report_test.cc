#include "simulator/report/html_report.h"

#include <gtest/gtest.h>

#include "simulator/report/html_chart.h"
#include "simulator/report/recorder.h"

namespace devicetrust::simulator {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// A run with a million samples over an hour.
RunResult Million() {
  const Recorder::Moment begun{std::chrono::seconds(1000)};
  Recorder recorder(begun);
  for (int i = 0; i < 1'000'000; ++i) {
    const auto now = begun + milliseconds(i * 36 / 10);
    const microseconds took(1000 + (i * 7919LL) % 100'003);
    recorder.Done(i % 4 == 0 ? "enroll" : "open", took, took / 2, now);
    if (i % 10 == 0) recorder.Decided(i % 30 == 0 ? "everything else" : "trusted", "allowed", now);
  }
  for (int second = 0; second < 3600; ++second) {
    const auto now = begun + std::chrono::seconds(second);
    recorder.Used(
        {0, {{"dt-sim", 1, second * 1.5, 200u << 20}, {"dt-ca", 2, second * 0.1, 1u << 24}}}, now);
    recorder.Gauge("computers with a certificate", second, now);
  }
  recorder.FaultBegins("CA down", begun + std::chrono::seconds(600));
  recorder.FaultEnds("CA down", begun + std::chrono::seconds(900));
  RunResult result;
  result.scenario = "A day";
  result.recording = recorder.Read(begun + std::chrono::seconds(3600));
  return result;
}

bool Has(const std::string& html, std::string_view what) {
  return html.find(what) != std::string::npos;
}

TEST(HtmlReportTest, AMillionSamplesAreLessThanTwoMebibytes) {
  const std::string html = HtmlReport(Million());
  EXPECT_LT(html.size(), std::size_t{2} << 20);
  for (const char* const title : {"Latency over time", "Percentiles", "Throughput", "The fleet",
                                  "Decisions by rule", "Faults and changes", "Cost"}) {
    EXPECT_TRUE(Has(html, title)) << title;
  }
  EXPECT_TRUE(Has(html, "CA down"));
  EXPECT_TRUE(Has(html, "open, service time"));
}

TEST(HtmlReportTest, AsksNobodyAndRunsNothing) {
  const std::string html = HtmlReport(Million());
  for (const char* const foreign :
       {"<script", "http://", "https://", "src=", "href=", "url(", "@import", "<link"}) {
    EXPECT_FALSE(Has(html, foreign)) << foreign;
  }
  EXPECT_TRUE(Has(html, "default-src 'none'"));
}

TEST(HtmlReportTest, WhatARunHoldsIsTextWhateverItIs) {
  const std::string evil = "\"><script>alert('x')</script>&\xff\x01";
  const Recorder::Moment begun{std::chrono::seconds(1000)};
  Recorder recorder(begun);
  recorder.Done(evil, milliseconds(1), milliseconds(2), begun);
  recorder.Failed(evil, begun);
  recorder.Decided(evil, evil, begun);
  recorder.Gauge(evil, 1, begun);
  recorder.Used({0, {{evil, 1, 1, 1}}}, begun);
  recorder.FaultBegins(evil, begun);
  recorder.Tell({evil, evil, evil, evil, 0, milliseconds(3), {{evil, {}, {}, evil}}}, begun);
  recorder.Judged({{evil, evil, false}});
  RunResult result;
  result.recording = recorder.Read(begun + std::chrono::seconds(1));
  result.scenario = result.version = result.started_at = result.failure = result.fell_behind = evil;
  result.decisions = {{evil, evil, 1, evil}};
  result.system_log = {{evil, 1}};
  result.story = result.violations = {evil};
  result.steps = {{evil, {}}};
  result.resources = {1, {{evil, 1, 1, 1}}};
  const std::string html = HtmlReport(result);
  EXPECT_FALSE(Has(html, "<script"));
  EXPECT_FALSE(Has(html, "\xff"));
  EXPECT_FALSE(Has(html, "alert('x')"));
  EXPECT_TRUE(Has(html, "&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)"));
}

TEST(HtmlReportTest, ATimeBeyondAllRunsIsStillATime) {
  RunResult result;
  result.recording.faults = {{"CA down", 1e14, std::nullopt}};
  EXPECT_TRUE(Has(HtmlReport(result), "<td>1666666666666:40 min</td>"));
}

TEST(HtmlReportTest, ARunWithoutARecordingHasItsVerdictAndNoEmptySections) {
  RunResult result;
  result.failure = "dt-ca ended by itself";
  const std::string html = HtmlReport(result);
  EXPECT_TRUE(Has(html, "<title>FAIL dt-sim run</title>"));
  EXPECT_TRUE(Has(html, "dt-ca ended by itself"));
  EXPECT_FALSE(Has(html, "<h2>"));
}

TEST(HtmlChartTest, TextIsEscapedCutAndAlwaysUtf8) {
  EXPECT_EQ(HtmlText("<a href='x'>&\""), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;");
  EXPECT_EQ(HtmlText("\xc0\xaf\xed\xa0\x80 µ"),
            "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD µ");
  EXPECT_EQ(HtmlText("aµb", 2), "a…");
  EXPECT_EQ(HtmlText(std::string("\0\x1b", 2)), "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(HtmlChartTest, TheTimeAxisHasAFewRoundMarks) {
  for (const double seconds : {1.0, 8.0, 59.0, 61.0, 3600.0, 86'400.0}) {
    const auto ticks = TimeTicks(seconds);
    EXPECT_GE(ticks.size(), 2u) << seconds;
    EXPECT_LE(ticks.size(), 7u) << seconds;
  }
  EXPECT_EQ(TimeTicks(120).at(1).second, "30 s");
}

}  // namespace
}  // namespace devicetrust::simulator
