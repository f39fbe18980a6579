#include "libs/admin/times.h"

#include <gtest/gtest.h>

#include "libs/rpc/timestamps.h"

namespace devicetrust::admin {
namespace {

const WallTime kNow{std::chrono::seconds{1'800'000'000}};  // 2027-01-15 08:00:00Z

TEST(ParseTime, AgoInEachUnit) {
  EXPECT_EQ(ParseTime("90s", kNow).value(), kNow - std::chrono::seconds(90));
  EXPECT_EQ(ParseTime("15m", kNow).value(), kNow - std::chrono::minutes(15));
  EXPECT_EQ(ParseTime("2h", kNow).value(), kNow - std::chrono::hours(2));
  EXPECT_EQ(ParseTime("7d", kNow).value(), kNow - std::chrono::days(7));
}

TEST(ParseTime, DateAndInstant) {
  EXPECT_EQ(ParseTime("2027-01-15T08:00:00Z", kNow).value(), kNow);
  EXPECT_EQ(ParseTime("2027-01-15", kNow).value(), kNow - std::chrono::hours(8));
}

TEST(ParseTime, RefusesEverythingElse) {
  for (const char* text : {"", "h", "-5m", "5", "5 m", "5mm", "99999d", "yesterday", "2027-13-01",
                           "999999999999999999999s"}) {
    EXPECT_EQ(ParseTime(text, kNow).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(FormatTime, IsReadAndIsReversed) {
  google::protobuf::Timestamp time;
  EXPECT_EQ(FormatTime(time), "-");
  time = rpc::ToTimestamp(kNow + std::chrono::milliseconds(250));
  EXPECT_EQ(time.nanos(), 250'000'000);
  EXPECT_EQ(FormatTime(time), "2027-01-15 08:00:00Z");
}

}  // namespace
}  // namespace devicetrust::admin
