#include "libs/pki/crl.h"

#include <gtest/gtest.h>

#include "libs/testing/mutation.h"
#include "libs/testing/status.h"
#include "libs/testing/vectors.h"
#include "libs/throwaway/throwaway_pki.h"

namespace devicetrust::pki {
namespace {

constexpr WallTime kListedAt{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}};

Crl Sample() {
  return {.number = 41,
          .this_update = kListedAt,
          .next_update = kListedAt + std::chrono::hours{1},
          .revoked = {{"02", kListedAt - std::chrono::hours{2}, CrlReason::kKeyCompromise},
                      {"0100000000000000000000000000000001", kListedAt, CrlReason::kUnspecified}}};
}

TEST(CrlTest, ReadsWhatOpensslWrote) {
  const Certificate ca = Certificate::FromPem(testing::ReadVector("openssl/ca.pem")).value();
  const absl::StatusOr<Crl> crl = ParseCrl(testing::ReadVectorBytes("openssl/list.crl"), ca);
  DT_ASSERT_OK(crl);
  EXPECT_EQ(crl->number, 7);
  EXPECT_EQ(crl->next_update - crl->this_update, std::chrono::days{30});
  ASSERT_EQ(crl->revoked.size(), 1U);
  EXPECT_EQ(crl->revoked[0].serial_hex, "0badc0de");
  EXPECT_EQ(crl->revoked[0].reason, CrlReason::kKeyCompromise);
}

TEST(CrlTest, SurvivesDer) {
  const Identity ca = throwaway::NewCa("device CA", kListedAt);
  const Bytes der = BuildCrl(Sample(), ca).value();
  const absl::StatusOr<Crl> crl = ParseCrl(der, ca.certificate);
  DT_ASSERT_OK(crl);
  EXPECT_EQ(crl->number, 41);
  EXPECT_EQ(crl->this_update, kListedAt);
  ASSERT_EQ(crl->revoked.size(), 2U);
  EXPECT_EQ(crl->revoked[0].serial_hex, "02");
  EXPECT_EQ(crl->revoked[0].revoked_at, kListedAt - std::chrono::hours{2});
  EXPECT_EQ(crl->revoked[1].reason, CrlReason::kUnspecified);
  EXPECT_TRUE(CrlToPem(der).starts_with("-----BEGIN X509 CRL-----"));
}

TEST(CrlTest, RefusesAnotherSignerAndBadInput) {
  const Identity ca = throwaway::NewCa("device CA", kListedAt);
  const Identity namesake = throwaway::NewCa("device CA", kListedAt);
  const Identity other = throwaway::NewCa("other CA", kListedAt);
  Bytes der = BuildCrl(Sample(), ca).value();
  DT_EXPECT_CODE(ParseCrl(der, namesake.certificate), kPermissionDenied);
  DT_EXPECT_CODE(ParseCrl(der, other.certificate), kPermissionDenied);
  der.push_back(0);
  DT_EXPECT_CODE(ParseCrl(der, ca.certificate), kInvalidArgument);
  DT_EXPECT_CODE(ParseCrl({}, ca.certificate), kInvalidArgument);
  Crl bad = Sample();
  bad.revoked[0].serial_hex = "no hex";
  DT_EXPECT_CODE(BuildCrl(bad, ca), kInvalidArgument);
  bad = Sample();
  bad.number = -1;
  DT_EXPECT_CODE(BuildCrl(bad, ca), kInvalidArgument);
}

TEST(CrlTest, NoMutationIsAccepted) {
  const Identity ca = throwaway::NewCa("device CA", kListedAt);
  const Bytes good = BuildCrl(Sample(), ca).value();
  testing::ForEachMutation(good, 2000, 4, [&](const Bytes& bad) {
    if (bad != good) {
      EXPECT_FALSE(ParseCrl(bad, ca.certificate).ok());
    }
  });
}

}  // namespace
}  // namespace devicetrust::pki
