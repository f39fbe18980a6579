#include "libs/pki/csr.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "libs/testing/mutation.h"
#include "libs/testing/status.h"
#include "libs/testing/vectors.h"

namespace devicetrust::pki {
namespace {

using testing::ReadVector;
using testing::ReadVectorBytes;

struct CsrFile {
  const char* name;
  absl::StatusCode code;
  const char* message;  // The end of it.
};
std::ostream& operator<<(std::ostream& out, const CsrFile& file) { return out << file.name; }

class CsrFileTest : public ::testing::TestWithParam<CsrFile> {};

TEST_P(CsrFileTest, IsJudgedByKeyAndAlgorithm) {
  const Bytes der = ReadVectorBytes(std::string("openssl/csr-") + GetParam().name + ".der");
  const absl::StatusOr<VerifiedCsr> csr = ParseCsr(der);
  EXPECT_EQ(csr.status().code(), GetParam().code) << csr.status();
  EXPECT_TRUE(std::string(csr.status().message()).ends_with(GetParam().message)) << csr.status();
  if (csr.ok()) {
    EXPECT_EQ(csr->common_name, "PC0042");
  }
}

constexpr auto kOtherKey = absl::StatusCode::kFailedPrecondition;
INSTANTIATE_TEST_SUITE_P(
    , CsrFileTest,
    ::testing::Values(CsrFile{"p256", absl::StatusCode::kOk, ""},
                      CsrFile{"sha1", absl::StatusCode::kInvalidArgument, "SHA-256 or longer"},
                      CsrFile{"p384", kOtherKey, "key is EC on secp384r1"},
                      CsrFile{"p521", kOtherKey, "key is EC on secp521r1"},
                      CsrFile{"secp256k1", kOtherKey, "key is EC on secp256k1"},
                      CsrFile{"rsa1024", kOtherKey, "key is RSA of 1024 bits"},
                      CsrFile{"rsa2048", kOtherKey, "key is RSA of 2048 bits"},
                      CsrFile{"ed25519", kOtherKey, "key is ED25519"},
                      CsrFile{"compressed", kOtherKey, "key is P-256 with a compressed point"},
                      CsrFile{"explicit", kOtherKey, "key is EC with explicit curve parameters"}),
    ::testing::PrintToStringParamName());

// Where the point's octets begin: after SubjectPublicKeyInfo's BIT STRING header.
std::size_t PointAt(const Bytes& csr) {
  static constexpr std::uint8_t kBitString[] = {0x03, 0x42, 0x00, 0x04};
  const auto found = std::ranges::search(csr, kBitString);
  return static_cast<std::size_t>(found.begin() - csr.begin()) + 3;
}

TEST(CsrTest, RefusesAPointThatIsNotOnTheCurve) {
  const Bytes good = ReadVectorBytes("openssl/csr-p256.der");
  const std::size_t point = PointAt(good);
  for (const auto& [offset, flip] : {std::pair{64, 1}, {1, 0x80}, {0, 0x04}, {0, 0x02}}) {
    Bytes bad = good;
    bad[point + static_cast<std::size_t>(offset)] ^= static_cast<std::uint8_t>(flip);
    const auto refused = ParseCsr(bad);
    DT_EXPECT_CODE(refused, kFailedPrecondition);
    EXPECT_EQ(refused.status().message(),
              "CSR key is P-256 without an uncompressed point of the curve");
  }
}

// A request with attributes, as Windows makes them, or with a longer digest is as good.
TEST(CsrTest, TakesTheUnusualButCorrectRequest) {
  const PrivateKey key = PrivateKey::FromPem(ReadVector("openssl/p256.key")).value();
  for (const char* name : {"openssl/csr-sha384.der", "openssl/csr-attributes.der"}) {
    const absl::StatusOr<VerifiedCsr> csr = ParseCsr(ReadVectorBytes(name));
    DT_ASSERT_OK(csr);
    EXPECT_EQ(csr->public_key, key.public_key());
    EXPECT_EQ(csr->common_name, "PC0042");
  }
}

TEST(CsrTest, ProvesPossessionOfTheKeyThatItNames) {
  const PrivateKey key = PrivateKey::Generate().value();
  const Bytes der = BuildCsr("PC0042", key).value();
  const absl::StatusOr<VerifiedCsr> csr = ParseCsr(der);
  DT_ASSERT_OK(csr);
  EXPECT_EQ(csr->public_key, key.public_key());
  EXPECT_EQ(csr->public_key.Thumbprint(), key.public_key().Thumbprint());
}

TEST(CsrTest, RefusesForgedEmptyLongAndTrailing) {
  Bytes der = BuildCsr("PC0042", PrivateKey::Generate().value()).value();
  Bytes forged = der;
  const auto name = std::ranges::search(forged, AsBytes("PC0042"));
  *name.begin() = 'Q';  // The signature no longer fits.
  DT_EXPECT_CODE(ParseCsr(forged), kPermissionDenied);
  DT_EXPECT_CODE(ParseCsr({}), kInvalidArgument);
  DT_EXPECT_CODE(ParseCsr(Bytes(kCsrBytesMax + 1, 0x30)), kInvalidArgument);
  der.push_back(0);
  DT_EXPECT_CODE(ParseCsr(der), kInvalidArgument);
}

TEST(CsrTest, NoMutationIsAccepted) {
  const Bytes good = ReadVectorBytes("openssl/csr-p256.der");
  testing::ForEachMutation(good, 5000, 3, [&](const Bytes& bad) {
    if (bad != good) {
      EXPECT_FALSE(ParseCsr(bad).ok());
    }
  });
}

TEST(CsrTest, SurvivesPem) {
  const PrivateKey key = PrivateKey::Generate().value();
  const Bytes der = BuildCsr("CA", key).value();
  const std::string pem = CsrToPem(der);
  EXPECT_EQ(CsrFromPem(pem).value(), der);
  EXPECT_EQ(CsrFromPem("\n" + pem + " \r\n").value(), der);
  for (const std::string& bad :
       {std::string(), std::string("CSR"), pem + pem, "a" + pem, pem.substr(0, pem.size() / 2),
        std::string("-----BEGIN CERTIFICATE REQUEST-----\n"
                    "-----END CERTIFICATE REQUEST-----")}) {
    DT_EXPECT_CODE(CsrFromPem(bad), kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace devicetrust::pki
