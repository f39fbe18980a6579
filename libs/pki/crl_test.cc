#include "libs/pki/crl.h"

#include <gtest/gtest.h>

#include <limits>

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

TEST(CrlTest, PartsAndDeltasSayWhatTheyAre) {
  const Identity ca = throwaway::NewCa("device CA", kListedAt);
  Crl part = Sample();
  part.part_urls = {"http://a.test/crl/1-2.crl", "http://b.test/crl/1-2.crl"};
  const Crl read = ParseCrl(BuildCrl(part, ca).value(), ca.certificate).value();
  EXPECT_EQ(read.part_urls, part.part_urls);
  EXPECT_FALSE(read.base_number);

  Crl delta = Sample();
  delta.base_number = 40;
  delta.revoked[0].reason = CrlReason::kRemoveFromCrl;
  const Crl changes = ParseCrl(BuildCrl(delta, ca).value(), ca.certificate).value();
  EXPECT_EQ(changes.base_number, 40);
  EXPECT_TRUE(changes.part_urls.empty());
  EXPECT_EQ(changes.revoked[0].reason, CrlReason::kRemoveFromCrl);

  Crl complete = Sample();
  complete.delta_url = "http://a.test/crl/1-delta.crl";
  complete.revoked.clear();
  const Crl whole = ParseCrl(BuildCrl(complete, ca).value(), ca.certificate).value();
  EXPECT_EQ(whole.delta_url, complete.delta_url);
  EXPECT_FALSE(whole.base_number);
}

// The other end of what DER can say: long serials with a high bit, years beyond 2049, 130 entries.
TEST(CrlTest, SurvivesTheEdgesOfDer) {
  const Identity ca = throwaway::NewCa("device CA", kListedAt);
  Crl crl = Sample();
  crl.number = std::numeric_limits<std::int64_t>::max();
  crl.next_update = std::chrono::sys_days{std::chrono::year{2050} / 1 / 1};
  crl.revoked.assign(130, {"ff00000000000000000000000000000000000001",
                           std::chrono::sys_days{std::chrono::year{2051} / 2 / 3} +
                               std::chrono::seconds{4},
                           CrlReason::kCertificateHold});
  for (const std::int64_t number : {0L, 127L, 128L, 255L, 256L, 32768L}) {
    crl.revoked.push_back({"7f", kListedAt, CrlReason::kUnspecified});
    Crl numbered = crl;
    numbered.number = number;
    EXPECT_EQ(ParseCrl(BuildCrl(numbered, ca).value(), ca.certificate).value().number, number);
  }
  const Crl read = ParseCrl(BuildCrl(crl, ca).value(), ca.certificate).value();
  EXPECT_EQ(read.number, crl.number);
  EXPECT_EQ(read.next_update, crl.next_update);
  ASSERT_EQ(read.revoked.size(), crl.revoked.size());
  EXPECT_EQ(read.revoked[0].serial_hex, crl.revoked[0].serial_hex);
  EXPECT_EQ(read.revoked[0].revoked_at, crl.revoked[0].revoked_at);
  EXPECT_EQ(read.revoked.back().serial_hex, "7f");
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
