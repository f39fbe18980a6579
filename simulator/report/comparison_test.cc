#include "simulator/report/comparison.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "simulator/report/recorder.h"

namespace devicetrust::simulator {
namespace {

using std::chrono::milliseconds;
using Outcome = Comparison::Outcome;

// A run of `seconds` with sign-ins around `median`, and so many errors.
RunResult RunOf(int median, std::uint64_t errors = 0, int seconds = 60) {
  const Recorder::Moment begun{std::chrono::seconds(1000)};
  Recorder recorder(begun);
  for (int second = 0; second < seconds; ++second) {
    for (int i = 0; i < 20; ++i) {
      const milliseconds took(median + (second * 7 + i * 3) % 10);
      recorder.Done("open", took, took, begun + std::chrono::seconds(second));
    }
  }
  for (std::uint64_t i = 0; i < errors; ++i) recorder.Failed("open", begun);
  RunResult result;
  result.recording = recorder.Read(begun + std::chrono::seconds(seconds));
  return result;
}

const Change& Find(const Comparison& comparison, const std::string& figure) {
  const auto found = std::ranges::find(comparison.changes, figure, &Change::figure);
  EXPECT_NE(found, comparison.changes.end());
  return *found;
}

TEST(ComparisonTest, WhatIsTheSameShowsNoDifference) {
  const Comparison comparison = Compare({RunOf(100)}, {RunOf(100)});
  EXPECT_TRUE(comparison.of_slots);
  for (const Change& change : comparison.changes) {
    EXPECT_EQ(change.verdict, Change::Verdict::kNone) << change.figure;
  }
  EXPECT_EQ(comparison.OutcomeWithin(0.05), Outcome::kNotWorse);
}

TEST(ComparisonTest, ARunThatIsSlowerByAHalfIsWorseAndTheOtherWayRoundBetter) {
  const Comparison slower = Compare({RunOf(100)}, {RunOf(150)});
  EXPECT_EQ(Find(slower, "p50").verdict, Change::Verdict::kWorse);
  EXPECT_GT(Find(slower, "p50").low, 0.3);
  EXPECT_LT(Find(slower, "p50").high, 0.7);
  EXPECT_EQ(slower.OutcomeWithin(0.05), Outcome::kWorse);
  EXPECT_EQ(slower.OutcomeWithin(0.7), Outcome::kNotWorse);
  EXPECT_EQ(Find(Compare({RunOf(150)}, {RunOf(100)}), "p99").verdict, Change::Verdict::kBetter);
}

TEST(ComparisonTest, RunsAreRoundsAndTwoAreTooFew) {
  const std::vector<RunResult> two(2, RunOf(100));
  EXPECT_EQ(Find(Compare(two, two), "p50").verdict, Change::Verdict::kUnsure);
  EXPECT_EQ(Compare(two, two).OutcomeWithin(0.05), Outcome::kNothing);
  std::vector<RunResult> judged = two;
  for (RunResult& run : judged) run.recording.thresholds = {{"open.p99 < 1s", "110 ms", true}};
  const Comparison thresholds = Compare(judged, judged);
  EXPECT_EQ(thresholds.OutcomeWithin(0.05), Outcome::kNotWorse);
  EXPECT_NE(ComparisonText(thresholds, 0.05, Style{}).find("NOT WORSE by thresholds alone"),
            std::string::npos);
  const std::vector<RunResult> before = {RunOf(100), RunOf(102), RunOf(98), RunOf(101), RunOf(99)};
  const std::vector<RunResult> after = {RunOf(140), RunOf(142), RunOf(138), RunOf(141), RunOf(139)};
  const Comparison comparison = Compare(before, after);
  EXPECT_EQ(comparison.rounds_after, 5u);
  EXPECT_EQ(Find(comparison, "p90").verdict, Change::Verdict::kWorse);
}

TEST(ComparisonTest, AThresholdThatHeldAndFailsIsWorse) {
  RunResult before = RunOf(100);
  RunResult after = RunOf(100);
  before.recording.thresholds = {{"open.p99 < 1s", "110 ms", true}};
  after.recording.thresholds = {{"open.p99 < 1s", "1.2 s", false}};
  const Comparison comparison = Compare({before}, {after});
  EXPECT_EQ(comparison.OutcomeWithin(0.05), Outcome::kWorse);
  const std::string text = ComparisonText(comparison, 0.05, Style{});
  EXPECT_NE(text.find("open.p99 < 1s   before: 110 ms holds, after: 1.2 s fails"),
            std::string::npos)
      << text;
  EXPECT_EQ(nlohmann::json::parse(ComparisonJson(comparison, 0.05))["worse"], true);
  EXPECT_EQ(Compare({after}, {after}).OutcomeWithin(0.05), Outcome::kNotWorse)
      << "it failed before, too";
}

TEST(ComparisonTest, WhatIsThereNoMoreIsWorse) {
  RunResult before = RunOf(100);
  RunResult after = RunOf(100);
  before.recording.thresholds = {{"open.p99 < 1s", "110 ms", true}};
  EXPECT_EQ(Compare({before}, {after}).OutcomeWithin(0.05), Outcome::kWorse) << "no threshold";
  EXPECT_EQ(Compare({after}, {before}).OutcomeWithin(0.05), Outcome::kNotWorse) << "a new one";
  const std::vector<RunResult> rounds(5, RunOf(100));
  std::vector<RunResult> fewer = rounds;
  fewer[2].recording.operations.clear();
  const Comparison gaps = Compare(rounds, fewer);
  EXPECT_EQ(gaps.missing,
            std::vector<std::string>{"open is in each round before, and in 4 of 5 after"});
  EXPECT_EQ(gaps.OutcomeWithin(0.05), Outcome::kWorse);
  after.recording.operations.clear();
  const Comparison none = Compare({RunOf(100)}, {after});
  EXPECT_EQ(none.missing, std::vector<std::string>{"open was measured before, and not after"});
  EXPECT_EQ(none.OutcomeWithin(0.05), Outcome::kWorse);
  EXPECT_EQ(Compare({after}, {RunOf(100)}).OutcomeWithin(0.05), Outcome::kNothing);
}

TEST(ComparisonTest, ARiseFromNothingIsARise) {
  const Comparison comparison = Compare({RunOf(100)}, {RunOf(100, 40)});
  EXPECT_GT(Find(comparison, "errors").after, 0);
  EXPECT_GT(Find(Compare({RunOf(0, 0, 1)}, {RunOf(100)}), "p50").high, 0);
}

TEST(ComparisonTest, AThresholdOfManyRoundsIsOneLine) {
  std::vector<RunResult> rounds(100, RunOf(100, 0, 10));
  for (RunResult& run : rounds) run.recording.thresholds = {{"open.p99 < 1s", "110 ms", true}};
  const Comparison comparison = Compare(rounds, rounds);
  EXPECT_LT(comparison.thresholds.at(0).before.size(), 100u);
  EXPECT_TRUE(comparison.thresholds.at(0).before.ends_with("110 ms; …"));
}

TEST(ComparisonTest, ARunThatFailedIsNamed) {
  RunResult failed = RunOf(100);
  failed.failure = "dt-ca ended by itself";
  const Comparison comparison = Compare({RunOf(100)}, {failed});
  ASSERT_EQ(comparison.invalid.size(), 1u);
  EXPECT_EQ(comparison.invalid[0], "a run after is FAIL: dt-ca ended by itself");
  EXPECT_EQ(comparison.OutcomeWithin(0.05), Outcome::kWorse);
  EXPECT_EQ(Compare({failed}, {failed}).OutcomeWithin(0.05), Outcome::kNothing);
  RunResult behind = RunOf(100);
  behind.fell_behind = "by 2 s";
  EXPECT_EQ(Compare({RunOf(100)}, {behind}).OutcomeWithin(0.05), Outcome::kNothing);
}

TEST(ComparisonTest, PartsOfARunAddUp) {
  RunResult first = RunOf(100, 1, 60);
  RunResult second = RunOf(200, 2, 600);  // Its slots are longer.
  ASSERT_NE(first.recording.slot_seconds, second.recording.slot_seconds);
  first.devices = second.devices = 500;
  first.decisions = {{"trusted", "allowed", 10, "of the first"}};
  second.decisions = {{"trusted", "allowed", 5, ""}, {"other", "denied", 1, ""}};
  second.violations = {"799 issued, but the System Log has 800"};
  const RunResult merged = MergeResults({first, second});
  EXPECT_EQ(merged.devices, 1000u);
  EXPECT_EQ(merged.decisions.at(0).count, 15u);
  EXPECT_EQ(merged.decisions.at(1).rule, "other");
  EXPECT_FALSE(merged.valid());
  const OperationRecord& open = merged.recording.operations.at(0);
  EXPECT_EQ(open.response.count(), 13'200u);
  EXPECT_EQ(open.errors, 3u);
  std::uint64_t in_slots = 0;
  for (const OperationSlot& slot : open.slots) in_slots += slot.done;
  EXPECT_EQ(in_slots, 13'200u);
  EXPECT_TRUE(ParseResult(ToJson(merged)).ok()) << ParseResult(ToJson(merged)).status();
}

TEST(ComparisonTest, ManyPartsAreNoMoreThanOneResultHolds) {
  const Recorder::Moment begun{std::chrono::seconds(1000)};
  std::vector<RunResult> parts;
  for (int part = 0; part < 40; ++part) {
    Recorder recorder(begun);
    recorder.Gauge("certificates issued", 10, begun + std::chrono::seconds(part % 2));
    recorder.Used({0, {{"dt-ca", part + 1, 1, 100}}}, begun);
    recorder.FaultBegins("CA down", begun + std::chrono::seconds(2));
    recorder.FaultEnds("CA down", begun + milliseconds(3000 + part));
    recorder.Judged({{"open.p99 < 1s", "110 ms", part != 7}});
    RunResult& result = parts.emplace_back();
    result.recording = recorder.Read(begun + std::chrono::seconds(4));
    result.resources = {4, {{"dt-ca", part + 1, 1, 100}}};
  }
  const RunResult merged = MergeResults(std::move(parts));
  ASSERT_EQ(merged.recording.gauges.size(), 1u);
  EXPECT_EQ(merged.recording.gauges[0].slots.front(), 200);
  EXPECT_EQ(merged.recording.gauges[0].slots.back(), 400);
  ASSERT_EQ(merged.recording.processes.size(), 1u);
  EXPECT_EQ(merged.recording.processes[0].slots.front()->pss_bytes, 4000u);
  ASSERT_EQ(merged.resources.processes.size(), 1u);
  EXPECT_EQ(merged.resources.processes[0].cpu_seconds, 40);
  ASSERT_EQ(merged.recording.faults.size(), 1u);
  EXPECT_NEAR(*merged.recording.faults[0].end_seconds, 3.039, 0.001);
  ASSERT_EQ(merged.recording.thresholds.size(), 1u);
  EXPECT_FALSE(merged.recording.thresholds[0].holds);
  EXPECT_TRUE(ParseResult(ToJson(merged)).ok()) << ParseResult(ToJson(merged)).status();
}

}  // namespace
}  // namespace devicetrust::simulator
