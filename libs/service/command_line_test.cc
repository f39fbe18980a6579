#include "libs/service/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

#include "libs/testing/status.h"

namespace devicetrust::service {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

struct FlagsConfig {
  int devices = 7;
  std::string names = "fresh";
  std::vector<std::string> files;
  bool verbose = false;
  int descriptor = -1;
};

void Describe(FlagsConfig& config, Options& options) {
  options.Number("devices", config.devices, 1, 50'000, "How many");
  options.Choice("names", config.names, {"fresh", "fixed"}, "Names");
  options.Texts("file", config.files, "FILE", "Files");
  options.Flag("verbose", config.verbose, "More words");
  options.Number("descriptor", config.descriptor, 0, 1023, "Where to write");
}

// A program "dt-x" with a verb of declared flags and one with operands.
class CommandLineTest : public ::testing::Test {
 protected:
  CommandLineTest() {
    SetHelpForm(app_);
    app_.set_version_flag("--version", "1.2.3");
    app_.require_subcommand(1);
    app_.footer("Examples:\n  dt-x run");
    run_ = app_.add_subcommand("run", "Runs");
    flags_.emplace(*run_, options_);
    CLI::App* const revoke = app_.add_subcommand("revoke", "Revokes");
    revoke->add_option("app", app_name_, "The app's id")->required();
    revoke->add_option("file", file_, "JSON")->required();
    CLI::Option* const limit = revoke->add_option("--limit", limit_, "At most so many");
    MustBeNumber(*limit, 1, 100);
    MustBeOneOf(*revoke->add_option("--reason", reason_, "Why"), {"lost", "stolen"});
    revoke->add_option("--url", url_, "Where; \"\" removes it");
    revoke->add_flag("--yes", yes_, "Don't ask");
    auto* const which = revoke->add_option_group("Which")->require_option(1);
    which->add_option("--user", user_, "Whose");
    CLI::Option* const serial = which->add_option("--serial", serial_, "Which");
    revoke->add_flag("--all", all_, "Everything of the user")->needs(limit)->excludes(serial);
    RefuseEmptyTexts(app_, {"--url"});
  }

  // The exit code, -1 to go on; error_ and out_ are what was printed.
  int Parse(std::vector<std::string> words) {
    words.insert(words.begin(), "dt-x");
    std::vector<const char*> argv;
    for (const std::string& word : words) argv.push_back(word.c_str());
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    std::optional<int> code = ParseCommandLine(app_, static_cast<int>(argv.size()), argv.data());
    if (!code && run_->parsed()) {
      if (const absl::Status set = flags_->Set(options_); !set.ok()) {
        code = RefuseCommandLine(app_, set);
      }
    }
    out_ = ::testing::internal::GetCapturedStdout();
    error_ = ::testing::internal::GetCapturedStderr();
    return code.value_or(-1);
  }

  // What a refused command line is told, without the way out.
  std::string Complaint(const std::vector<std::string>& words) {
    EXPECT_EQ(Parse(words), kUsageError);
    EXPECT_EQ(out_, "");
    EXPECT_TRUE(error_.starts_with("dt-x: ")) << error_;
    EXPECT_TRUE(error_.ends_with(" --help explains the options\n")) << error_;
    return error_.substr(6, error_.rfind("\n      ") - 6);
  }

  CLI::App app_{"A program", "dt-x"};
  FlagsConfig config_;
  const Options options_ = OptionsOf(config_);
  std::optional<Flags> flags_;
  CLI::App* run_ = nullptr;
  std::string app_name_, file_, reason_, url_, user_, serial_;
  int limit_ = 0;
  bool yes_ = false;
  bool all_ = false;
  std::string out_;
  std::string error_;
};

TEST_F(CommandLineTest, TakesWhatIsRight) {
  EXPECT_EQ(Parse({"run", "--devices", "50000", "--file", "a", "--file", "b", "--verbose"}), -1)
      << error_;
  EXPECT_EQ(config_.devices, 50'000);
  EXPECT_EQ(config_.files, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(config_.verbose);
  EXPECT_TRUE(flags_->given("devices"));
  EXPECT_FALSE(flags_->given("names"));
  EXPECT_EQ(Parse({"revoke", "mail", "-", "--user", "ada", "--limit", "3", "--url", ""}), -1)
      << error_;
  EXPECT_EQ(limit_, 3);
}

TEST_F(CommandLineTest, NamesTheValueAndWhatItMustBe) {
  for (const char* const value : {"abc", "1 ", "99999999999999999999"}) {
    EXPECT_EQ(Complaint({"run", "--devices", value}),
              fmt::format("--devices is \"{}\", not 1..50000", value));
  }
  for (const char* const number : {"0", "50001", "-1"}) {
    EXPECT_EQ(Complaint({"run", "--devices", number}),
              fmt::format("--devices is {}, not 1..50000", number));
  }
  EXPECT_EQ(Complaint({"run", "--names", "stale"}), "--names is \"stale\", not fresh|fixed");
  const std::vector<std::string> good = {"revoke", "mail", "f", "--user", "ada"};
  const auto with = [&good](std::vector<std::string> more) {
    more.insert(more.begin(), good.begin(), good.end());
    return more;
  };
  EXPECT_EQ(Complaint(with({"--limit", "x"})), "--limit is \"x\", not 1..100");
  EXPECT_EQ(Complaint(with({"--limit", "101"})), "--limit is 101, not 1..100");
  EXPECT_EQ(Complaint(with({"--reason", "bored"})), "--reason is \"bored\", not lost|stolen");
  EXPECT_EQ(Complaint(with({"--reason"})), "--reason needs a value: lost|stolen");
  EXPECT_EQ(Complaint(with({"--limit", "1", "--limit", "2"})),
            "--limit is given 2 times: give it once");
  EXPECT_THAT(Complaint(with({"--yes=perhaps"})), HasSubstr("--yes takes no value"));
}

TEST_F(CommandLineTest, AWordThatNobodyKnowsComesBeforeWhatIsMissing) {
  EXPECT_EQ(Complaint({"rvoke"}), "there is no verb \"rvoke\"; did you mean revoke?");
  EXPECT_EQ(Complaint({"wurst"}), "there is no verb \"wurst\"");
  EXPECT_EQ(Complaint({"run", "--devcies", "7"}),
            "there is no option --devcies; did you mean --devices?");
  EXPECT_EQ(Complaint({"revoke", "--limt=7"}), "there is no option --limt; did you mean --limit?");
  EXPECT_EQ(Complaint({"revoke", "--zzz"}), "there is no option --zzz");
  EXPECT_EQ(Complaint({"--devices", "7", "run"}),
            "there is no option --devices here; it stands behind run");
  EXPECT_EQ(Complaint({"run", "fast"}), "\"fast\" is one word too many");
}

TEST_F(CommandLineTest, WhatIsMissingComesAllAtOnce) {
  EXPECT_EQ(Complaint({"revoke", "--user", "ada"}),
            "2 arguments are missing:\n"
            "        app                  The app's id\n"
            "        file                 JSON");
  EXPECT_EQ(Complaint({"revoke", "mail", "--user", "ada"}), "file is missing: JSON");
  EXPECT_EQ(Complaint({}), "a verb is missing behind dt-x: run, revoke");
  EXPECT_EQ(Complaint({"revoke", "mail", "f"}), "one of --user, --serial is missing");
  EXPECT_EQ(Complaint({"revoke", "mail", "f", "--user", "a", "--serial", "1"}),
            "--user and --serial exclude one another: give one");
}

TEST_F(CommandLineTest, OptionsThatWantOneAnotherOrDoNotAreNamed) {
  EXPECT_EQ(Complaint({"revoke", "mail", "f", "--user", "a", "--all"}),
            "--all goes with --limit: give both");
  EXPECT_EQ(Complaint({"revoke", "mail", "f", "--serial", "1", "--all", "--limit", "5"}),
            "--all does not go with --serial");
}

TEST_F(CommandLineTest, AnEmptyTextIsNone) {
  EXPECT_EQ(Complaint({"revoke", "mail", "", "--user", "ada"}), "file is empty; it must say: JSON");
  EXPECT_EQ(Complaint({"revoke", "mail", "f", "--user", " "}),
            "--user is empty; it must say: Whose");
}

TEST_F(CommandLineTest, TheWayOutIsTheHelpOfTheVerb) {
  Parse({"revoke", "mail", "f", "--user", "a", "--limit", "x"});
  EXPECT_THAT(error_, HasSubstr("\n      dt-x revoke --help explains the options\n"));
  Parse({"run", "--devices", "x"});
  EXPECT_THAT(error_, HasSubstr("\n      dt-x run --help explains the options\n"));
  EXPECT_EQ(Complaint({"run", "--\x1b[2J"}), "there is no option --\\u001b[2J");
}

TEST_F(CommandLineTest, HelpShowsExamplesFirstAndEachOptionOnce) {
  EXPECT_EQ(Parse({"--help"}), 0);
  EXPECT_LT(out_.find("Examples:"), out_.find("--version"));
  EXPECT_EQ(Parse({"--version"}), 0);
  EXPECT_EQ(out_, "1.2.3\n");
  EXPECT_EQ(Parse({"run", "--help"}), 0);
  EXPECT_THAT(out_, ContainsRegex("--devices 1..50000 +How many .default: 7.\n"));
  EXPECT_THAT(out_, ContainsRegex("--descriptor 0..1023 +Where to write\n"));
  EXPECT_THAT(out_, ContainsRegex("--file FILE ... +Files\n"));
  EXPECT_THAT(out_, Not(HasSubstr("{false}")));
  EXPECT_EQ(Parse({"revoke", "--help"}), 0);
  EXPECT_THAT(out_, ContainsRegex("  app +The app's id\n"));
  EXPECT_THAT(out_, ContainsRegex("Which, one of:\n  --user .*\n  --serial "));
}

}  // namespace
}  // namespace devicetrust::service
