#include "simulator/report/progress.h"

#include <gtest/gtest.h>

#include <memory>

namespace devicetrust::simulator {
namespace {

using std::chrono::milliseconds;

std::string Contents(std::FILE* file) {
  std::rewind(file);
  std::string text(4096, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  return text;
}

TEST(ProgressTest, AFinishedMeterIsOnePlainLineWithoutATerminal) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> out(std::tmpfile(), &std::fclose);
  Meter meter("enroll", 2);
  meter.Start();
  meter.Done(milliseconds(11));
  meter.Done(milliseconds(41));
  meter.Stop();
  { const Progress progress(out.get(), Style{}, {&meter}); }

  const std::string text = Contents(out.get());
  EXPECT_NE(text.find("enroll                 2/2"), std::string::npos) << text;
  EXPECT_NE(text.find("p50   11 ms"), std::string::npos) << text;
  EXPECT_EQ(text.find('\x1b'), std::string::npos) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
}

TEST(ProgressTest, ATerminalGetsABarAndErrorsAreNamed) {
  Meter meter("sign in", 4);
  meter.Start();
  meter.Done(milliseconds(1));
  meter.Failed();
  Meter::Snapshot snapshot = meter.Read();
  snapshot.seconds = 1;
  const std::string line = ProgressLine(snapshot, Style{.terminal = true, .colour = false});
  EXPECT_NE(line.find("█████████████░░░░░░░░░░░░░ "), std::string::npos) << line;
  EXPECT_NE(line.find("2/4"), std::string::npos) << line;
  const std::string narrow = ProgressLine(snapshot, Style{.terminal = true, .columns = 80});
  EXPECT_NE(narrow.find("███░░░ "), std::string::npos) << narrow;
  EXPECT_EQ(Columns(narrow), 79u) << narrow;
  EXPECT_TRUE(line.ends_with("   1 error")) << line;
}

TEST(ProgressTest, ANarrowTerminalLacksColumnsAndNoFigureIsCut) {
  Meter meter("sign in", 4000);
  for (int i = 0; i < 1234; ++i) meter.Done(milliseconds(260));
  Meter::Snapshot snapshot = meter.Read();
  snapshot.seconds = 2;
  const std::string whole = ProgressLine(snapshot, Style{});
  for (int columns = 200; columns >= 0; --columns) {
    const std::string line = ProgressLine(snapshot, Style{.terminal = true, .columns = columns});
    EXPECT_LE(Columns(line), static_cast<std::size_t>(std::max(columns - 1, 0))) << line;
    for (const std::string figure : {"1,234/4,000", "617/s", "p50  260 ms", "p99  260 ms"}) {
      ASSERT_NE(whole.find(figure), std::string::npos) << whole;
      const std::string begin = figure.substr(0, figure.size() - 3);
      if (line.find(begin) != std::string::npos) {
        EXPECT_NE(line.find(figure), std::string::npos) << columns << ": " << line;
      }
    }
  }
  const auto at = [&](int columns) {
    return ProgressLine(snapshot, Style{.terminal = true, .columns = columns});
  };
  EXPECT_NE(at(60).find("p99  260 ms"), std::string::npos) << at(60);
  EXPECT_EQ(at(60).find("p50"), std::string::npos) << at(60);
  EXPECT_NE(at(30).find("1,234/4,000"), std::string::npos) << at(30);
}

TEST(ProgressTest, CountsFromEveryThread) {
  Meter meter("enroll", 4000);
  meter.Start();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&meter] {
      for (int n = 0; n < 1000; ++n) meter.Done(milliseconds(n));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(meter.Read().done, 4000u);
  EXPECT_EQ(meter.Read().latency.count(), 4000u);
}

}  // namespace
}  // namespace devicetrust::simulator
