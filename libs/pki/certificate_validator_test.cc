#include "libs/pki/certificate_validator.h"

#include <gtest/gtest.h>

#include "libs/testing/mutation.h"
#include "libs/testing/settable_clock.h"
#include "libs/testing/status.h"
#include "libs/testing/vectors.h"
#include "libs/throwaway/throwaway_pki.h"

namespace devicetrust::pki {
namespace {

using std::chrono::days;
using std::chrono::seconds;

constexpr WallTime kJudgedAt{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}};

class CertificateValidatorTest : public ::testing::Test {
 protected:
  Certificate Issue(CertificateSpec spec, const Identity& ca) {
    const PrivateKey key = PrivateKey::Generate().value();
    return SignCertificate(spec, key.public_key(), ca).value();
  }
  CertificateSpec Spec() {
    return {.common_name = "PC0042",
            .serial_hex = "02",
            .not_before = kJudgedAt,
            .not_after = kJudgedAt + days{365}};
  }
  std::unique_ptr<CertificateValidator> NewValidator(std::size_t cache_max = 16) {
    return CertificateValidator::Create({ca_.certificate}, clock_, cache_max).value();
  }

  testing::SettableClock clock_{kJudgedAt};
  Identity ca_ = throwaway::NewCa("MTLS Certificate Authority", kJudgedAt);
};

TEST_F(CertificateValidatorTest, TrustsWhatTheDeviceCaIssued) {
  const auto validator = NewValidator();
  const Identity device = throwaway::NewDevice("acme", "d1", "e1", ca_, kJudgedAt);
  EXPECT_EQ(validator->Check(device.certificate), CertificateVerdict::kValid);
  EXPECT_EQ(validator->Check(device.certificate), CertificateVerdict::kValid);  // From the cache.
}

TEST_F(CertificateValidatorTest, OfAChainTheCaThatIssuesDevicesAlone) {
  const Identity root = throwaway::NewCa("MTLS Root Certificate Authority", kJudgedAt);
  const Identity issuing =
      throwaway::NewIdentity("MTLS Certificate Authority", Usage::kCa, root, kJudgedAt);
  const auto validator =
      CertificateValidator::Create({issuing.certificate, root.certificate}, clock_).value();
  EXPECT_EQ(validator->trust_anchors().size(), 1U);
  EXPECT_EQ(
      validator->Check(throwaway::NewDevice("acme", "d1", "e1", issuing, kJudgedAt).certificate),
      CertificateVerdict::kValid);
  EXPECT_EQ(validator->Check(throwaway::NewDevice("acme", "d1", "e1", root, kJudgedAt).certificate),
            CertificateVerdict::kUnknownIssuer);
}

TEST_F(CertificateValidatorTest, NamesWhatIsWrong) {
  const auto validator = NewValidator();
  const Identity foreign = throwaway::NewCa("Another CA", kJudgedAt);
  const Identity namesake = throwaway::NewCa("MTLS Certificate Authority", kJudgedAt);
  EXPECT_EQ(validator->Check(Issue(Spec(), foreign)), CertificateVerdict::kUnknownIssuer);
  // The name of the device CA, another key identifier.
  EXPECT_EQ(validator->Check(Issue(Spec(), namesake)), CertificateVerdict::kUnknownIssuer);

  CertificateSpec server = Spec();
  server.usage = Usage::kServerAuth;
  EXPECT_EQ(validator->Check(Issue(server, ca_)), CertificateVerdict::kWrongUsage);
  CertificateSpec sub_ca = Spec();
  sub_ca.usage = Usage::kCa;
  EXPECT_EQ(validator->Check(Issue(sub_ca, ca_)), CertificateVerdict::kWrongUsage);
  EXPECT_EQ(validator->Check(ca_.certificate), CertificateVerdict::kWrongUsage);
}

TEST_F(CertificateValidatorTest, SeesABadSignatureUnderTheRightName) {
  const auto validator = NewValidator();
  Bytes der = Issue(Spec(), ca_).der();
  der[der.size() - 3] ^= 1;  // In s of the signature.
  const Certificate forged = Certificate::FromDer(der).value();
  EXPECT_EQ(validator->Check(forged), CertificateVerdict::kBadSignature);
}

TEST_F(CertificateValidatorTest, JudgesWhatOpensslIssued) {
  const Certificate ca = Certificate::FromPem(testing::ReadVector("openssl/ca.pem")).value();
  clock_.Set(WallTime(std::chrono::sys_days{std::chrono::year{2027} / 1 / 1}));
  const auto validator = CertificateValidator::Create({ca}, clock_).value();
  const auto check = [&](const std::string& file) {
    return validator->Check(Certificate::FromPem(testing::ReadVector("openssl/" + file)).value());
  };
  EXPECT_EQ(check("client.pem"), CertificateVerdict::kValid);
  EXPECT_EQ(check("critical.pem"), CertificateVerdict::kUnknownCriticalExtension);
  EXPECT_EQ(check("nothing.pem"), CertificateVerdict::kWrongUsage);  // No EKU at all.
}

TEST_F(CertificateValidatorTest, KeepsToTheDatesAlsoWhenCached) {
  const auto validator = NewValidator();
  CertificateSpec later = Spec();
  later.not_before = kJudgedAt + seconds{10};
  later.not_after = kJudgedAt + seconds{20};
  const Certificate leaf = Issue(later, ca_);
  EXPECT_EQ(validator->Check(leaf), CertificateVerdict::kNotYetValid);
  clock_.Set(kJudgedAt + seconds{10});
  EXPECT_EQ(validator->Check(leaf), CertificateVerdict::kValid);
  clock_.Set(kJudgedAt + seconds{20} + std::chrono::milliseconds{999});
  EXPECT_EQ(validator->Check(leaf), CertificateVerdict::kValid);  // The last second counts.
  clock_.Set(kJudgedAt + seconds{21});
  EXPECT_EQ(validator->Check(leaf), CertificateVerdict::kExpired);
}

TEST_F(CertificateValidatorTest, AcceptsOldAndNewIssuerDuringARollover) {
  const Identity next = throwaway::NewCa("MTLS Certificate Authority", kJudgedAt);
  const auto validator =
      CertificateValidator::Create({next.certificate, ca_.certificate}, clock_).value();
  EXPECT_EQ(validator->Check(Issue(Spec(), ca_)), CertificateVerdict::kValid);
  EXPECT_EQ(validator->Check(Issue(Spec(), next)), CertificateVerdict::kValid);
}

TEST_F(CertificateValidatorTest, ASmallCacheOnlyCostsTime) {
  for (const std::size_t cache_max : {0U, 1U, 3U}) {
    const auto validator = NewValidator(cache_max);
    for (int i = 0; i < 8; ++i) {
      const Certificate leaf = Issue(Spec(), ca_);
      EXPECT_EQ(validator->Check(leaf), CertificateVerdict::kValid);
      EXPECT_EQ(validator->Check(leaf), CertificateVerdict::kValid);
    }
  }
}

TEST_F(CertificateValidatorTest, NeedsRealCas) {
  DT_EXPECT_CODE(CertificateValidator::Create({}, clock_), kInvalidArgument);
  DT_EXPECT_CODE(CertificateValidator::Create({Issue(Spec(), ca_)}, clock_), kInvalidArgument);
}

TEST_F(CertificateValidatorTest, NoMutationIsTrusted) {
  const auto validator = NewValidator();
  const Bytes good = Issue(Spec(), ca_).der();
  testing::ForEachMutation(good, 3000, 5, [&](const Bytes& bad) {
    if (bad == good) return;
    const absl::StatusOr<Certificate> leaf = Certificate::FromDer(bad);
    if (leaf.ok()) {
      EXPECT_NE(validator->Check(*leaf), CertificateVerdict::kValid);
    }
  });
}

}  // namespace
}  // namespace devicetrust::pki
