#include "libs/pki/certificate.h"

#include <gtest/gtest.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <set>

#include "libs/base/random.h"
#include "libs/pki/openssl.h"
#include "libs/testing/mutation.h"
#include "libs/testing/status.h"
#include "libs/testing/vectors.h"
#include "libs/throwaway/throwaway_pki.h"

namespace devicetrust::pki {
namespace {

using Strings = std::vector<std::string>;
using ExtensionPtr = Owned<X509_EXTENSION, &X509_EXTENSION_free>;
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
  const Identity ca = throwaway::NewCa("device CA", kIssuedAt);
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

// One certificate of each shape that the product writes.
std::vector<Certificate> OneOfEachShape() {
  const PrivateKey root_key = PrivateKey::Generate().value();
  CertificateSpec root_spec = Spec();
  root_spec.usage = Usage::kCa;
  root_spec.organization = "Sm\xc3\xb8rgen, GmbH";
  const Certificate root = SignSelf(root_spec, root_key).value();
  CertificateSpec ca_spec = root_spec;
  ca_spec.path_length = 0;
  ca_spec.not_after = kIssuedAt + std::chrono::days{365 * 30};  // A GeneralizedTime.
  const PrivateKey ca_key = PrivateKey::Generate().value();
  const Identity ca{
      SignCertificate(ca_spec, ca_key.public_key(), {root, root_key}).value(), ca_key, {}};
  CertificateSpec device = Spec();
  device.common_name = "";
  device.serial_hex = "ff00000000000000000000000000000001";  // Takes a leading zero octet.
  device.uris = {"urn:devicetrust:acme:device:1", "urn:devicetrust:acme:enrollment:2"};
  device.crl_urls = {"http://127.0.0.1:1/crl", "http://127.0.0.1:2/crl"};
  device.ca_issuer_urls = {"http://127.0.0.1:1/ca.cer"};
  CertificateSpec server = Spec();
  server.usage = Usage::kServerAndClientAuth;
  server.dns_names = {"localhost", std::string(200, 'x')};  // Lengths in the long form.
  server.ip_addresses = {"127.0.0.1", "::1"};
  server.ocsp_urls = {"http://127.0.0.1:1/ocsp"};
  std::vector<Certificate> all = {root, ca.certificate};
  for (const KeyType type : {KeyType::kP256, KeyType::kP384, KeyType::kRsa2048}) {
    const PrivateKey key = PrivateKey::Generate(type).value();
    all.push_back(SignCertificate(device, key.public_key(), ca).value());
    all.push_back(SignCertificate(server, key.public_key(), ca).value());
    all.push_back(SignSelf(root_spec, key).value());
  }
  return all;
}

// The certificate's own values, written again by OpenSSL, are the same octets.
TEST(CertificateTest, WritesTheOctetsThatOpensslWrites) {
  for (const Certificate& certificate : OneOfEachShape()) {
    const Bytes der = certificate.der();
    const auto x509 = FromDer<X509Ptr>(der, &d2i_X509);
    ASSERT_NE(x509, nullptr);
    EXPECT_EQ(X509_get_version(x509.get()), X509_VERSION_3);
    const int extensions = X509_get_ext_count(x509.get());
    EXPECT_GE(extensions, 4);
    for (int i = 0; i < extensions; ++i) {
      X509_EXTENSION* extension = X509_get_ext(x509.get(), i);  // Borrowed.
      const int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
      void* value = X509V3_EXT_d2i(extension);
      ASSERT_NE(value, nullptr) << OBJ_nid2sn(nid);
      const ExtensionPtr again(X509V3_EXT_i2d(nid, X509_EXTENSION_get_critical(extension), value));
      EXPECT_EQ(ToDer(extension, &i2d_X509_EXTENSION), ToDer(again.get(), &i2d_X509_EXTENSION))
          << OBJ_nid2sn(nid);
      ASN1_item_free(static_cast<ASN1_VALUE*>(value), ASN1_ITEM_ptr(X509V3_EXT_get_nid(nid)->it));
    }
    const Bytes content = ToDer(x509.get(), &i2d_re_X509_tbs);  // Not from what was read.
    EXPECT_FALSE(std::ranges::search(der, content).empty());
    EXPECT_EQ(ToDer(x509.get(), &i2d_X509), der);
  }
}

void ExpectSame(const Certificate& quick, const Certificate& slow) {
  EXPECT_EQ(quick.der(), slow.der());
  EXPECT_EQ(quick.Pem(), slow.Pem());
  EXPECT_EQ(quick.common_name(), slow.common_name());
  EXPECT_EQ(quick.issuer_common_name(), slow.issuer_common_name());
  EXPECT_EQ(quick.subject_der(), slow.subject_der());
  EXPECT_EQ(quick.issuer_der(), slow.issuer_der());
  EXPECT_EQ(quick.serial_hex(), slow.serial_hex());
  EXPECT_EQ(quick.not_before(), slow.not_before());
  EXPECT_EQ(quick.not_after(), slow.not_after());
  EXPECT_EQ(quick.public_key().status(), slow.public_key().status());
  if (quick.public_key().ok()) {
    EXPECT_EQ(quick.public_key()->Spki(), slow.public_key()->Spki());
  }
  EXPECT_EQ(quick.uris(), slow.uris());
  EXPECT_EQ(quick.subject_key_id(), slow.subject_key_id());
  EXPECT_EQ(quick.is_ca(), slow.is_ca());
}

// Reading by parts says of each certificate what OpenSSL's reading as a whole says, and of
// no mutation that it is one when OpenSSL does not.
TEST(CertificateTest, ReadsByPartsAsOpensslReadsTheWhole) {
  for (const Certificate& certificate : OneOfEachShape()) {
    int read = 0;
    testing::ForEachMutation(certificate.der(), 500, 5, [&read](const Bytes& bad) {
      const absl::StatusOr<Certificate> quick = Certificate::FromDer(bad);
      auto x509 = FromDer<X509Ptr>(bad, &d2i_X509);
      ClearErrors();
      if (!quick.ok()) return;
      ASSERT_NE(x509, nullptr);
      ++read;
      ExpectSame(*quick, Certificate(std::shared_ptr<X509>(std::move(x509))));
    });
    EXPECT_GT(read, 50);
  }
}

TEST(CertificateTest, RefusesToWriteNonsense) {
  const Identity ca = throwaway::NewCa("device CA", kIssuedAt);
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
  const Identity leaf = throwaway::NewIdentity("leaf", Usage::kServerAuth, ca, kIssuedAt);
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
  std::string list = "A list\n";  // As a machine has it.
  for (int i = 0; i < 100; ++i) list += "# one\n" + one;
  DT_EXPECT_CODE(CertificatesFromPem(list), kInvalidArgument);
  EXPECT_EQ(CasFromPem(list).size(), 100U);
  const std::string unknown = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  EXPECT_EQ(CasFromPem(unknown + list + unknown).size(), 100U);
  EXPECT_TRUE(CasFromPem(unknown + "rest").empty());
  EXPECT_TRUE(CasFromPem("").empty());
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
  const ExportableIdentity ca = throwaway::NewCa("CA", kIssuedAt);
  const ExportableIdentity server =
      throwaway::NewIdentity("server", Usage::kServerAuth, ca, kIssuedAt);
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

TEST(NewSerialTest, IsPositiveAsLongAsAllowedAndNeverTwice) {
  SystemRandom random;
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string serial = NewSerial(SystemClock().Now(), random).value();
    EXPECT_EQ(serial.size(), 40U);
    EXPECT_LT(serial, "8");
    EXPECT_TRUE(seen.insert(serial).second);
  }
}

}  // namespace
}  // namespace devicetrust::pki
