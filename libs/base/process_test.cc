#include "libs/base/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libs/base/files.h"
#include "libs/base/log.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"

namespace devicetrust {
namespace {

TEST(ProcessTest, ParsesHostAndPort) {
  EXPECT_EQ(ParseHostPort("127.0.0.1:0", "--listen").value().port, 0);
  EXPECT_EQ(ParseHostPort("[::1]:8443", "--listen").value().host, "::1");
  for (const char* text :
       {"", ":1", "host", "host:", "host:x", "host:65536", "host:-1", "::1:80"}) {
    const auto refused = ParseHostPort(text, "--listen");
    DT_EXPECT_CODE(refused, kInvalidArgument) << text;
    EXPECT_NE(std::string(refused.status().message()).find("--listen"), std::string::npos);
  }
}

// In a process of its own each: signals are the whole process's.
int SignalSeen(int number, bool ignored) {
  const pid_t child = fork();
  if (child == 0) {
    if (ignored) signal(number, SIG_IGN);
    PrepareProcess();
    raise(number);
    _exit(WaitForStopSignal(std::chrono::milliseconds(0)));
  }
  int state = 0;
  waitpid(child, &state, 0);
  return WIFEXITED(state) ? WEXITSTATUS(state) : -1;
}

TEST(ProcessTest, WaitsForEachSignalThatAsksItToStop) {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) EXPECT_EQ(SignalSeen(number, false), number);
  EXPECT_EQ(SignalSeen(SIGHUP, true), 0) << "nohup is not heard";
}

TEST(ProcessTest, WritesTheReadyFile) {
  const testing::TempFolder folder;
  const std::string path = folder / "ready.json";
  DT_ASSERT_OK(WriteReadyFile(path, {{"edge", "127.0.0.1:1"}, {"internal", "127.0.0.1:2"}}));
  EXPECT_EQ(ReadFile(path).value(), "{\"edge\":\"127.0.0.1:1\",\"internal\":\"127.0.0.1:2\"}\n");
}

TEST(LogTest, WritesOneJsonObjectALine) {
  const testing::TempFolder folder;
  const std::string path = folder / "log.json";
  DT_ASSERT_OK(WriteFileAtomically(path, ""));
  DT_ASSERT_OK(SetLogFile(path));
  Log(LogLevel::kInfo, "pki.cert.issue",
      {{"serial", "0a"}, {"count", 3}, {"ok", true}, {"name", std::string("a\"\n")}});
  Log(LogLevel::kDebug, "not.shown");
  const std::string line = ReadFile(path).value();
  EXPECT_NE(
      line.find(R"("event":"pki.cert.issue","serial":"0a","count":3,"ok":true,"name":"a\"\n"})"
                "\n"),
      std::string::npos)
      << line;
  EXPECT_EQ(line.find("not.shown"), std::string::npos);
  DT_EXPECT_CODE(SetLogLevel("loud"), kInvalidArgument);
  DT_EXPECT_CODE(SetLogFile(path + "/below-a-file"), kInvalidArgument);
}

}  // namespace
}  // namespace devicetrust
