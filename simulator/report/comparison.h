// Whether one run was faster than another, and how sure that is; and parts of one run joined.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "simulator/report/result.h"

namespace devicetrust::simulator {

// One figure of both, and the interval that its change lies in with 95 % confidence.
struct Change {
  std::string operation;
  std::string figure;  // "p99"
  double before = 0;   // Milliseconds, a second, or percent.
  double after = 0;
  double low = 0;  // Of after / before - 1.
  double high = 0;
  bool larger_is_better = false;

  enum class Verdict { kNone, kBetter, kWorse, kUnsure };  // kNone: no difference shown.
  Verdict verdict = Verdict::kUnsure;
};

struct ThresholdChange {
  std::string text;
  std::string before;  // What was measured, of several rounds each; empty: not asked for.
  std::string after;
  bool held = false;
  bool holds = false;
};

struct Comparison {
  std::size_t rounds_before = 0;
  std::size_t rounds_after = 0;
  bool of_slots = false;  // One run each: pieces of its time stand in for rounds.
  std::vector<Change> changes;
  std::vector<ThresholdChange> thresholds;
  std::vector<std::string> missing;  // What was before and is there no more, or not in each round.
  std::vector<std::string> invalid;  // Of both, why figures of a run mean less.
  bool only_after_failed = false;    // The runs before passed; one after did not.

  // kNothing: a run of either side is not valid, they have nothing in common, or too few rounds and
  // no threshold.
  enum class Outcome { kNotWorse, kWorse, kNothing };
  // Worse: a threshold that held fails or is no longer asked for, an operation is missing, a run
  // fails as none did before, or a figure is worse by more than `tolerance` with confidence.
  Outcome OutcomeWithin(double tolerance) const;
  // Whether there were rounds enough for any figure.
  bool FiguresJudged() const;
};

// By bootstrap over rounds: each side is drawn again with replacement 1,000 times, always the same
// ones. A side is several runs, or one, whose time is cut into pieces. Neither is empty.
Comparison Compare(const std::vector<RunResult>& before, const std::vector<RunResult>& after);

std::string ComparisonText(const Comparison& comparison, double tolerance, const Style& style);
std::string ComparisonJson(const Comparison& comparison, double tolerance);

// Parts of one run, which began together, as one result. Figures add up; the System Log, which each
// saw whole, does not. Not empty.
RunResult MergeResults(std::vector<RunResult> parts);

}  // namespace devicetrust::simulator
