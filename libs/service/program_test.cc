#include "libs/service/program.h"

#include <gtest/gtest.h>

#include <csignal>

#include "libs/base/files.h"
#include "libs/service/config.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"

namespace devicetrust::service {
namespace {

struct TestConfig : ComponentConfig, InternalListenerConfig, GrowingStoreConfig {
  TestConfig() {
    internal_listen = "127.0.0.1:7000";
    database = "sqlite:test.db";
  }

  int days = 365;
  std::size_t threads = 0;
  std::string names = "fresh";
  std::optional<bool> capability;
  bool primary = true;
  std::vector<std::string> realms = {"CORP.TEST"};
};

void Describe(TestConfig& config, Options& options) {
  DescribeComponent(config, "test", options);
  DescribeInternalListener(config, options);
  DescribeGrowingStore(config, options);
  options.Heading("Own");
  options.Number("days", config.days, 1, 825, "Days");
  options.Number("threads", config.threads, 0, 256, "Threads");
  options.Choice("names", config.names, {"fresh", "fixed"}, "Names");
  options.OnOff("capability", config.capability, "Capability");
  options.Switch("primary", "backup", config.primary, "Which");
  options.Texts("realm", config.realms, "REALM", "Realms");
}

class ProgramTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return folder_ / name; }

  static std::vector<std::string> Required() {
    return {"--internal-cert", "c.pem",  "--internal-key", "k.pem",
            "--deployment-ca", "ca.pem", "--kek-file",     "kek"};
  }

  // The exit code of dt-test with those arguments; `started_` counts how often it started.
  int Run(std::vector<std::string> arguments) {
    config_ = TestConfig();
    arguments.insert(arguments.begin(), "dt-test");
    std::vector<const char*> argv;
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int code =
        RunProgram({"dt-test", "1.2.3", "A program", {"dt-test --days 1"}}, OptionsOf(config_),
                   steps_, static_cast<int>(argv.size()), argv.data());
    out_ = ::testing::internal::GetCapturedStdout();
    error_ = ::testing::internal::GetCapturedStderr();
    return code;
  }

  int RunWith(const std::vector<std::string>& more) {
    std::vector<std::string> arguments = Required();
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  }

  testing::TempFolder folder_;
  TestConfig config_;
  absl::Status checked_;
  int started_ = 0;
  int stopped_ = 0;
  Steps steps_{[this] { return checked_; },
               [this](const Clock&, Random&) -> absl::StatusOr<Service> {
                 ++started_;
                 raise(SIGTERM);  // Blocked by then: waits for who asks.
                 return Service{{{"internal", "127.0.0.1:1"}}, [this] { ++stopped_; }, {}, {}};
               }};
  std::string out_;
  std::string error_;
};

TEST_F(ProgramTest, ServesUntilASignal) {
  const std::string ready = Path("ready.json");
  EXPECT_EQ(RunWith({"--ready-file", ready}), 0) << error_;
  EXPECT_EQ(started_, 1);
  EXPECT_EQ(stopped_, 1);
  EXPECT_EQ(ReadFile(ready).value(), "{\"internal\":\"127.0.0.1:1\"}\n");
  EXPECT_NE(error_.find(R"("event":"process.ready","addresses":"internal=127.0.0.1:1")"),
            std::string::npos)
      << error_;
}

TEST_F(ProgramTest, ASignalEndsTheWaitForOthersToo) {
  const std::string ready = Path("never.json");
  steps_.start = [this](const Clock&, Random&) -> absl::StatusOr<Service> {
    raise(SIGTERM);
    return Service{{}, [this] { ++stopped_; }, [](auto) { return false; }, "the org"};
  };
  EXPECT_EQ(RunWith({"--ready-file", ready}), 0) << error_;
  EXPECT_EQ(stopped_, 1);
  DT_EXPECT_CODE(ReadFile(ready), kNotFound);
}

TEST_F(ProgramTest, AHangUpReadsFilesAgainWhereThereAreAny) {
  int reloads = 0;
  steps_.start = [&](const Clock&, Random&) -> absl::StatusOr<Service> {
    raise(SIGHUP);
    Service service{{}, [this] { ++stopped_; }, {}, {}};
    service.reload = [&reloads] {
      ++reloads;
      raise(SIGTERM);
    };
    return service;
  };
  EXPECT_EQ(RunWith({}), 0) << error_;
  EXPECT_EQ(reloads, 1);
  EXPECT_EQ(stopped_, 1);
}

TEST_F(ProgramTest, NamesTheLineOfTheFileThatIsWrong) {
  const std::string file = Path("config.toml");
  DT_ASSERT_OK(WriteFileAtomically(file, "org = \"filed\"\n\ndays = 30\n"));
  checked_ = absl::InvalidArgumentError("--days: there is no such file");
  EXPECT_EQ(RunWith({"--config", file, "check-config"}), 1);
  EXPECT_NE(error_.find("config.toml:3: --days: there is"), std::string::npos) << error_;
  EXPECT_EQ(RunWith({"--config", file, "--days", "7", "check-config"}), 1);
  EXPECT_NE(error_.find("dt-test: --days: there is"), std::string::npos) << error_;
  checked_ = absl::InvalidArgumentError("--kek-file is missing");
  EXPECT_EQ(RunWith({"--config", file, "check-config"}), 1);
  EXPECT_NE(error_.find("dt-test: --kek-file is missing"), std::string::npos) << error_;
}

TEST_F(ProgramTest, StatusAsksTheOneThatRuns) {
  EXPECT_EQ(RunWith({"status"}), 2);  // There is no such command here.
  steps_.status = [] { return absl::StatusOr<std::string>("well\n"); };
  EXPECT_EQ(RunWith({"status"}), 0);
  EXPECT_EQ(out_, "well\n");
  steps_.status = [] { return absl::StatusOr<std::string>(absl::UnavailableError("none runs")); };
  EXPECT_EQ(RunWith({"status"}), 1);
  EXPECT_NE(error_.find("none runs"), std::string::npos);
  EXPECT_EQ(started_, 0);
}

TEST_F(ProgramTest, FlagsGoBeforeTheFileAndTheFileBeforeDefaults) {
  const std::string file = Path("config.toml");
  DT_ASSERT_OK(WriteFileAtomically(file,
                                   "org = \"filed\"\ndays = 30\nkek-file = \"kek\"\n"
                                   "primary = false\nrealm = [\"A.TEST\", \"B.TEST\"]\n"));
  EXPECT_EQ(Run({"--config", file, "--internal-cert", "c.pem", "--internal-key", "k.pem",
                 "--deployment-ca", "ca.pem", "--days", "31", "--threads", "256", "--capability",
                 "off", "--names", "fixed"}),
            0)
      << error_;
  EXPECT_EQ(config_.org, "filed");
  EXPECT_EQ(config_.days, 31);
  EXPECT_EQ(config_.threads, 256U);
  EXPECT_EQ(config_.internal_listen, "127.0.0.1:7000");
  EXPECT_EQ(config_.kek_file, "kek");
  EXPECT_EQ(config_.names, "fixed");
  EXPECT_EQ(config_.capability, false);
  EXPECT_FALSE(config_.primary);
  EXPECT_EQ(config_.realms, (std::vector<std::string>{"A.TEST", "B.TEST"}));
}

TEST_F(ProgramTest, AListComesInOneFlagOrSeveral) {
  const std::vector<std::string> both = {"A.TEST", "B.TEST"};
  EXPECT_EQ(RunWith({"--realm", "A.TEST", "B.TEST", "print-config"}), 0) << error_;
  EXPECT_EQ(config_.realms, both);
  EXPECT_EQ(RunWith({"--realm", "A.TEST", "--realm", "B.TEST", "print-config"}), 0) << error_;
  EXPECT_EQ(config_.realms, both);
}

TEST_F(ProgramTest, BadUsageStartsNothing) {
  EXPECT_EQ(Run({}), 2);
  EXPECT_NE(error_.find("--internal-cert"), std::string::npos) << error_;
  const std::string unknown = Path("unknown.toml");
  DT_ASSERT_OK(WriteFileAtomically(unknown, "no-such-option = 1\n"));
  const std::vector<std::vector<std::string>> bad = {{"--days", "0"},
                                                     {"--days", "826"},
                                                     {"--days", "x"},
                                                     {"--capability", "half"},
                                                     {"--names", "stale"},
                                                     {"--log-level", "loud"},
                                                     {"--threads", "257"},
                                                     {"--no-such-option"},
                                                     {"--config", "no.toml"},
                                                     {"--config", unknown},
                                                     {"--days"}};
  for (const auto& arguments : bad) EXPECT_EQ(RunWith(arguments), 2) << arguments.back();
  EXPECT_EQ(started_, 0);
}

TEST_F(ProgramTest, AWrongLineOfTheFileIsNamed) {
  const std::string file = Path("wrong.toml");
  const std::string way_out = "         dt-test --help explains the options\n";
  const auto complaint = [&](const char* text) {
    EXPECT_TRUE(WriteFileAtomically(file, text).ok());
    EXPECT_EQ(RunWith({"--config", file}), 2);
    return error_;
  };
  EXPECT_EQ(complaint("# A comment\ndays = 1\nno-such-option = 1\n"),
            "dt-test: --config " + file +
                ": line 3: there is no option \"no-such-option\"; --help lists them\n" + way_out);
  EXPECT_EQ(complaint("days = 0\n"),
            "dt-test: --config " + file + ": line 1: days is 0, not 1..825\n" + way_out);
  EXPECT_EQ(complaint("days = 1\norg = \"acme\n").find("dt-test: --config " + file + ": line 2: "),
            0U);
  DT_ASSERT_OK(WriteFileAtomically(file, "org = \"acme\"  # Not \"other\n"));
  EXPECT_EQ(RunWith({"--config", file}), 0) << error_;
}

TEST_F(ProgramTest, HelpAndVersionNeedNoOption) {
  EXPECT_EQ(Run({"--version"}), 0);
  EXPECT_EQ(out_, "1.2.3\n");
  EXPECT_EQ(Run({"--help"}), 0);
  for (const char* part :
       {"Identity:", "Store:", "--days 1..825 ", "(default: 365)", "--threads 0..256 ",
        "fresh|fixed", "component:test", "--internal-cert FILE (required)", "--primary,--backup",
        "--realm REALM", "dt-test --config test.toml check-config", "dt-test --days 1"}) {
    EXPECT_NE(out_.find(part), std::string::npos) << part << "\n" << out_;
  }
}

TEST_F(ProgramTest, CheckConfigStartsNothing) {
  EXPECT_EQ(RunWith({"check-config"}), 0);
  EXPECT_NE(out_.find("configuration is good"), std::string::npos) << out_;
  checked_ = absl::InvalidArgumentError("--kek-file: chmod 600 it");
  EXPECT_EQ(RunWith({"check-config"}), 1);
  EXPECT_EQ(error_, "dt-test: --kek-file: chmod 600 it\n");
  EXPECT_EQ(started_, 0);
}

TEST_F(ProgramTest, CheckConfigSaysWhatCanNotBeWritten) {
  EXPECT_EQ(RunWith({"--log-file", Path("log"), "--ready-file", Path("ready"), "check-config"}), 0)
      << error_;
  DT_EXPECT_CODE(ReadFile(Path("log")), kNotFound);
  for (const char* const option : {"--log-file", "--ready-file"}) {
    EXPECT_EQ(RunWith({option, Path("none/file"), "check-config"}), 1);
    EXPECT_NE(error_.find(option), std::string::npos) << error_;
    EXPECT_NE(error_.find("no folder"), std::string::npos) << error_;
  }
}

TEST_F(ProgramTest, ATypoComesBeforeWhatIsMissing) {
  EXPECT_EQ(Run({"--dasy", "3"}), 2);
  EXPECT_EQ(error_.find("dt-test: there is no option --dasy; did you mean --days?"), 0U) << error_;
  EXPECT_EQ(Run({"check-confg"}), 2);
  EXPECT_NE(error_.find("did you mean check-config?"), std::string::npos) << error_;
}

TEST_F(ProgramTest, PrintConfigPrintsWhatFlagsAndFileComeTo) {
  const std::string file = Path("config.toml");
  DT_ASSERT_OK(WriteFileAtomically(file, "org = \"filed\"\ndays = 30\n"));
  EXPECT_EQ(
      RunWith({"--config", file, "--days", "31", "--backup", "--log-level", "off", "print-config"}),
      0)
      << error_;
  EXPECT_EQ(started_, 0);
  const std::string printed = out_;
  for (const char* line : {"# Identity\n", "org = \"filed\"\n", "days = 31\n", "primary = false\n",
                           "threads = 0\n", "log-level = \"off\"\n"}) {
    EXPECT_NE(printed.find(line), std::string::npos) << line << printed;
  }
  DT_ASSERT_OK(WriteFileAtomically(file, printed));
  EXPECT_EQ(Run({"--config", file, "print-config"}), 0) << error_;
  EXPECT_EQ(out_, printed);
  DT_ASSERT_OK(WriteFileAtomically(file, printed + "no-such-option = 1\n"));
  EXPECT_EQ(Run({"--config", file, "print-config"}), 2);
}

TEST_F(ProgramTest, AFailedStartIsAFailure) {
  steps_.start = [](const Clock&, Random&) { return absl::FailedPreconditionError("in use"); };
  EXPECT_EQ(RunWith({}), 1);
  EXPECT_EQ(error_, "dt-test: in use\n");
  EXPECT_EQ(RunWith({"--log-file", "/no/such/folder/log"}), 1);
}

}  // namespace
}  // namespace devicetrust::service
