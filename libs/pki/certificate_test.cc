#include "libs/pki/certificate.h"

#include <gtest/gtest.h>

#include <set>

#include "libs/base/random.h"
#include "libs/sim/throwaway_pki.h"
#include "libs/testing/mutation.h"
#include "libs/testing/status.h"
#include "libs/testing/vectors.h"

namespace devicetrust::pki {
namespace {

using Strings = std::vector<std::string>;
using testing::ReadVector;

constexpr WallTime kIssuedAt{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}};

CertificateSpec Spec() {
  return {.common_name = "PC0042",
          .serial_hex = "0badc0de",
          .not_before = kIssuedAt,
          .not_after = kIssuedAt + std::chrono::days{365}};
}

TEST(CertificateTest, ReadsWhatOpensslWrote) {
  const absl::StatusOr<Certificate> certificate =
      Certificate::FromPem(ReadVector("openssl/client.pem"));
  DT_ASSERT_OK(certificate);
  EXPECT_EQ(certificate->common_name(), "PC0042");
  EXPECT_EQ(certificate->issuer_common_name(), "Example CA");
  EXPECT_EQ(certificate->serial_hex(), "0badc0de");
  EXPECT_EQ(certificate->uris(), (Strings{"urn:example:device:1", "urn:example:enrolment:2"}));
  EXPECT_EQ(certificate->dns_names(), Strings{"pc.example"});
  EXPECT_EQ(certificate->ip_addresses(), (Strings{"192.0.2.7", "2001:db8::7"}));
  EXPECT_EQ(certificate->crl_urls(), Strings{"http://ca.example/crl"});
  EXPECT_TRUE(certificate->allows_client_auth());
  EXPECT_FALSE(certificate->allows_server_auth());
  EXPECT_FALSE(certificate->is_ca());
  EXPECT_EQ(certificate->not_after() - certificate->not_before(), std::chrono::days{36500});
  const Certificate ca = Certificate::FromPem(ReadVector("openssl/ca.pem")).value();
  EXPECT_TRUE(ca.is_ca());
  EXPECT_EQ(certificate->authority_key_id(), ca.subject_key_id());
  EXPECT_EQ(certificate->issuer_der(), ca.subject_der());
}

TEST(CertificateTest, WritesEveryPartOfItsSpec) {
  const Identity ca = sim::NewCa("device CA", kIssuedAt);
  CertificateSpec spec = Spec();
  spec.organization = "acme, with a comma, CA:TRUE";
  spec.uris = {"urn:devicetrust:acme:device:1", "urn:x,URI:y"};
  spec.dns_names = {"*.mtls.localhost", "localhost"};
  spec.ip_addresses = {"127.0.0.1", "::1"};
  spec.crl_urls = {"http://127.0.0.1:1/crl"};
  spec.ocsp_urls = {"http://127.0.0.1:1/ocsp"};
  spec.ca_issuer_urls = {"http://127.0.0.1:1/ca.cer"};
  const PrivateKey key = PrivateKey::Generate().value();
  const absl::StatusOr<Certificate> made = SignCertificate(spec, key.public_key(), ca);
  DT_ASSERT_OK(made);

  const Certificate read = Certificate::FromDer(made->der()).value();
  EXPECT_EQ(read.serial_hex(), spec.serial_hex);
  EXPECT_EQ(read.uris(), spec.uris);
  EXPECT_EQ(read.dns_names(), spec.dns_names);
  EXPECT_EQ(read.ip_addresses(), spec.ip_addresses);
  EXPECT_EQ(read.crl_urls(), spec.crl_urls);
  EXPECT_EQ(read.not_before(), spec.not_before);
  EXPECT_EQ(read.not_after(), spec.not_after);
  EXPECT_EQ(read.public_key().value(), key.public_key());
  EXPECT_EQ(read.authority_key_id(), ca.certificate.subject_key_id());
  EXPECT_TRUE(read.allows_client_auth());
  EXPECT_FALSE(read.is_ca());
  EXPECT_EQ(Certificate::FromPem(read.Pem())->Fingerprint(), read.Fingerprint());
}

TEST(CertificateTest, RefusesToWriteNonsense) {
  const Identity ca = sim::NewCa("device CA", kIssuedAt);
  const PublicKey key = PrivateKey::Generate()->public_key();
  const auto code = [&](auto change, const Identity& issuer) {
    CertificateSpec spec = Spec();
    change(spec);
    return SignCertificate(spec, key, issuer).status().code();
  };
  const auto invalid = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(code([](auto& s) { s.serial_hex = "-1"; }, ca), invalid);
  EXPECT_EQ(code([](auto& s) { s.serial_hex = "0"; }, ca), invalid);
  EXPECT_EQ(code([](auto& s) { s.serial_hex = "12xy"; }, ca), invalid);
  EXPECT_EQ(code([](auto& s) { s.serial_hex = std::string(41, '1'); }, ca), invalid);
  EXPECT_EQ(code([](auto& s) { s.common_name = ""; }, ca), invalid);
  EXPECT_EQ(code([](auto& s) { s.not_after = s.not_before - std::chrono::seconds{1}; }, ca),
            invalid);
  EXPECT_EQ(code([](auto& s) { s.uris = {"urn:with space"}; }, ca), invalid);
  EXPECT_EQ(code([](auto& s) { s.dns_names = {"sm\xc3\xb8rgen"}; }, ca), invalid);
  EXPECT_EQ(code([](auto& s) { s.ip_addresses = {"127.0.0.256"}; }, ca), invalid);
  EXPECT_EQ(code([](auto& s) { s.path_length = 0; }, ca), invalid);  // No CA, no path.
  const Identity leaf = sim::NewIdentity("leaf", Usage::kServerAuth, ca, kIssuedAt);
  EXPECT_EQ(code([](auto&) {}, leaf), absl::StatusCode::kFailedPrecondition);
}

TEST(CertificateTest, ReadsTimesBeyondTheClocksRange) {
  const Certificate forever = Certificate::FromPem(ReadVector("openssl/forever.pem")).value();
  EXPECT_GT(forever.not_after(), kIssuedAt + std::chrono::days{365 * 200});
  EXPECT_LT(forever.not_before(), forever.not_after());
}

TEST(CertificateTest, ReadsChainsAndNothingElse) {
  const std::string one = ReadVector("openssl/client.pem");
  const std::string two = one + "\n" + ReadVector("openssl/ca.pem");
  EXPECT_EQ(CertificatesFromPem(two)->size(), 2U);
  DT_EXPECT_CODE(CertificatesFromPem(two, 1), kInvalidArgument);
  DT_EXPECT_CODE(Certificate::FromPem(two), kInvalidArgument);
  DT_EXPECT_CODE(CertificatesFromPem(""), kInvalidArgument);
  DT_EXPECT_CODE(CertificatesFromPem(one + "rest"), kInvalidArgument);
  DT_EXPECT_CODE(CertificatesFromPem("comment\n" + one), kInvalidArgument);
  DT_EXPECT_CODE(CertificatesFromPem(one.substr(0, one.size() / 2)), kInvalidArgument);
  DT_EXPECT_CODE(CertificatesFromPem(ReadVector("openssl/p256.key")), kInvalidArgument);
  Bytes longer = Certificate::FromPem(one)->der();
  longer.push_back(0);
  DT_EXPECT_CODE(Certificate::FromDer(longer), kInvalidArgument);
}

TEST(CertificateTest, PairsACertificateWithItsKeyOnly) {
  const Identity ca = sim::NewCa("CA", kIssuedAt);
  const Identity server = sim::NewIdentity("server", Usage::kServerAuth, ca, kIssuedAt);
  const std::string chain = server.certificate.Pem() + ca.certificate.Pem();
  const absl::StatusOr<Identity> read = IdentityFromPem(chain, server.key.Pem());
  DT_ASSERT_OK(read);
  EXPECT_EQ(read->intermediates.size(), 1U);
  DT_EXPECT_CODE(IdentityFromPem(chain, ca.key.Pem()), kFailedPrecondition);
}

TEST(CertificateTest, NoMutationOfACertificateDoesHarm) {
  const Bytes good = Certificate::FromPem(ReadVector("openssl/client.pem"))->der();
  testing::ForEachMutation(good, 3000, 2, [](const Bytes& bad) {
    const absl::StatusOr<Certificate> read = Certificate::FromDer(bad);
    if (!read.ok()) return;
    EXPECT_EQ(read->der(), bad);  // What parsed is exactly what was given.
    static_cast<void>(read->uris());
    static_cast<void>(read->ip_addresses());
    static_cast<void>(read->crl_urls());
    static_cast<void>(read->not_after());
    static_cast<void>(read->public_key());
    static_cast<void>(read->is_ca());
  });
}

TEST(RandomSerialTest, IsPositiveOfOneLengthAndNeverTwice) {
  SystemRandom random;
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string serial = RandomSerial(random).value();
    EXPECT_EQ(serial.size(), 34U);
    EXPECT_TRUE(seen.insert(serial).second);
  }
}

}  // namespace
}  // namespace devicetrust::pki
