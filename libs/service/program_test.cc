#include "libs/service/program.h"

#include <gtest/gtest.h>

#include <csignal>

#include "libs/base/files.h"
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
    Program program("dt-test", "1.2.3", "A program");
    program.AddComponent(config_, "test");
    program.AddInternalListener(config_);
    program.AddStore(config_);
    program.AddStoreLimits(config_);
    program.Heading("Own");
    program.Number("--days", config_.days, 1, 825, "Days");
    program.Number("--threads", config_.threads, 0, 256, "Threads");
    program.Choice("--names", config_.names, {"fresh", "fixed"}, "Names");
    program.OnOff("--capability", config_.capability, "Capability");
    program.Switch("--primary", "--backup", config_.primary, "Which");
    program.Texts("--realm", config_.realms, "REALM", "Realms");

    arguments.insert(arguments.begin(), "dt-test");
    std::vector<const char*> argv;
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int code = program.Run(static_cast<int>(argv.size()), argv.data(), steps_);
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
  Steps steps_{[this](const Clock&) { return checked_; },
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

TEST_F(ProgramTest, BadUsageStartsNothing) {
  EXPECT_EQ(Run({}), 2);
  EXPECT_NE(error_.find("--internal-cert"), std::string::npos) << error_;
  const std::string unknown = Path("unknown.toml");
  DT_ASSERT_OK(WriteFileAtomically(unknown, "no-such-option = 1\n"));
  const std::vector<std::vector<std::string>> bad = {
      {"--days", "0"},          {"--days", "826"},    {"--days", "x"},
      {"--capability", "half"}, {"--names", "stale"}, {"--log-level", "loud"},
      {"--threads", "257"},     {"--no-such-option"}, {"--config", "no.toml"},
      {"--config", unknown}};
  for (const auto& arguments : bad) EXPECT_EQ(RunWith(arguments), 2) << arguments.back();
  EXPECT_EQ(started_, 0);
}

TEST_F(ProgramTest, AWrongLineOfTheFileIsNamed) {
  const std::string file = Path("wrong.toml");
  const auto complaint = [&](const char* text) {
    EXPECT_TRUE(WriteFileAtomically(file, text).ok());
    EXPECT_EQ(RunWith({"--config", file}), 2);
    return error_;
  };
  EXPECT_EQ(complaint("# A comment\ndays = 1\nno-such-option = 1\n"),
            "dt-test: --config " + file +
                ": line 3: there is no option \"no-such-option\"; --help lists them\n");
  EXPECT_EQ(complaint("days = 1\norg = \"acme\n"),
            "dt-test: --config " + file + ": line 2: a quotation mark without its end\n");
  EXPECT_EQ(complaint("\x01\x02\n"),
            "dt-test: --config " + file + ": line 1: neither a comment nor option = value\n");
  DT_ASSERT_OK(WriteFileAtomically(file, "org = \"acme\"  # Not \"other\n"));
  EXPECT_EQ(RunWith({"--config", file}), 0) << error_;
}

TEST_F(ProgramTest, HelpAndVersionNeedNoOption) {
  EXPECT_EQ(Run({"--version"}), 0);
  EXPECT_EQ(out_, "1.2.3\n");
  EXPECT_EQ(Run({"--help"}), 0);
  for (const char* part :
       {"Identity:", "Store:", "--days 1..825=365", "--threads 0..256=0", "fresh|fixed",
        "component:test", "dt-test --config test.toml check-config"}) {
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

TEST_F(ProgramTest, AFailedStartIsAFailure) {
  steps_.start = [](const Clock&, Random&) { return absl::FailedPreconditionError("in use"); };
  EXPECT_EQ(RunWith({}), 1);
  EXPECT_EQ(error_, "dt-test: in use\n");
  EXPECT_EQ(RunWith({"--log-file", "/no/such/folder/log"}), 1);
}

}  // namespace
}  // namespace devicetrust::service
