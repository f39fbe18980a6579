#include "simulator/forest/child_process.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"

namespace devicetrust::simulator {
namespace {

class ChildProcessTest : public ::testing::Test {
 protected:
  ChildConfig Shell(const std::string& script) const {
    return {.arguments = {"/bin/sh", "-c", script},
            .environment = {"PATH=/bin:/usr/bin"},
            .output = folder_ / "output"};
  }

  testing::TempFolder folder_;
};

TEST_F(ChildProcessTest, ItsEndAndLastWordsAreKnown) {
  const auto child = ChildProcess::Start(Shell("echo it broke >&2; exit 3"));
  DT_ASSERT_OK(child);
  ASSERT_TRUE((*child)->WaitForEnd(std::chrono::seconds(10)));
  EXPECT_EQ((*child)->ending(), "exit code 3");
  EXPECT_EQ((*child)->LastOutput(), "it broke\n");
}

TEST_F(ChildProcessTest, AMissingProgramIsAnError) {
  DT_EXPECT_CODE(
      ChildProcess::Start(
          {.arguments = {"/nonexistent/program"}, .environment = {}, .output = "/dev/null"}),
      kNotFound);
}

TEST_F(ChildProcessTest, ADeafChildIsKilled) {
  const auto child = ChildProcess::Start(Shell("trap '' TERM; while :; do /bin/sleep 1; done"));
  DT_ASSERT_OK(child);
  (*child)->Stop(std::chrono::milliseconds(50));
  EXPECT_NE(::kill((*child)->pid(), 0), 0);
}

TEST_F(ChildProcessTest, ItGoesWithItsOwner) {
  pid_t pid = 0;
  {
    const auto child = ChildProcess::Start(Shell("exec /bin/sleep 1000"));
    DT_ASSERT_OK(child);
    pid = (*child)->pid();
    EXPECT_EQ(::kill(pid, 0), 0);
  }
  EXPECT_NE(::kill(pid, 0), 0);
}

// The owner dies without a word, as with kill -9; the kernel takes the child along. Owner and
// child hold the only write ends of the pipe, so its end of file says that both are gone.
TEST_F(ChildProcessTest, ItDoesNotSurviveACrashOfItsOwner) {
  int pipe_ends[2];
  ASSERT_EQ(::pipe(pipe_ends), 0);
  const pid_t owner = ::fork();
  if (owner == 0) {
    ChildConfig config = Shell("echo up; exec /bin/sleep 1000");
    config.output = fmt::format("/proc/self/fd/{}", pipe_ends[1]);
    const auto child = ChildProcess::Start(config);
    for (;;) ::pause();
  }
  ::close(pipe_ends[1]);
  char text[3];
  ASSERT_EQ(::read(pipe_ends[0], text, sizeof text), 3);
  ::kill(owner, SIGKILL);
  ::waitpid(owner, nullptr, 0);
  EXPECT_EQ(::read(pipe_ends[0], text, sizeof text), 0);
  ::close(pipe_ends[0]);
}

}  // namespace
}  // namespace devicetrust::simulator
