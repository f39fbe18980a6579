#include "libs/service/command_line.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

#include "libs/base/encoding.h"
#include "libs/base/printable.h"

namespace devicetrust::service {
namespace {

constexpr std::size_t kWordBytesMax = 80;

std::string ShownWord(std::string_view word) { return JsonQuote(word.substr(0, kWordBytesMax)); }

bool TakesNoValue(const CLI::Option& option) { return option.get_items_expected_max() == 0; }

class HelpForm : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App* app, std::string name) const override {
    const std::string usage = Formatter::make_usage(app, std::move(name));
    return app->get_footer().empty() ? usage : usage + "\n" + app->get_footer() + "\n";
  }
  std::string make_footer(const CLI::App* /*app*/) const override { return ""; }

  std::string make_subcommand(const CLI::App* verb) const override {
    const std::string about = verb->get_description();
    return fmt::format("  {:<16} {}\n", verb->get_name(), about.substr(0, about.find('\n')));
  }

  // CLI11 writes what a flag means behind it: "--backup{false}".
  std::string make_option_name(const CLI::Option* option, bool is_positional) const override {
    std::string name = Formatter::make_option_name(option, is_positional);
    for (std::size_t at = 0; (at = name.find("{false}")) != std::string::npos;) name.erase(at, 7);
    return name;
  }

  // The form alone: what a positional argument is, its name and the usage say.
  std::string make_option_opts(const CLI::Option* option) const override {
    if (option->get_positional() || TakesNoValue(*option)) return "";
    std::string form = " " + option->get_type_name();
    if (option->get_required()) form += " (required)";
    return form + (option->get_expected_max() > 1 ? " ..." : "");
  }

  std::string make_option_desc(const CLI::Option* option) const override {
    const std::string about = option->get_description();
    const std::string standard = option->get_default_str();
    return standard.empty() ? about : fmt::format("{} (default: {})", about, standard);
  }

  // Of a group of options, of which one is given.
  std::string make_expanded(const CLI::App* group) const override {
    if (!group->get_name().empty()) return Formatter::make_expanded(group);
    return make_group(
        group->get_group() + ", one of", false,
        group->get_options([](const CLI::Option* option) { return !TakesNoValue(*option); }));
  }
};

// The program and the verbs that the command line names.
std::vector<const CLI::App*> PathOf(const CLI::App& app) {
  std::vector<const CLI::App*> path = {&app};
  while (!path.back()->get_subcommands().empty()) {
    path.push_back(path.back()->get_subcommands().front());
  }
  return path;
}

std::string Words(const std::vector<const CLI::App*>& path) {
  std::vector<std::string> names;
  for (const CLI::App* const app : path) names.push_back(app->get_name());
  return fmt::format("{}", fmt::join(names, " "));
}

// A group of options is a verb without a name.
std::vector<const CLI::Option*> OptionsWithin(const CLI::App& app) {
  std::vector<const CLI::Option*> options = app.get_options();
  for (const CLI::App* const group : app.get_subcommands({})) {
    if (!group->get_name().empty()) continue;
    for (const CLI::Option* const option : OptionsWithin(*group)) options.push_back(option);
  }
  return options;
}

std::vector<const CLI::Option*> OptionsOn(const std::vector<const CLI::App*>& path) {
  std::vector<const CLI::Option*> options;
  for (const CLI::App* const app : path) {
    for (const CLI::Option* const option : OptionsWithin(*app)) options.push_back(option);
  }
  return options;
}

std::string FormOf(const CLI::Option& option) {
  const std::string form = option.get_type_name();
  const std::size_t need = form.find(" (required)");
  return form.substr(0, need);
}

// Letters to change, add, leave out or swap with their neighbour on the way from one word to the
// other (optimal string alignment).
std::size_t Distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

// "; did you mean --devices?", or nothing.
std::string Suggestion(std::string_view word, const std::vector<std::string>& known) {
  if (word.size() > kWordBytesMax) return "";
  std::size_t least = std::max<std::size_t>(1, word.size() / 3) + 1;
  std::string nearest;
  for (const std::string& name : known) {
    const bool begins = word.size() >= 4 && name.starts_with(word);
    const std::size_t distance = begins ? 1 : Distance(word, name);
    if (distance >= least) continue;
    least = distance;
    nearest = name;
  }
  return nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest);
}

std::vector<std::string> FlagNames(const std::vector<const CLI::App*>& path) {
  std::vector<std::string> names;
  for (const CLI::Option* const option : OptionsOn(path)) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

std::vector<std::string> VerbNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* const verb : app.get_subcommands({})) {
    if (!verb->get_name().empty()) names.push_back(verb->get_name());
  }
  return names;
}

// Left over by `app`, one of `path`.
std::string UnknownFlag(const std::vector<const CLI::App*>& path, const CLI::App& app,
                        const std::string& word) {
  const std::string name = word.substr(0, word.find('='));
  std::string message = fmt::format("there is no option {}", name);
  for (const CLI::App* const verb : app.get_subcommands({})) {
    const std::vector<std::string> names = FlagNames({verb});
    if (std::ranges::count(names, name) == 0) continue;
    return fmt::format("{} here; it stands behind {}", message, verb->get_name());
  }
  const std::vector<std::string> names = FlagNames(path);
  if (std::ranges::count(names, name) > 0) return message + " here";  // It is of a verb before it.
  return message + Suggestion(name, names);
}

// Of the words that nobody knows the first. What follows may belong to it.
std::optional<std::string> UnknownWord(const std::vector<const CLI::App*>& path) {
  for (const CLI::App* const app : path) {
    for (const std::string& word : app->remaining()) {
      if (word == "--") continue;
      if (word.size() > 1 && word.front() == '-') return UnknownFlag(path, *app, word);
      const std::vector<std::string> verbs = VerbNames(*app);
      if (!verbs.empty() && app == path.back()) {
        return fmt::format("there is no verb {}{}", ShownWord(word), Suggestion(word, verbs));
      }
      return fmt::format("{} is one word too many", ShownWord(word));
    }
  }
  return std::nullopt;
}

std::string DisplayName(const CLI::Option& option) {
  if (option.get_positional()) return option.get_name(true, false);
  return FormOf(option).empty() ? option.get_name()
                                : fmt::format("{} {}", option.get_name(), FormOf(option));
}

// Of an option group with require_option(1): "give --user or --serial".
std::optional<std::string> MissingChoice(const CLI::App& app) {
  for (const CLI::App* const group : app.get_subcommands({})) {
    if (!group->get_name().empty() || group->get_require_option_min() == 0) continue;
    std::vector<std::string> names;
    std::size_t used = 0;
    for (const CLI::Option* const option : group->get_options()) {
      if (TakesNoValue(*option)) continue;  // --help, of every group.
      names.push_back(option->get_name());
      used += option->count() > 0 ? 1 : 0;
    }
    if (used < group->get_require_option_min()) {
      return fmt::format("one of {} is missing", fmt::join(names, ", "));
    }
    if (used > group->get_require_option_max()) {
      return fmt::format("{} exclude one another: give one", fmt::join(names, " and "));
    }
  }
  return std::nullopt;
}

std::string WhatIsMissing(const std::vector<const CLI::App*>& path) {
  std::vector<const CLI::Option*> missing;
  for (const CLI::Option* const option : OptionsOn(path)) {
    if (option->get_required() && option->count() == 0) missing.push_back(option);
  }
  if (missing.size() == 1) {
    return fmt::format("{} is missing: {}", DisplayName(*missing.front()),
                       missing.front()->get_description());
  }
  if (!missing.empty()) {
    std::string message = fmt::format("{} arguments are missing:", missing.size());
    for (const CLI::Option* const option : missing) {
      message +=
          fmt::format("\n        {:<20} {}", DisplayName(*option), option->get_description());
    }
    return message;
  }
  if (const auto choice = MissingChoice(*path.back())) return *choice;
  return fmt::format("a verb is missing behind {}: {}", Words(path),
                     fmt::join(VerbNames(*path.back()), ", "));
}

// Of an option that wants another one, or can't stand it.
std::optional<std::string> Misfit(const std::vector<const CLI::App*>& path) {
  for (const CLI::Option* const option : OptionsOn(path)) {
    if (option->count() == 0) continue;
    for (const CLI::Option* const other : option->get_needs()) {
      if (other->count() > 0) continue;
      return fmt::format("{} goes with {}: give both", option->get_name(), other->get_name());
    }
    for (const CLI::Option* const other : option->get_excludes()) {
      if (other->count() == 0) continue;
      return fmt::format("{} does not go with {}", option->get_name(), other->get_name());
    }
  }
  return std::nullopt;
}

// CLI11 tells of an option by its name alone, which begins or is in the middle of its text.
const CLI::Option* OptionIn(const std::vector<const CLI::App*>& path, const std::string& text) {
  const CLI::Option* found = nullptr;
  for (const CLI::Option* const option : OptionsOn(path)) {
    const std::string name = option->get_name();
    const bool named = text.starts_with(name + ":") || text.starts_with(name + " ") ||
                       text.find(": " + name + " = ") != std::string::npos;
    if (named && (found == nullptr || name.size() > found->get_name().size())) found = option;
  }
  return found;
}

std::string WhatIsWrongWith(const CLI::Option& option, const CLI::ParseError& error) {
  const std::string name = option.get_name();
  const std::string text = error.what();
  if (dynamic_cast<const CLI::ValidationError*>(&error) != nullptr) {
    return name + text.substr(std::min(text.size(), name.size() + 1));  // Our own words.
  }
  if (TakesNoValue(option)) return fmt::format("{} takes no value", name);
  if (text.ends_with(" missing")) return fmt::format("{} needs a value: {}", name, FormOf(option));
  const std::vector<std::string>& values = option.results();
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr && values.size() > 1) {
    return fmt::format("{} is given {} times: give it once", name, values.size());
  }
  return fmt::format("{} is {}, not {}", name, ShownWord(values.empty() ? "" : values.back()),
                     FormOf(option));
}

std::string Explanation(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<const CLI::App*> path = PathOf(app);
  if (auto unknown = UnknownWord(path)) return *unknown;
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) return WhatIsMissing(path);
  const bool pair = dynamic_cast<const CLI::RequiresError*>(&error) != nullptr ||
                    dynamic_cast<const CLI::ExcludesError*>(&error) != nullptr;
  if (pair) {
    if (auto misfit = Misfit(path)) return *misfit;
  }
  if (const CLI::Option* const option = OptionIn(path, error.what())) {
    return WhatIsWrongWith(*option, error);
  }
  return "this command line makes no sense";
}

void Check(CLI::Option& option, std::string form,
           std::function<std::string(const std::string&)> complaint) {
  option.type_name(std::move(form));
  option.check(CLI::Validator(
      [complaint = std::move(complaint)](std::string& text) { return complaint(text); }, ""));
}

// The default as --help shows it; empty: not at all.
std::string DefaultOf(const Option& option) {
  const std::optional<TomlValue> value = option.get();
  if (!value.has_value()) return "";
  if (const auto* text = std::get_if<std::string>(&*value)) return *text;
  if (const auto* texts = std::get_if<std::vector<std::string>>(&*value)) {
    return fmt::format("{}", fmt::join(*texts, ","));
  }
  const auto* const number = std::get_if<std::int64_t>(&*value);
  const bool is_one = number != nullptr && option.min <= *number && *number <= option.max;
  return is_one ? fmt::format("{}", *number) : "";  // Out of its range: it stands for "none".
}

CLI::Option* AddFlag(CLI::App& app, const Option& option) {
  CLI::Option* flag = nullptr;
  if (option.kind == Option::Kind::kSwitch) {
    const std::string off = option.off_name.empty() ? "" : ",!--" + option.off_name;
    flag = app.add_flag(fmt::format("--{}{}", option.name, off), option.help);
  } else {
    flag = app.add_option("--" + option.name, CLI::callback_t(), option.help);
    const bool many = option.kind == Option::Kind::kTexts || option.kind == Option::Kind::kGroups;
    if (many) flag->expected(1, CLI::detail::expected_max_vector_size)->allow_extra_args();
    const bool required = option.need == Need::kRequired;
    flag->type_name(option.form + (required ? " (required)" : ""))->default_str(DefaultOf(option));
  }
  flag->group(option.heading);
  return flag;
}

}  // namespace

void SetHelpForm(CLI::App& app) {
  const auto form = std::make_shared<HelpForm>();
  form->column_width(40);
  app.formatter(form);
}

std::optional<int> ParseCommandLine(CLI::App& app, int argc, const char* const* argv) {
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::Success& success) {
    app.exit(success);
    return EXIT_SUCCESS;
  } catch (const CLI::ParseError& error) {
    return RefuseCommandLine(app, absl::InvalidArgumentError(Explanation(app, error)));
  }
}

int RefuseCommandLine(const CLI::App& app, const absl::Status& status) {
  const std::string message = PrintableLines(std::string(status.message()));
  const std::string indent(app.get_name().size() + 2, ' ');
  std::fprintf(stderr, "%s: %s\n%s%s --help explains the options\n", app.get_name().c_str(),
               message.c_str(), indent.c_str(), Words(PathOf(app)).c_str());
  return kUsageError;
}

void MustBeNumber(CLI::Option& option, std::int64_t min, std::int64_t max) {
  const std::string form = fmt::format("{}..{}", min, max);
  Check(option, form, [min, max, form](const std::string& text) -> std::string {
    std::int64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    const bool is_number = error == std::errc() && stop == end;
    const bool good = is_number && min <= number && number <= max;
    return good ? "" : fmt::format("is {}, not {}", is_number ? text : ShownWord(text), form);
  });
}

void MustBeOneOf(CLI::Option& option, std::vector<std::string> choices) {
  const std::string form = fmt::format("{}", fmt::join(choices, "|"));
  Check(option, form, [choices = std::move(choices), form](const std::string& text) -> std::string {
    if (std::ranges::count(choices, text) > 0) return "";
    return fmt::format("is {}, not {}", ShownWord(text), form);
  });
}

void MustBeKnown(CLI::Option& option, const std::string& form, std::vector<std::string> choices) {
  Check(option, form, [choices = std::move(choices)](const std::string& text) -> std::string {
    if (std::ranges::count(choices, text) > 0) return "";
    return fmt::format("is {}, which is none that there is{}", ShownWord(text),
                       Suggestion(text, choices));
  });
}

void RefuseEmptyTexts(CLI::App& app, const std::vector<std::string>& may_be_empty) {
  for (CLI::Option* const option : app.get_options()) {
    if (TakesNoValue(*option)) continue;
    if (std::ranges::count(may_be_empty, option->get_name()) > 0) continue;
    const std::string what = option->get_description();
    Check(*option, option->get_type_name(), [what](const std::string& text) -> std::string {
      if (text.find_first_not_of(" \t\r\n") != std::string::npos) return "";
      return fmt::format("is empty; it must say: {}", what);
    });
  }
  for (CLI::App* const verb : app.get_subcommands({})) RefuseEmptyTexts(*verb, may_be_empty);
}

Flags::Flags(CLI::App& app, const Options& options) {
  for (const Option& option : options.all()) {
    names_.push_back(option.name);
    flags_.push_back(AddFlag(app, option));
  }
}

absl::Status Flags::Set(const Options& options) const {
  for (std::size_t at = 0; at < flags_.size(); ++at) {
    if (flags_[at]->count() == 0) continue;
    DT_RETURN_IF_ERROR(options.ReadFlag(options.all()[at], flags_[at]->results()));
  }
  return absl::OkStatus();
}

bool Flags::given(std::string_view name) const {
  const auto found = std::ranges::find(names_, name);
  return found != names_.end() &&
         flags_[static_cast<std::size_t>(found - names_.begin())]->count() > 0;
}

}  // namespace devicetrust::service
