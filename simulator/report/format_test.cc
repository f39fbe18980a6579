#include "simulator/report/format.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

namespace devicetrust::simulator {
namespace {

using std::chrono::microseconds;

TEST(FormatTest, SeparatesThousands) {
  EXPECT_EQ(Thousands(0), "0");
  EXPECT_EQ(Thousands(999), "999");
  EXPECT_EQ(Thousands(1000), "1,000");
  EXPECT_EQ(Thousands(12'345'678), "12,345,678");
  EXPECT_EQ(Plural(1000, "device"), "1,000 devices");
  EXPECT_EQ(Plural(1, "device"), "1 device");
}

TEST(FormatTest, LatencyKeepsItsWidthAcrossUnits) {
  EXPECT_EQ(Latency(microseconds(840)), "0.84 ms");
  EXPECT_EQ(Latency(microseconds(38'000)), "  38 ms");
  EXPECT_EQ(Latency(microseconds(1'200'000)), " 1.2 s ");
  EXPECT_EQ(Latency(microseconds(61'000'000)), "  61 s ");
}

TEST(FormatTest, RatesAndSizesCarryTheirUnit) {
  EXPECT_EQ(Rate(9.44), "9.4/s");
  EXPECT_EQ(Rate(12'400.4), "12,400/s");
  EXPECT_EQ(Mebibytes(412u << 20), "412 MiB");
}

TEST(FormatTest, PadsByColumnsAndNotByBytes) {
  EXPECT_EQ(PadRight("Zoë", 5), "Zoë  ");
  EXPECT_EQ(PadLeft("Zoë", 5), "  Zoë");
  EXPECT_EQ(Bar(0.5, 4), "██░░");
  EXPECT_EQ(Bar(7, 2), "██");
}

TEST(FormatTest, QuotesForAShellOnlyWhatNeedsIt) {
  EXPECT_EQ(ShellQuoted("/tmp/dt-sim-1/a.pem"), "/tmp/dt-sim-1/a.pem");
  EXPECT_EQ(ShellQuoted("https://mtls.localhost:8444/check"), "https://mtls.localhost:8444/check");
  EXPECT_EQ(ShellQuoted("/tmp/my run"), "'/tmp/my run'");
  EXPECT_EQ(ShellQuoted("it's"), "'it'\\''s'");
  EXPECT_EQ(ShellQuoted(""), "''");
}

TEST(FormatTest, APipeHasNoColour) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const Style style = Style::Of(ends[1]);
  EXPECT_FALSE(style.terminal);
  EXPECT_EQ(style.Bad("denied"), "denied");
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace devicetrust::simulator
