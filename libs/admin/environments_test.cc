#include "libs/admin/environments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>

#include "libs/base/files.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"

namespace devicetrust::admin {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Sets a variable of the process, and puts it back.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* const before = ::getenv(name)) before_ = before;
    ::setenv(name, value.c_str(), 1);
  }
  ~Variable() { before_ ? ::setenv(name_, before_->c_str(), 1) : ::unsetenv(name_); }

 private:
  const char* const name_;
  std::optional<std::string> before_;
};

class EnvironmentsTest : public ::testing::Test {
 protected:
  testing::TempFolder folder_;
  const Variable temporary_{"TMPDIR", folder_.path()};
  const Variable none_{"DT_ENDPOINTS", ""};
};

TEST_F(EnvironmentsTest, OneIsKnownWhileItsAnnouncementLives) {
  EXPECT_EQ(FindEndpointsFile("").value(), "");
  std::optional<Announcement> announcement(Announcement::Make("/x/run/endpoints.json").value());
  EXPECT_THAT(RunningEnvironments().value(), ElementsAre("/x/run/endpoints.json"));
  EXPECT_EQ(FindEndpointsFile("").value(), "/x/run/endpoints.json");
  announcement.reset();
  EXPECT_THAT(RunningEnvironments().value(), IsEmpty());
}

TEST_F(EnvironmentsTest, WhatAKilledOneLeftBehindIsForgotten) {
  const std::string left = StateFolder().value() + "/environments/1";
  ASSERT_THAT(RunningEnvironments().value(), IsEmpty());
  DT_ASSERT_OK(WriteFileAtomically(left, "/x/old/endpoints.json"));
  EXPECT_THAT(RunningEnvironments().value(), IsEmpty());
  DT_EXPECT_CODE(ReadFile(left), kNotFound);
}

TEST_F(EnvironmentsTest, SeveralAreListedAndOneIsChosenByHand) {
  const auto first = Announcement::Make("/x/first/endpoints.json");
  DT_ASSERT_OK(first);
  // A second process, which lives until its pipe is closed.
  int alive[2];
  int ready[2];
  ASSERT_EQ(pipe(alive) + pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(alive[1]);
    char byte = 0;
    const auto second = Announcement::Make("/x/second/endpoints.json");
    const bool told = write(ready[1], &byte, 1) == 1;
    static_cast<void>(told && read(alive[0], &byte, 1));
    _exit(0);  // Without destructors, as if it were killed.
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);

  EXPECT_THAT(RunningEnvironments().value(),
              ElementsAre("/x/first/endpoints.json", "/x/second/endpoints.json"));
  const absl::Status several = FindEndpointsFile("").status();
  DT_EXPECT_CODE(several, kFailedPrecondition);
  EXPECT_THAT(std::string(several.message()),
              AllOf(HasSubstr("2 environments run"), HasSubstr("--run-dir /x/first"),
                    HasSubstr("--run-dir /x/second")));
  EXPECT_EQ(FindEndpointsFile("run").value(), "run/endpoints.json");
  {
    const Variable named("DT_ENDPOINTS", "/y/endpoints.json");
    EXPECT_EQ(FindEndpointsFile("").value(), "/y/endpoints.json");
    EXPECT_EQ(FindEndpointsFile("run").value(), "run/endpoints.json");
  }

  close(alive[1]);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_EQ(FindEndpointsFile("").value(), "/x/first/endpoints.json");
}

TEST_F(EnvironmentsTest, TheStateFolderIsPrivate) {
  const std::string path = StateFolder().value();
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
  ASSERT_EQ(chmod(path.c_str(), 0755), 0);
  DT_EXPECT_CODE(StateFolder(), kFailedPrecondition);
}

TEST_F(EnvironmentsTest, SaysThatThereIsNoFolderForTemporaryFiles) {
  const Variable nowhere("TMPDIR", "/nonexistent/tmp");
  DT_EXPECT_CODE(StateFolder(), kInvalidArgument);
  EXPECT_THAT(StateFolder().status().ToString(), HasSubstr("/nonexistent/tmp"));
}

}  // namespace
}  // namespace devicetrust::admin
