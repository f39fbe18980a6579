#include "ca-service/renewal_window.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

namespace devicetrust::ca {
namespace {

using std::chrono::days;

constexpr WallTime kIssued{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}};

TEST(RenewalWindowTest, AHundredThousandOfOneDayComeBackOverTwentyDays) {
  const WallTime end = kIssued + days(365);
  std::map<std::int64_t, int> by_day;
  for (int i = 0; i < 100'000; ++i) {
    const RenewalWindow window = RenewalWindowOf(fmt::format("{:040x}", i), kIssued, end);
    ASSERT_EQ(window.until - window.from, days(1));
    ASSERT_GE(window.from, end - days(30));
    ASSERT_LE(window.until, end - days(10));
    ++by_day[(end - window.from) / days(1)];
  }
  for (const auto& [day, count] : by_day) EXPECT_LT(count, 5'600) << day;
}

TEST(RenewalWindowTest, IsTheSameForTheSameCertificate) {
  const auto once = RenewalWindowOf("0a", kIssued, kIssued + days(365));
  const auto again = RenewalWindowOf("0a", kIssued, kIssued + days(365));
  EXPECT_EQ(once.from, again.from);
  EXPECT_NE(once.from, RenewalWindowOf("0b", kIssued, kIssued + days(365)).from);
}

TEST(RenewalWindowTest, OfAShortLifeItIsInTheLastThird) {
  const auto window = RenewalWindowOf("0a", kIssued, kIssued + days(9));
  EXPECT_GE(window.from, kIssued + days(6));
  EXPECT_GT(window.until, window.from);
  EXPECT_LE(window.until, kIssued + days(8));
}

}  // namespace
}  // namespace devicetrust::ca
