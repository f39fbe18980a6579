#include "ca-service/profile_lint.h"

#include <algorithm>
#include <set>

#include "ca-service/ca_fixture.h"

namespace devicetrust::ca {
namespace {

using std::chrono::days;
using std::chrono::seconds;

class ProfileLintTest : public CaTest {
 protected:
  const Issuer& issuer() { return issuers_->Current()->active(); }
  Bytes Good() {
    return issuer().Prepare(spec_, key_.public_key(), profile_, kStart, random_).value().content;
  }
  // What Prepare() has written, for tests to change one thing.
  pki::CertificateSpec Written() {
    return {.common_name = spec_.device_id,
            .serial_hex = pki::NewSerial(kStart, random_).value(),
            .usage = pki::Usage::kClientAuth,
            .not_before = kStart - profile_.backdate,
            .not_after = kStart + profile_.validity,
            .uris = {"urn:devicetrust:acme:device:" + spec_.device_id,
                     "urn:devicetrust:acme:enrollment:" + spec_.enrollment_id},
            .crl_urls = {"http://ca.test/crl/1.crl"},
            .ocsp_urls = {"http://ca.test/ocsp"},
            .ca_issuer_urls = {"http://ca.test/ca/1.crt"}};
  }
  absl::Status Lint(const Bytes& content) {
    return LintDeviceCertificate(
        content, {issuer().certificate(), key_.public_key(), spec_, profile_, kStart});
  }
  absl::Status Lint(const pki::CertificateSpec& written) {
    const pki::PrivateKey authority = pki::PrivateKey::Generate().value();
    return Lint(
        pki::CertificateContent(written, key_.public_key(), {issuer().certificate(), authority})
            .value());
  }

  const DeviceSpec spec_{"acme", "00112233445566778899aabbccddeeff",
                         "ffeeddccbbaa99887766554433221100", "http://ca.test"};
  const Profile profile_;
};

TEST_F(ProfileLintTest, TakesWhatTheIssuerWrites) {
  DT_EXPECT_OK(Lint(Good()));
  DT_EXPECT_OK(Lint(Written()));
}

// Each bit of the content is looked at: a changed one is refused, but in the serial number and
// behind the public address of the URLs.
TEST_F(ProfileLintTest, NoBitMayVaryBesidesSerialAndPaths) {
  const Bytes good = Good();
  const std::string text = ToString(good);
  std::set<std::size_t> free;
  const std::size_t serial = 4 + 5 + 2;  // Behind the headers, the version, its own header.
  for (std::size_t i = 0; i < 20; ++i) free.insert(serial + i);
  for (std::size_t at = 0; (at = text.find("http://ca.test/", at)) != std::string::npos; ++at) {
    if (text.compare(at, 19, "http://ca.test/ocsp") == 0) continue;  // The same in each.
    const std::size_t end =
        text.find(at == text.rfind("http://ca.test/") ? ".crt" : ".crl", at) + 4;
    for (std::size_t i = at + 15; i < end; ++i) free.insert(i);
  }
  ASSERT_GT(free.size(), 60U);
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes changed = good;
      changed[i] ^= static_cast<std::uint8_t>(1 << bit);
      EXPECT_TRUE(free.contains(i) || !Lint(changed).ok()) << "octet " << i << " bit " << bit;
    }
  }
}

TEST_F(ProfileLintTest, AnyCutOrTailIsRefused) {
  const Bytes good = Good();
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(Lint(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size))).ok());
  }
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_FALSE(Lint(longer).ok());
}

TEST_F(ProfileLintTest, NamesTheFieldThatDeviates) {
  const auto refused = [&](void (*change)(pki::CertificateSpec&)) {
    pki::CertificateSpec written = Written();
    change(written);
    const absl::Status status = Lint(written);
    EXPECT_TRUE(absl::IsInternal(status)) << status;
    const std::string message(status.message());
    return message.substr(message.rfind(" in ") + 4);
  };
  using Spec = pki::CertificateSpec;
  EXPECT_EQ(refused([](Spec& s) { s.serial_hex = "0102030405060708"; }), "its serial number");
  EXPECT_EQ(refused([](Spec& s) { s.not_after += seconds(1); }), "its times");
  EXPECT_EQ(refused([](Spec& s) { s.not_before -= days(1); }), "its times");
  EXPECT_EQ(refused([](Spec& s) { s.common_name = "alice"; }), "its subject");
  EXPECT_EQ(refused([](Spec& s) { s.organization = "acme"; }), "its subject");
  EXPECT_EQ(refused([](Spec& s) { s.usage = pki::Usage::kCa; }), "basicConstraints");
  EXPECT_EQ(refused([](Spec& s) { s.usage = pki::Usage::kServerAndClientAuth; }),
            "extendedKeyUsage");
  EXPECT_EQ(refused([](Spec& s) { s.dns_names = {"pc.test"}; }), "subjectAltName");
  EXPECT_EQ(refused([](Spec& s) { std::swap(s.uris[0], s.uris[1]); }), "subjectAltName");
  EXPECT_EQ(refused([](Spec& s) { s.crl_urls = {}; }), "cRLDistributionPoints, which is missing");
  EXPECT_EQ(refused([](Spec& s) { s.crl_urls.push_back(s.crl_urls[0]); }), "cRLDistributionPoints");
  EXPECT_EQ(refused([](Spec& s) { s.crl_urls = {"http://ca.test.evil.test/1.crl"}; }),
            "cRLDistributionPoints");
  EXPECT_EQ(refused([](Spec& s) { s.ca_issuer_urls = s.ocsp_urls = {}; }),
            "authorityInfoAccess, which is missing");
  EXPECT_EQ(refused([](Spec& s) { s.ca_issuer_urls = {}; }), "authorityInfoAccess");
  EXPECT_EQ(refused([](Spec& s) { s.ocsp_urls = {}; }), "authorityInfoAccess");
  EXPECT_EQ(refused([](Spec& s) { s.ocsp_urls = {"http://ca.test/other"}; }),
            "authorityInfoAccess");
  EXPECT_EQ(refused([](Spec& s) { s.ca_issuer_urls = {"http://other.test/1.crt"}; }),
            "authorityInfoAccess");
}

TEST_F(ProfileLintTest, TheKeyAndTheIssuerMustBeTheOnesAskedFor) {
  const Bytes good = Good();
  const auto other = pki::PrivateKey::Generate().value();
  EXPECT_FALSE(LintDeviceCertificate(
                   good, {issuer().certificate(), other.public_key(), spec_, profile_, kStart})
                   .ok());
  EXPECT_FALSE(
      LintDeviceCertificate(good, {issuer().root(), key_.public_key(), spec_, profile_, kStart})
          .ok());
}

// Nobody wins a year by the form of a time: two digits until 2049, four from 2050 on.
TEST_F(ProfileLintTest, KnowsBothFormsOfTimes) {
  const WallTime late{std::chrono::sys_days{std::chrono::year{2049} / 6 / 1}};
  const pki::PrivateKey root = pki::PrivateKey::Generate().value();
  const pki::Certificate authority = pki::SignSelf({.common_name = kIssuerName,
                                                    .serial_hex = "01",
                                                    .usage = pki::Usage::kCa,
                                                    .not_before = late,
                                                    .not_after = late + days(3650)},
                                                   root)
                                         .value();
  const Issuer issuer({authority, root}, authority);
  const auto draft = issuer.Prepare(spec_, key_.public_key(), profile_, late, random_);
  DT_ASSERT_OK(draft);
  EXPECT_EQ(issuer.Sign(draft->content).value().not_after(), late + profile_.validity);
}

}  // namespace
}  // namespace devicetrust::ca
