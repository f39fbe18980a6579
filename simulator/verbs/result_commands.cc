#include "simulator/verbs/result_commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "libs/base/files.h"
#include "simulator/deployment/run_folder.h"
#include "simulator/report/comparison.h"
#include "simulator/report/html_report.h"
#include "simulator/verbs/run.h"

namespace devicetrust::simulator {
namespace {

constexpr std::size_t kResultsMax = 1000;

absl::Status PutOut(const std::string& path, const std::string& text, std::FILE* out) {
  if (path == "-") {
    std::fputs(text.c_str(), out);
    return absl::OkStatus();
  }
  DT_RETURN_IF_ERROR(CheckWritable("--out", path, ""));
  return WriteFileAtomically(path, text, 0644);
}

// A file that is not there is bad usage, and no verdict.
absl::StatusOr<RunResult> GivenResult(const std::string& path) {
  absl::StatusOr<RunResult> result = ReadResult(path);
  if (!result.ok()) return absl::InvalidArgumentError(result.status().message());
  return result;
}

// The results of a folder, by name, or the one of a file.
absl::StatusOr<std::vector<RunResult>> RoundsAt(const std::string& path) {
  std::vector<std::string> files = {path};
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    files.clear();
    std::filesystem::directory_iterator at(path, error);
    for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
      if (at->path().extension() == ".json") files.push_back(at->path());
    }
    std::ranges::sort(files);
  }
  if (files.empty() || files.size() > kResultsMax) {
    return absl::InvalidArgumentError(
        fmt::format("{} holds {} files that end in .json: give a folder with 1 to {} results of "
                    "dt-sim run --json, or one of them",
                    path, files.size(), kResultsMax));
  }
  std::vector<RunResult> rounds;
  for (const std::string& file : files) {
    DT_ASSIGN_OR_RETURN(RunResult round, GivenResult(file));
    rounds.push_back(std::move(round));
  }
  return rounds;
}

bool IsSameFile(const std::string& one, const std::string& other) {
  std::error_code error;
  return one == other || std::filesystem::equivalent(one, other, error);
}

// Figures of different work do not compare.
absl::Status CheckSameScenario(const std::vector<RunResult>& results) {
  for (const RunResult& result : results) {
    if (result.scenario == results.front().scenario) continue;
    return absl::InvalidArgumentError(
        fmt::format("one result is of the scenario '{}', another of '{}': give results of the same "
                    "scenario",
                    results.front().scenario, result.scenario));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteReport(const ReportOptions& options, std::FILE* out) {
  DT_ASSIGN_OR_RETURN(const RunResult result, GivenResult(options.result));
  const std::string path =
      !options.out.empty()
          ? options.out
          : std::filesystem::path(options.result).replace_extension(".html").string();
  if (IsSameFile(path, options.result)) {
    return absl::InvalidArgumentError(
        fmt::format("{} is the result itself: name another file with --out", path));
  }
  DT_RETURN_IF_ERROR(PutOut(path, HtmlReport(result), out));
  if (path != "-") std::fprintf(out, "Report: %s\n", path.c_str());
  return absl::OkStatus();
}

absl::StatusOr<int> CompareRuns(const CompareOptions& options, std::FILE* out) {
  DT_ASSIGN_OR_RETURN(const std::vector<RunResult> before, RoundsAt(options.before));
  DT_ASSIGN_OR_RETURN(const std::vector<RunResult> after, RoundsAt(options.after));
  std::vector<RunResult> all = before;
  all.insert(all.end(), after.begin(), after.end());
  DT_RETURN_IF_ERROR(CheckSameScenario(all));
  const Comparison comparison = Compare(before, after);
  const double tolerance = options.tolerance / 100.0;
  const std::string text = options.json
                               ? ComparisonJson(comparison, tolerance)
                               : ComparisonText(comparison, tolerance, Style::Of(::fileno(out)));
  std::fputs(text.c_str(), out);
  switch (comparison.OutcomeWithin(tolerance)) {
    case Comparison::Outcome::kNotWorse:
      return EXIT_SUCCESS;
    case Comparison::Outcome::kWorse:
      return EXIT_FAILURE;
    case Comparison::Outcome::kNothing:
      return kFellBehind;
  }
  return EXIT_FAILURE;
}

absl::StatusOr<int> MergeRuns(const MergeOptions& options, std::FILE* out) {
  std::vector<RunResult> parts;
  for (auto at = options.results.begin(); at != options.results.end(); ++at) {
    const std::string& path = *at;
    const auto same = [&path](const std::string& other) { return IsSameFile(path, other); };
    if (std::any_of(options.results.begin(), at, same) || same(options.out)) {
      return absl::InvalidArgumentError(path +
                                        " is named twice: name each part once, and another "
                                        "file with --out");
    }
    DT_ASSIGN_OR_RETURN(RunResult part, GivenResult(path));
    if (!parts.empty() &&
        (part.scenario != parts.front().scenario || part.version != parts.front().version)) {
      return absl::InvalidArgumentError(
          fmt::format("{} is of '{}' by version {}, and {} of '{}' by version {}: parts are of one "
                      "run",
                      path, part.scenario, part.version, options.results.front(),
                      parts.front().scenario, parts.front().version));
    }
    parts.push_back(std::move(part));
  }
  const RunResult merged = MergeResults(std::move(parts));
  DT_RETURN_IF_ERROR(PutOut(options.out, ToJson(merged), out));
  if (!merged.failure.empty() || !merged.violations.empty()) return EXIT_FAILURE;
  return merged.fell_behind.empty() ? EXIT_SUCCESS : kFellBehind;
}

}  // namespace devicetrust::simulator
