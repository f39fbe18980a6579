#include "simulator/deployment/run_folder.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "libs/testing/temp_folder.h"

namespace devicetrust::simulator {
namespace {

namespace fs = std::filesystem;

class RunFolderTest : public ::testing::Test {
 protected:
  static void Touch(const std::string& path) { std::ofstream(path) << "x"; }

  testing::TempFolder folder_;
};

TEST_F(RunFolderTest, ATemporaryOneIsPrivateAndGoes) {
  std::string path;
  {
    const RunFolder folder = RunFolder::Create("").value();
    path = folder.path();
    struct stat info {};
    ASSERT_EQ(stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0700u);
    Touch(folder.File("key"));
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(RunFolderTest, KeepsWhatItIsTold) {
  const std::string path = folder_ / "run";
  {
    RunFolder folder = RunFolder::Create(path).value();
    for (const char* name : {"key", "dt-sim.log", "result.json"}) Touch(folder.File(name));
    folder.Keep({"result.json", "absent"});
    folder.KeepEnding(".log");
  }
  EXPECT_TRUE(fs::exists(path + "/result.json"));
  EXPECT_TRUE(fs::exists(path + "/dt-sim.log"));
  EXPECT_FALSE(fs::exists(path + "/key"));

  const RunFolder again = RunFolder::Create(path).value();
  EXPECT_FALSE(fs::exists(path + "/result.json")) << "an earlier run's files are gone";
}

TEST_F(RunFolderTest, LeavesOtherPeoplesFilesAlone) {
  Touch(folder_ / "thesis.tex");
  const absl::Status status = RunFolder::Create(folder_.path()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.ToString().find(folder_.path()), std::string::npos);
  EXPECT_TRUE(fs::exists(folder_ / "thesis.tex"));
}

TEST_F(RunFolderTest, SaysThatThereIsNoFolderForTemporaryFiles) {
  const char* const before = ::getenv("TMPDIR");
  const std::string old = before == nullptr ? "" : before;
  ::setenv("TMPDIR", "/nonexistent/tmp", 1);
  const absl::Status folder = RunFolder::Create("").status();
  const absl::Status named = RunFolder::Create(folder_ / "run").status();
  old.empty() ? ::unsetenv("TMPDIR") : ::setenv("TMPDIR", old.c_str(), 1);
  EXPECT_EQ(folder.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(folder.ToString().find("/nonexistent/tmp"), std::string::npos) << folder;
  EXPECT_TRUE(named.ok()) << named;
}

TEST_F(RunFolderTest, KnowsWhereAFileCanBeWritten) {
  Touch(folder_ / "file");
  for (const std::string& good : {std::string(), std::string("new"), folder_ / "new",
                                  folder_ / "file", folder_ / "./run//new"}) {
    EXPECT_TRUE(CheckWritable("--json", good, folder_ / "run").ok()) << good;
  }
  for (const std::string& bad : {folder_.path(), folder_ / "none/new", folder_ / "file/new"}) {
    const absl::Status status = CheckWritable("--json", bad, folder_ / "run");
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_NE(status.ToString().find("--json " + bad), std::string::npos) << status;
  }
}

TEST_F(RunFolderTest, RemovesWhatAnEarlierRunLeft) {
  Touch(folder_ / "result.json");
  RemoveStale(folder_ / "result.json");
  EXPECT_FALSE(fs::exists(folder_ / "result.json"));
  for (const std::string& stays : {std::string(), folder_ / "none", folder_.path()}) {
    RemoveStale(stays);
  }
  EXPECT_TRUE(fs::exists(folder_.path()));
}

TEST_F(RunFolderTest, TwoRunsDoNotShareOne) {
  const std::string path = folder_ / "run";
  std::optional<RunFolder> first(RunFolder::Create(path).value());
  const absl::Status second = RunFolder::Create(path).status();
  EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(second.ToString().find(fmt::format("(pid {})", ::getpid())), std::string::npos)
      << second;
  first.reset();
  EXPECT_TRUE(RunFolder::Create(path).ok());
}

}  // namespace
}  // namespace devicetrust::simulator
