#include "simulator/report/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

namespace devicetrust::simulator {
namespace {

constexpr std::size_t kDraws = 1000;
constexpr std::size_t kPieces = 40;            // Of the time of one run.
constexpr std::size_t kRoundsMin = 5;          // Fewer say nothing about how much they vary.
constexpr std::size_t kMeasuredBytesMax = 80;  // Of a threshold in all rounds, in one line.
constexpr std::uint64_t kDrawSeed = 7;         // The same answer each time.

// What one round has of an operation.
struct Piece {
  Histogram latency;
  std::uint64_t errors = 0;
  double seconds = 0;

  void Add(const Piece& other) {
    latency.Merge(other.latency);
    errors += other.errors;
    seconds += other.seconds;
  }
};

enum class Figure { kMedian, kP90, kP99, kRate, kErrors };
constexpr Figure kFigures[] = {Figure::kMedian, Figure::kP90, Figure::kP99, Figure::kRate,
                               Figure::kErrors};

const char* FigureName(Figure figure) {
  switch (figure) {
    case Figure::kMedian:
      return "p50";
    case Figure::kP90:
      return "p90";
    case Figure::kP99:
      return "p99";
    case Figure::kRate:
      return "rate";
    case Figure::kErrors:
      return "errors";
  }
  return "";
}

double ValueOf(const Piece& piece, Figure figure) {
  const auto milliseconds = [&piece](double percent) {
    return static_cast<double>(piece.latency.Percentile(percent).count()) / 1000;
  };
  const auto done = static_cast<double>(piece.latency.count());
  const auto errors = static_cast<double>(piece.errors);
  switch (figure) {
    case Figure::kMedian:
      return milliseconds(50);
    case Figure::kP90:
      return milliseconds(90);
    case Figure::kP99:
      return milliseconds(99);
    case Figure::kRate:
      return piece.seconds > 0 ? done / piece.seconds : 0;
    case Figure::kErrors:
      return done + errors > 0 ? 100 * errors / (done + errors) : 0;
  }
  return 0;
}

std::size_t SlotsBetween(const OperationRecord& operation, std::size_t& first) {
  first = 0;
  const auto empty = [&](std::size_t i) {
    return operation.slots[i].done == 0 && operation.slots[i].errors == 0;
  };
  while (first < operation.slots.size() && empty(first)) ++first;
  return operation.slots.size() - first;
}

// The time from its first to its last end, in pieces.
std::vector<Piece> PiecesOf(const OperationRecord& operation, double slot_seconds) {
  std::size_t first = 0;
  const std::size_t slots = SlotsBetween(operation, first);
  const std::size_t count = std::min(kPieces, slots);
  std::vector<Piece> pieces(count, Piece{Histogram(Histogram::kCoarse), 0, 0});
  for (std::size_t i = 0; i < slots; ++i) {
    const OperationSlot& slot = operation.slots[first + i];
    pieces[i * count / slots].Add({slot.response, slot.errors, slot_seconds});
  }
  return pieces;
}

Piece WholeOf(const OperationRecord& operation, double slot_seconds) {
  std::size_t first = 0;
  const auto slots = static_cast<double>(SlotsBetween(operation, first));
  return {operation.response, operation.errors, slots * slot_seconds};
}

struct Side {
  std::vector<Piece> rounds;
  Piece whole;
};

// By operation, in the order of the first result that has it.
std::vector<std::pair<std::string, Side>> SidesOf(const std::vector<RunResult>& results,
                                                  bool of_slots) {
  std::vector<std::pair<std::string, Side>> sides;
  for (const RunResult& result : results) {
    const double slot_seconds = result.recording.slot_seconds;
    for (const OperationRecord& operation : result.recording.operations) {
      auto side = std::ranges::find(sides, operation.name, &std::pair<std::string, Side>::first);
      if (side == sides.end()) side = sides.insert(side, {operation.name, Side()});
      const Piece whole = WholeOf(operation, slot_seconds);
      side->second.whole.Add(whole);
      if (of_slots) {
        side->second.rounds = PiecesOf(operation, slot_seconds);
      } else {
        side->second.rounds.push_back(whole);
      }
    }
  }
  return sides;
}

Piece Drawn(const std::vector<Piece>& rounds, std::mt19937_64& random) {
  std::uniform_int_distribution<std::size_t> any(0, rounds.size() - 1);
  Piece drawn = rounds[any(random)];
  for (std::size_t i = 1; i < rounds.size(); ++i) drawn.Add(rounds[any(random)]);
  return drawn;
}

// What errors change is told in points, since there may have been none.
double ChangeOf(Figure figure, double before, double after) {
  if (figure == Figure::kErrors) return (after - before) / 100;
  if (before > 0) return after / before - 1;
  return after > 0 ? 1 : 0;  // No ratio to nothing: as much as if it had doubled.
}

Change::Verdict VerdictOf(const Change& change, bool enough) {
  if (!enough) return Change::Verdict::kUnsure;
  if (change.low <= 0 && change.high >= 0) return Change::Verdict::kNone;
  return (change.low > 0) == change.larger_is_better ? Change::Verdict::kBetter
                                                     : Change::Verdict::kWorse;
}

void CompareOperation(const std::string& name, const Side& before, const Side& after,
                      std::vector<Change>& changes) {
  std::mt19937_64 random(kDrawSeed);
  std::map<Figure, std::vector<double>> drawn;
  for (std::size_t i = 0; i < kDraws; ++i) {
    const Piece a = Drawn(before.rounds, random);
    const Piece b = Drawn(after.rounds, random);
    for (const Figure figure : kFigures) {
      drawn[figure].push_back(ChangeOf(figure, ValueOf(a, figure), ValueOf(b, figure)));
    }
  }
  const bool enough = before.rounds.size() >= kRoundsMin && after.rounds.size() >= kRoundsMin;
  for (const Figure figure : kFigures) {
    std::vector<double>& all = drawn[figure];
    std::ranges::sort(all);
    Change change;
    change.operation = name;
    change.figure = FigureName(figure);
    change.before = ValueOf(before.whole, figure);
    change.after = ValueOf(after.whole, figure);
    change.low = all[kDraws / 40];
    change.high = all[kDraws - 1 - kDraws / 40];
    change.larger_is_better = figure == Figure::kRate;
    change.verdict = VerdictOf(change, enough);
    changes.push_back(std::move(change));
  }
}

void CompareThresholds(const std::vector<RunResult>& results, bool after, Comparison& comparison) {
  for (const RunResult& result : results) {
    for (const ThresholdRecord& threshold : result.recording.thresholds) {
      auto& all = comparison.thresholds;
      auto known = std::ranges::find(all, threshold.text, &ThresholdChange::text);
      if (known == all.end()) known = all.insert(known, {threshold.text, "", "", true, true});
      std::string& measured = after ? known->after : known->before;
      const std::string more = threshold.measured.empty() ? "nothing" : threshold.measured;
      if (measured.size() + more.size() < kMeasuredBytesMax) {
        measured += (measured.empty() ? "" : "; ") + more;
      } else if (!measured.ends_with("…")) {
        measured += measured.empty() ? "…" : "; …";
      }
      bool& holds = after ? known->holds : known->held;
      holds = holds && threshold.holds;
    }
  }
}

std::string FigureText(const Change& change, double value) {
  if (change.figure == "rate") return Rate(value);
  if (change.figure == "errors") return fmt::format("{:.2f} %", value);
  return Latency(std::chrono::microseconds(std::llround(value * 1000)));
}

const char* VerdictName(const Change& change) {
  switch (change.verdict) {
    case Change::Verdict::kNone:
      return "no difference shown";
    case Change::Verdict::kBetter:
      return "better";
    case Change::Verdict::kWorse:
      return "worse";
    case Change::Verdict::kUnsure:
      return "too few rounds to say";
  }
  return "";
}

bool IsWorse(const Change& change, double tolerance) {
  if (change.verdict != Change::Verdict::kWorse) return false;
  return change.larger_is_better ? change.high < -tolerance : change.low > tolerance;
}

}  // namespace

Comparison::Outcome Comparison::OutcomeWithin(double tolerance) const {
  const auto fails_now = [](const ThresholdChange& each) {
    return each.held && (!each.holds || each.after.empty());
  };
  const auto is_worse = [tolerance](const Change& each) { return IsWorse(each, tolerance); };
  if (only_after_failed || !missing.empty() || std::ranges::any_of(thresholds, fails_now) ||
      std::ranges::any_of(changes, is_worse)) {
    return Outcome::kWorse;
  }
  const auto judged_twice = [](const ThresholdChange& each) {
    return !each.before.empty() && !each.after.empty();
  };
  const bool judged = FiguresJudged() || std::ranges::any_of(thresholds, judged_twice);
  return changes.empty() || !judged || !invalid.empty() ? Outcome::kNothing : Outcome::kNotWorse;
}

bool Comparison::FiguresJudged() const {
  return std::ranges::any_of(
      changes, [](const Change& each) { return each.verdict != Change::Verdict::kUnsure; });
}

Comparison Compare(const std::vector<RunResult>& before, const std::vector<RunResult>& after) {
  Comparison comparison;
  comparison.rounds_before = before.size();
  comparison.rounds_after = after.size();
  comparison.of_slots = before.size() == 1 && after.size() == 1;
  const auto later = SidesOf(after, comparison.of_slots);
  for (const auto& [name, side] : SidesOf(before, comparison.of_slots)) {
    const auto other = std::ranges::find(later, name, &std::pair<std::string, Side>::first);
    if (side.rounds.empty()) continue;
    if (other == later.end() || other->second.rounds.empty()) {
      comparison.missing.push_back(name + " was measured before, and not after");
      continue;
    }
    const std::size_t had = other->second.rounds.size();
    if (!comparison.of_slots && side.rounds.size() == before.size() && had < after.size()) {
      comparison.missing.push_back(fmt::format("{} is in each round before, and in {} of {} after",
                                               name, had, after.size()));
    }
    CompareOperation(name, side, other->second, comparison.changes);
  }
  CompareThresholds(before, /*after=*/false, comparison);
  CompareThresholds(after, /*after=*/true, comparison);
  const auto failed = [](const RunResult& result) { return VerdictWord(result) == "FAIL"; };
  comparison.only_after_failed =
      std::ranges::all_of(before, &RunResult::valid) && std::ranges::any_of(after, failed);
  for (const auto& [results, which] : {std::pair{&before, "before"}, std::pair{&after, "after"}}) {
    for (const RunResult& result : *results) {
      if (result.valid()) continue;
      comparison.invalid.push_back(fmt::format("a run {} is {}: {}", which, VerdictWord(result),
                                               !result.failure.empty() ? result.failure
                                               : !result.violations.empty()
                                                   ? result.violations.front()
                                                   : result.fell_behind));
    }
  }
  return comparison;
}

std::string ComparisonText(const Comparison& comparison, double tolerance, const Style& style) {
  std::string text;
  for (const std::string& what : comparison.missing) text += style.Bad("gone") + "  " + what + "\n";
  for (const std::string& why : comparison.invalid) text += style.Bad("note") + "  " + why + "\n";
  text += comparison.of_slots
              ? "One run each: pieces of its time stand in for rounds, which tells nothing of what "
                "changes from run to run.\n\n"
              : fmt::format("{} before, {} after\n\n", Plural(comparison.rounds_before, "round"),
                            Plural(comparison.rounds_after, "round"));
  std::size_t widest = 10;
  for (const Change& change : comparison.changes) {
    widest = std::max(widest, Columns(change.operation) + 7);
  }
  for (const Change& change : comparison.changes) {
    const std::string line =
        PadRight(change.operation + " " + change.figure, widest) + "  " +
        PadLeft(FigureText(change, change.before), 9) + " → " +
        PadLeft(FigureText(change, change.after), 9) +
        PadLeft(fmt::format("{:+.1f} % to {:+.1f} %", 100 * change.low, 100 * change.high), 24) +
        "  ";
    const std::string verdict = VerdictName(change);
    text += line +
            (change.verdict == Change::Verdict::kWorse    ? style.Bad(verdict)
             : change.verdict == Change::Verdict::kBetter ? style.Good(verdict)
                                                          : verdict) +
            "\n";
  }
  if (comparison.changes.empty()) text += "They have no operation in common.\n";
  if (!comparison.thresholds.empty()) text += "\n";
  for (const ThresholdChange& threshold : comparison.thresholds) {
    const auto verdict = [&style](const std::string& measured, bool holds) {
      if (measured.empty()) return std::string("not asked for");
      return measured + " " + (holds ? style.Good("holds") : style.Bad("fails"));
    };
    text += fmt::format("{}   before: {}, after: {}\n", threshold.text,
                        verdict(threshold.before, threshold.held),
                        verdict(threshold.after, threshold.holds));
  }
  text += "\n";
  switch (comparison.OutcomeWithin(tolerance)) {
    case Comparison::Outcome::kWorse:
      text += style.Bad("WORSE");
      break;
    case Comparison::Outcome::kNotWorse:
      text += style.Good("NOT WORSE");
      if (!comparison.FiguresJudged()) text += " by thresholds alone: figures need more rounds";
      break;
    case Comparison::Outcome::kNothing:
      text += style.Bad("NOTHING TO COMPARE") + (comparison.invalid.empty()
                                                     ? ": give longer runs, or five rounds of each"
                                                     : ": run both again until they pass");
      break;
  }
  return text + fmt::format(" (tolerance {:.1f} %)\n", tolerance * 100);
}

std::string ComparisonJson(const Comparison& comparison, double tolerance) {
  using Tree = nlohmann::ordered_json;
  Tree changes = Tree::array();
  for (const Change& change : comparison.changes) {
    changes.push_back({{"operation", change.operation},
                       {"figure", change.figure},
                       {"before", change.before},
                       {"after", change.after},
                       {"change_low", change.low},
                       {"change_high", change.high},
                       {"verdict", VerdictName(change)}});
  }
  Tree thresholds = Tree::array();
  for (const ThresholdChange& threshold : comparison.thresholds) {
    thresholds.push_back({{"text", threshold.text},
                          {"before", threshold.before},
                          {"after", threshold.after},
                          {"held", threshold.held},
                          {"holds", threshold.holds}});
  }
  const Comparison::Outcome outcome = comparison.OutcomeWithin(tolerance);
  const Tree root = {{"rounds_before", comparison.rounds_before},
                     {"rounds_after", comparison.rounds_after},
                     {"of_one_run_each", comparison.of_slots},
                     {"changes", std::move(changes)},
                     {"thresholds", std::move(thresholds)},
                     {"missing", comparison.missing},
                     {"notes", comparison.invalid},
                     {"tolerance", tolerance},
                     {"worse", outcome == Comparison::Outcome::kWorse},
                     {"comparable", outcome != Comparison::Outcome::kNothing}};
  return root.dump(2, ' ', false, Tree::error_handler_t::replace) + "\n";
}

RunResult MergeResults(std::vector<RunResult> parts) {
  RunResult merged = std::move(parts.front());
  const auto add_phase = [](Meter::Snapshot& phase, const Meter::Snapshot& more) {
    phase.total += more.total;
    phase.done += more.done;
    phase.errors += more.errors;
    phase.seconds = std::max(phase.seconds, more.seconds);
    phase.latency.Merge(more.latency);
  };
  for (std::size_t i = 1; i < parts.size(); ++i) {
    RunResult& part = parts[i];
    merged.devices += part.devices;
    merged.started_at = std::min(merged.started_at, part.started_at);
    merged.processes = merged.processes || part.processes;
    add_phase(merged.enroll, part.enroll);
    add_phase(merged.signin, part.signin);
    add_phase(merged.challenge, part.challenge);
    for (RuleCount& more : part.decisions) {
      const auto known = std::ranges::find(merged.decisions, more.rule, &RuleCount::rule);
      if (known == merged.decisions.end()) {
        merged.decisions.push_back(std::move(more));
        continue;
      }
      known->count += more.count;
      if (known->remark != more.remark) known->remark.clear();  // Its numbers are of one part.
    }
    for (auto& [name, latency] : part.steps) {
      const auto known =
          std::ranges::find(merged.steps, name, &std::pair<std::string, Histogram>::first);
      if (known == merged.steps.end()) {
        merged.steps.emplace_back(name, std::move(latency));
      } else {
        known->second.Merge(latency);
      }
    }
    for (const auto& [type, count] : part.system_log) {
      merged.system_log[type] = std::max(merged.system_log[type], count);
    }
    const auto append = [](auto& list, auto& more) {
      list.insert(list.end(), more.begin(), more.end());
    };
    for (ProcessUsage& more : part.resources.processes) {
      auto& all = merged.resources.processes;
      const auto known = std::ranges::find(all, more.name, &ProcessUsage::name);
      if (known == all.end()) {
        all.push_back(std::move(more));
        continue;
      }
      known->cpu_seconds += more.cpu_seconds;
      known->pss_bytes += more.pss_bytes;
    }
    append(merged.story, part.story);
    append(merged.violations, part.violations);
    merged.resources.wall_seconds =
        std::max(merged.resources.wall_seconds, part.resources.wall_seconds);
    for (const auto& [why, more] : {std::pair{&merged.failure, &part.failure},
                                    std::pair{&merged.fell_behind, &part.fell_behind}}) {
      if (!more->empty()) *why += (why->empty() ? "" : "; ") + *more;
    }
    Add(merged.recording, std::move(part.recording));
  }
  return merged;
}

}  // namespace devicetrust::simulator
