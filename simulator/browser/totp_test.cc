#include "simulator/browser/totp.h"

#include <gtest/gtest.h>

#include "libs/base/bytes.h"

namespace devicetrust::simulator {
namespace {

// RFC 6238, appendix B, last six of eight digits.
TEST(TotpTest, MatchesTheVectorsOfItsRfc) {
  const auto code = [](std::int64_t seconds) {
    return TotpCode(AsBytes("12345678901234567890"), WallTime(std::chrono::seconds(seconds)));
  };
  EXPECT_EQ(code(59), "287082");
  EXPECT_EQ(code(1111111109), "081804");
  EXPECT_EQ(code(1234567890), "005924");
  EXPECT_EQ(code(1111111111), "050471");
}

}  // namespace
}  // namespace devicetrust::simulator
