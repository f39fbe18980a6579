#include "libs/base/utc_time.h"

#include <gtest/gtest.h>

#include "libs/testing/status.h"

namespace devicetrust {
namespace {

constexpr WallTime kTime =
    std::chrono::sys_days{std::chrono::year{2026} / 2 / 28} + std::chrono::seconds(86'399);

TEST(UtcTimeTest, ReadsWhatItWritesAndDropsFractions) {
  EXPECT_EQ(FormatUtc(kTime + std::chrono::milliseconds(999)), "2026-02-28T23:59:59Z");
  EXPECT_EQ(FormatUtc(WallTime(std::chrono::seconds(-1))), "1969-12-31T23:59:59Z");
  EXPECT_EQ(ParseUtc("2026-02-28T23:59:59Z").value(), kTime);
  EXPECT_EQ(ParseUtc("2026-02-28T23:59:59.123456789Z").value(), kTime);
}

TEST(UtcTimeTest, KeepsFarTimesFar) {
  EXPECT_GT(ParseUtc("9999-12-31T23:59:59Z").value(), kTime + std::chrono::years(200));
  EXPECT_LT(ParseUtc("0001-01-01T00:00:00Z").value(), kTime - std::chrono::years(200));
  EXPECT_EQ(UnixSeconds(AtUnixSeconds(1'800'000'000)), 1'800'000'000);
  EXPECT_GT(AtUnixSeconds(INT64_MAX), kTime);
  EXPECT_LT(AtUnixSeconds(INT64_MIN), kTime);
}

TEST(UtcTimeTest, RefusesEverythingElse) {
  for (const char* bad :
       {"", "2026-02-28", "2026-02-28T23:59:59", "2026-02-28T23:59:59+01:00",
        "2026-02-28T23:59:59+00:00", "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z",
        "2026-02-28T24:00:00Z", "2026-02-28T23:60:00Z", "2026-02-28T23:59:61Z",
        "2026-02-28T23:59:59.Z", "2026-02-28T23:59:59.1x3Z", "2026-02-28T23:59:59.1234567890Z",
        "2026-02-28 23:59:59Z", "-026-02-28T23:59:59Z", "+026-02-28T23:59:59Z"}) {
    DT_EXPECT_CODE(ParseUtc(bad), kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace devicetrust
