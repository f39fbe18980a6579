// Command lines: CLI11 takes them apart, this says what is wrong with one. Every program of ours
// says it in the same form, with the program, the option, the value and the way out:
//
//   dt-sim: --devices is "abc", not 1..50000
//           dt-sim run --help explains the options
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/status.h"
#include "libs/service/options.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace devicetrust::service {

inline constexpr int kUsageError = 2;  // Exit code of every program.

// --help in the form of all programs: usage, the examples of the footer, then the options; of verbs
// the first line of what they are about. Call it before any verb is added, which inherits it.
void SetHelpForm(CLI::App& app);

// Parses. Nothing: go on. Else the exit code of a program that has nothing more to do: 0 after
// --help or --version, which stand on standard output; kUsageError after a command line that makes
// no sense, which standard error explains. Of several faults a word that nobody knows comes first,
// with the one that was perhaps meant; what is missing comes all at once.
std::optional<int> ParseCommandLine(CLI::App& app, int argc, const char* const* argv);

// Explains `status` as the fault of the command line that `app` has parsed. Returns kUsageError.
int RefuseCommandLine(const CLI::App& app, const absl::Status& status);

// What the value of an option must be, for --help and for errors. CLI11's own checks have words of
// their own.
void MustBeNumber(CLI::Option& option, std::int64_t min, std::int64_t max);
void MustBeOneOf(CLI::Option& option, std::vector<std::string> choices);
// The same of choices too many to list: `form` stands for them, and an error names the nearest.
void MustBeKnown(CLI::Option& option, const std::string& form, std::vector<std::string> choices);
// Every option and operand of `app` and its verbs that takes a text must be given one that is not
// empty or blank, but those that `may_be_empty` names ("--learn-more-url").
void RefuseEmptyTexts(CLI::App& app, const std::vector<std::string>& may_be_empty);

// Declared options (options.h) as flags of `app`, which outlives this object. Values stay in the
// parser until Set(), so that a file may be read before, which they override.
class Flags {
 public:
  Flags(CLI::App& app, const Options& options);

  // Into `options`, the same as before. kInvalidArgument names the flag.
  absl::Status Set(const Options& options) const;
  bool given(std::string_view name) const;

 private:
  std::vector<std::string> names_;
  std::vector<const CLI::Option*> flags_;  // In the order of the options.
};

}  // namespace devicetrust::service
