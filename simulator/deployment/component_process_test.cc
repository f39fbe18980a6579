#include "simulator/deployment/component_process.h"

#include <gtest/gtest.h>

#include "libs/testing/temp_folder.h"

namespace devicetrust::simulator {
namespace {

using std::chrono::seconds;

class ComponentProcessTest : public ::testing::Test {
 protected:
  // $0 is "dt-x", $1 --ready-file, $2 its path.
  ComponentProcessConfig Shell(const std::string& script) const {
    return {"dt-x", "/bin/sh", {"-c", script, "dt-x"}, folder_.path(), {}};
  }
  testing::TempFolder folder_;
};

TEST_F(ComponentProcessTest, KnowsTheAddressesOfAReadyProgram) {
  const auto component = ComponentProcess::Start(
      Shell(R"(printf '{"edge":"127.0.0.1:7"}' > "$2.new"; mv "$2.new" "$2"; exec sleep 60)"),
      seconds(20));
  ASSERT_TRUE(component.ok()) << component.status();
  EXPECT_EQ((*component)->Address("edge"), "127.0.0.1:7");
  EXPECT_EQ((*component)->Address("internal"), "");
  EXPECT_TRUE((*component)->Check().ok());

  (*component)->child().Signal(9);
  ASSERT_TRUE((*component)->child().WaitForEnd(seconds(20)));
  EXPECT_NE((*component)->Check().ToString().find("dt-x ended by itself (signal 9)"),
            std::string::npos);
}

TEST_F(ComponentProcessTest, ADeadOneShowsItsLog) {
  const auto component =
      ComponentProcess::Start(Shell("echo port 7 is in use >&2; exit 3"), seconds(20));
  EXPECT_EQ(component.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(component.status().ToString().find("exit code 3"), std::string::npos);
  EXPECT_NE(component.status().ToString().find("port 7 is in use"), std::string::npos);
}

TEST_F(ComponentProcessTest, AMissingProgramIsNamed) {
  ComponentProcessConfig config = Shell("");
  config.program = "/nonexistent/dt-ca";
  const absl::Status status = ComponentProcess::Start(config, seconds(20)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(status.ToString().find("/nonexistent/dt-ca"), std::string::npos);
  EXPECT_NE(status.ToString().find("cmake --build"), std::string::npos);
}

TEST_F(ComponentProcessTest, ASilentOneIsGivenUp) {
  const auto component =
      ComponentProcess::Start(Shell("exec sleep 60"), std::chrono::milliseconds(50));
  EXPECT_EQ(component.status().code(), absl::StatusCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace devicetrust::simulator
