#include "libs/pki/chain.h"

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

class DeviceVerifierTest : public ::testing::Test {
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
  std::unique_ptr<DeviceVerifier> NewVerifier(std::size_t cache_max = 16) {
    return DeviceVerifier::Create({ca_.certificate}, clock_, cache_max).value();
  }

  testing::SettableClock clock_{kJudgedAt};
  Identity ca_ = throwaway::NewCa("MTLS Certificate Authority", kJudgedAt);
};

TEST_F(DeviceVerifierTest, TrustsWhatTheDeviceCaIssued) {
  const auto verifier = NewVerifier();
  const Identity device = throwaway::NewDevice("acme", "d1", "e1", ca_, kJudgedAt);
  EXPECT_EQ(verifier->Check(device.certificate), DeviceVerdict::kGood);
  EXPECT_EQ(verifier->Check(device.certificate), DeviceVerdict::kGood);  // From the cache.
}

TEST_F(DeviceVerifierTest, OfAChainTheCaThatIssuesDevicesAlone) {
  const Identity root = throwaway::NewCa("MTLS Root Certificate Authority", kJudgedAt);
  const Identity issuing =
      throwaway::NewIdentity("MTLS Certificate Authority", Usage::kCa, root, kJudgedAt);
  const auto verifier =
      DeviceVerifier::Create({issuing.certificate, root.certificate}, clock_).value();
  EXPECT_EQ(verifier->issuers().size(), 1U);
  EXPECT_EQ(
      verifier->Check(throwaway::NewDevice("acme", "d1", "e1", issuing, kJudgedAt).certificate),
      DeviceVerdict::kGood);
  EXPECT_EQ(verifier->Check(throwaway::NewDevice("acme", "d1", "e1", root, kJudgedAt).certificate),
            DeviceVerdict::kForeignIssuer);
}

TEST_F(DeviceVerifierTest, NamesWhatIsWrong) {
  const auto verifier = NewVerifier();
  const Identity foreign = throwaway::NewCa("Another CA", kJudgedAt);
  const Identity namesake = throwaway::NewCa("MTLS Certificate Authority", kJudgedAt);
  EXPECT_EQ(verifier->Check(Issue(Spec(), foreign)), DeviceVerdict::kForeignIssuer);
  // The name of the device CA, another key identifier.
  EXPECT_EQ(verifier->Check(Issue(Spec(), namesake)), DeviceVerdict::kForeignIssuer);

  CertificateSpec server = Spec();
  server.usage = Usage::kServerAuth;
  EXPECT_EQ(verifier->Check(Issue(server, ca_)), DeviceVerdict::kWrongUsage);
  CertificateSpec sub_ca = Spec();
  sub_ca.usage = Usage::kCa;
  EXPECT_EQ(verifier->Check(Issue(sub_ca, ca_)), DeviceVerdict::kWrongUsage);
  EXPECT_EQ(verifier->Check(ca_.certificate), DeviceVerdict::kWrongUsage);
}

TEST_F(DeviceVerifierTest, SeesABadSignatureUnderTheRightName) {
  const auto verifier = NewVerifier();
  Bytes der = Issue(Spec(), ca_).der();
  der[der.size() - 3] ^= 1;  // In s of the signature.
  const Certificate forged = Certificate::FromDer(der).value();
  EXPECT_EQ(verifier->Check(forged), DeviceVerdict::kBadSignature);
}

TEST_F(DeviceVerifierTest, JudgesWhatOpensslIssued) {
  const Certificate ca = Certificate::FromPem(testing::ReadVector("openssl/ca.pem")).value();
  clock_.Set(WallTime(std::chrono::sys_days{std::chrono::year{2027} / 1 / 1}));
  const auto verifier = DeviceVerifier::Create({ca}, clock_).value();
  const auto check = [&](const std::string& file) {
    return verifier->Check(Certificate::FromPem(testing::ReadVector("openssl/" + file)).value());
  };
  EXPECT_EQ(check("client.pem"), DeviceVerdict::kGood);
  EXPECT_EQ(check("critical.pem"), DeviceVerdict::kCriticalExtension);
  EXPECT_EQ(check("nothing.pem"), DeviceVerdict::kWrongUsage);  // No EKU at all.
}

TEST_F(DeviceVerifierTest, KeepsToTheDatesAlsoWhenCached) {
  const auto verifier = NewVerifier();
  CertificateSpec later = Spec();
  later.not_before = kJudgedAt + seconds{10};
  later.not_after = kJudgedAt + seconds{20};
  const Certificate leaf = Issue(later, ca_);
  EXPECT_EQ(verifier->Check(leaf), DeviceVerdict::kNotYetValid);
  clock_.Set(kJudgedAt + seconds{10});
  EXPECT_EQ(verifier->Check(leaf), DeviceVerdict::kGood);
  clock_.Set(kJudgedAt + seconds{20} + std::chrono::milliseconds{999});
  EXPECT_EQ(verifier->Check(leaf), DeviceVerdict::kGood);  // The last second counts.
  clock_.Set(kJudgedAt + seconds{21});
  EXPECT_EQ(verifier->Check(leaf), DeviceVerdict::kExpired);
}

TEST_F(DeviceVerifierTest, AcceptsOldAndNewIssuerDuringARollover) {
  const Identity next = throwaway::NewCa("MTLS Certificate Authority", kJudgedAt);
  const auto verifier = DeviceVerifier::Create({next.certificate, ca_.certificate}, clock_).value();
  EXPECT_EQ(verifier->Check(Issue(Spec(), ca_)), DeviceVerdict::kGood);
  EXPECT_EQ(verifier->Check(Issue(Spec(), next)), DeviceVerdict::kGood);
}

TEST_F(DeviceVerifierTest, ASmallCacheOnlyCostsTime) {
  for (const std::size_t cache_max : {0U, 1U, 3U}) {
    const auto verifier = NewVerifier(cache_max);
    for (int i = 0; i < 8; ++i) {
      const Certificate leaf = Issue(Spec(), ca_);
      EXPECT_EQ(verifier->Check(leaf), DeviceVerdict::kGood);
      EXPECT_EQ(verifier->Check(leaf), DeviceVerdict::kGood);
    }
  }
}

TEST_F(DeviceVerifierTest, NeedsRealCas) {
  DT_EXPECT_CODE(DeviceVerifier::Create({}, clock_), kInvalidArgument);
  DT_EXPECT_CODE(DeviceVerifier::Create({Issue(Spec(), ca_)}, clock_), kInvalidArgument);
}

TEST_F(DeviceVerifierTest, NoMutationIsTrusted) {
  const auto verifier = NewVerifier();
  const Bytes good = Issue(Spec(), ca_).der();
  testing::ForEachMutation(good, 3000, 5, [&](const Bytes& bad) {
    if (bad == good) return;
    const absl::StatusOr<Certificate> leaf = Certificate::FromDer(bad);
    if (leaf.ok()) {
      EXPECT_NE(verifier->Check(*leaf), DeviceVerdict::kGood);
    }
  });
}

}  // namespace
}  // namespace devicetrust::pki
