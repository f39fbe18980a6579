#include "simulator/apps/saml_time.h"

#include <gtest/gtest.h>

namespace devicetrust::simulator {
namespace {

TEST(SamlTimeTest, ReadsWhatItWritesAndDropsFractions) {
  const WallTime time =
      std::chrono::sys_days{std::chrono::year{2026} / 2 / 28} + std::chrono::seconds(86'399);
  EXPECT_EQ(FormatSamlTime(time), "2026-02-28T23:59:59Z");
  EXPECT_EQ(ParseSamlTime("2026-02-28T23:59:59Z").value(), time);
  EXPECT_EQ(ParseSamlTime("2026-02-28T23:59:59.123456Z").value(), time);
}

TEST(SamlTimeTest, RefusesEverythingElse) {
  for (const char* text :
       {"", "2026-02-28", "2026-02-28T23:59:59", "2026-02-28T23:59:59+01:00",
        "2026-02-30T00:00:00Z", "2026-02-28T24:00:00Z", "2026-02-28T23:59:59.Z",
        "2026-02-28 23:59:59Z", "-026-02-28T23:59:59Z", "2026-02-28T23:59:59.1x3Z"}) {
    EXPECT_FALSE(ParseSamlTime(text).ok()) << text;
  }
}

}  // namespace
}  // namespace devicetrust::simulator
