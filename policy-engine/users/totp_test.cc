#include "policy-engine/users/totp.h"

#include <gtest/gtest.h>

#include "libs/base/bytes.h"

namespace devicetrust::policy {
namespace {

const Bytes kRfcSecret = [] {
  const std::string text = "12345678901234567890";
  return Bytes(text.begin(), text.end());
}();

// RFC 6238, appendix B, SHA-1; the last six of its eight digits.
TEST(TotpTest, GivesTheCodesOfTheRfc) {
  const std::pair<std::int64_t, const char*> vectors[] = {
      {59, "287082"},         {1111111109, "081804"}, {1111111111, "050471"},
      {1234567890, "005924"}, {2000000000, "279037"}, {20000000000, "353130"}};
  for (const auto& [second, code] : vectors) {
    EXPECT_EQ(TotpCode(kRfcSecret, second / 30), code) << second;
  }
  EXPECT_EQ(TotpStepOf(WallTime(std::chrono::seconds(59))), 1);
  EXPECT_EQ(TotpStepOf(WallTime(std::chrono::seconds(60))), 2);
}

TEST(TotpTest, TakesOneStepBeforeAndAfter) {
  const WallTime now(std::chrono::seconds(1111111111));
  const std::int64_t step = TotpStepOf(now);
  for (std::int64_t offset = -1; offset <= 1; ++offset) {
    EXPECT_EQ(FindTotpStep(kRfcSecret, TotpCode(kRfcSecret, step + offset), now), step + offset);
  }
  EXPECT_EQ(FindTotpStep(kRfcSecret, TotpCode(kRfcSecret, step - 2), now), std::nullopt);
  EXPECT_EQ(FindTotpStep(kRfcSecret, TotpCode(kRfcSecret, step + 2), now), std::nullopt);
}

TEST(TotpTest, RefusesWhatIsNotSixDigits) {
  const WallTime now(std::chrono::seconds(1111111111));
  for (const char* code : {"", "50471", "0050471", " 050471", "050471 ", "O50471", "abcdef"}) {
    EXPECT_EQ(FindTotpStep(kRfcSecret, code, now), std::nullopt) << code;
  }
}

TEST(TotpTest, NamesTheAccountInItsUri) {
  EXPECT_EQ(TotpUri(kRfcSecret, "acme & co", "ada@corp.test"),
            "otpauth://totp/acme%20%26%20co:ada%40corp.test"
            "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=acme%20%26%20co"
            "&algorithm=SHA1&digits=6&period=30");
}

}  // namespace
}  // namespace devicetrust::policy
