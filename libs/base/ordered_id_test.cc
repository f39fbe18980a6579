#include "libs/base/ordered_id.h"

#include <gtest/gtest.h>

#include <set>

namespace devicetrust {
namespace {

WallTime At(std::int64_t ms) { return WallTime(std::chrono::milliseconds(ms)); }

TEST(OrderedIdTest, SortsByTimeAndNeverComesTwice) {
  SystemRandom random;
  std::set<std::string> seen;
  std::string last;
  for (const std::int64_t ms : {std::int64_t{1'800'000'000'000}, std::int64_t{1'800'000'000'001},
                                std::int64_t{1'900'000'000'000}, std::int64_t{1} << 43U}) {
    std::string id;
    for (int i = 0; i < 20; ++i) {
      id = NewOrderedId(16, At(ms), random).value();
      EXPECT_EQ(id.size(), 32U);
      EXPECT_TRUE(seen.insert(id).second);
    }
    EXPECT_GT(id, last);
    last = id;
  }
  EXPECT_EQ(NewOrderedId(16, At(0x0123456789ab), random)->substr(0, 12), "0123456789ab");
}

TEST(OrderedIdTest, IsAPositiveNumberOfFullLengthAtAnyTime) {
  SystemRandom random;
  for (const std::int64_t ms : {std::int64_t{-1}, std::int64_t{0}, std::int64_t{1} << 43U}) {
    const std::string id = NewOrderedId(20, At(ms), random).value();
    EXPECT_EQ(id.size(), 40U);
    EXPECT_GE(id, "01");
    EXPECT_LT(id, "8");
  }
}

}  // namespace
}  // namespace devicetrust
