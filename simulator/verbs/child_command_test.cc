#include "simulator/verbs/child_command.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "libs/base/files.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"

namespace devicetrust::simulator {
namespace {

int WaitFor(ChildCommand& command) {
  while (true) {
    if (const std::optional<int> code = command.ExitCode()) return *code;
  }
}

TEST(ChildCommandTest, HandsOnItsExitCodeAndGetsTheVariables) {
  const testing::TempFolder folder;
  const auto command = ChildCommand::Start(
      {"sh", "-c", "printf %s \"$DT_ENDPOINTS\" > \"$0\"; exit 7", folder / "seen"},
      {"DT_ENDPOINTS=/x/endpoints.json"});
  DT_ASSERT_OK(command);
  EXPECT_EQ(WaitFor(**command), 7);
  EXPECT_EQ(ReadFile(folder / "seen").value(), "/x/endpoints.json");
}

TEST(ChildCommandTest, ASignalIsToldAsAShellDoes) {
  const auto command = ChildCommand::Start({"sleep", "60"}, {});
  DT_ASSERT_OK(command);
  EXPECT_EQ((*command)->ExitCode(), std::nullopt);
  (*command)->Signal(SIGTERM);
  EXPECT_EQ(WaitFor(**command), 128 + SIGTERM);
}

TEST(ChildCommandTest, AMissingProgramIsNamed) {
  const absl::Status status = ChildCommand::Start({"no-such-program"}, {}).status();
  DT_EXPECT_CODE(status, kNotFound);
  EXPECT_NE(status.ToString().find("no-such-program"), std::string::npos);
}

}  // namespace
}  // namespace devicetrust::simulator
