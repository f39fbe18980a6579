#include "simulator/report/resources.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

namespace devicetrust::simulator {
namespace {

TEST(ResourcesTest, CountsThisProcessAndItsChildren) {
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  const Resources resources = ReadResources();
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);

  ASSERT_GE(resources.processes.size(), 2u);
  EXPECT_EQ(resources.processes.front().pid, getpid());
  EXPECT_GT(resources.processes.front().pss_bytes, 100'000u);
  EXPECT_TRUE(std::any_of(resources.processes.begin(), resources.processes.end(),
                          [child](const ProcessUsage& p) { return p.pid == child; }));
  EXPECT_LT(resources.PssBytes(), std::uint64_t{10} << 30);
}

TEST(ResourcesTest, ThePeakKeepsEndedProcessesAndTheLargerMemory) {
  Resources peak{1, {{"dt-sim", 1, 2.0, 100}, {"krb5kdc", 2, 1.0, 50}}};
  KeepPeak(peak, Resources{3, {{"dt-sim", 1, 4.0, 80}}});
  EXPECT_DOUBLE_EQ(peak.CpuSeconds(), 5.0);
  EXPECT_EQ(peak.PssBytes(), 150u);
  EXPECT_DOUBLE_EQ(peak.wall_seconds, 3);
}

}  // namespace
}  // namespace devicetrust::simulator
