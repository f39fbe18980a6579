#include "libs/pki/csr.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "libs/testing/mutation.h"
#include "libs/testing/status.h"
#include "libs/testing/vectors.h"

namespace devicetrust::pki {
namespace {

using testing::ReadVectorBytes;

struct CsrFile {
  const char* name;
  absl::StatusCode code;
};
std::ostream& operator<<(std::ostream& out, const CsrFile& file) { return out << file.name; }

class CsrFileTest : public ::testing::TestWithParam<CsrFile> {};

TEST_P(CsrFileTest, IsJudgedByKeyAndAlgorithm) {
  const Bytes der = ReadVectorBytes(std::string("openssl/csr-") + GetParam().name + ".der");
  const absl::StatusOr<VerifiedCsr> csr = ParseCsr(der);
  EXPECT_EQ(csr.status().code(), GetParam().code) << csr.status();
  if (csr.ok()) {
    EXPECT_EQ(csr->common_name, "PC0042");
  }
}

INSTANTIATE_TEST_SUITE_P(, CsrFileTest,
                         ::testing::Values(CsrFile{"p256", absl::StatusCode::kOk},
                                           CsrFile{"p384", absl::StatusCode::kOk},
                                           CsrFile{"rsa2048", absl::StatusCode::kOk},
                                           CsrFile{"sha1", absl::StatusCode::kInvalidArgument},
                                           CsrFile{"rsa1024", absl::StatusCode::kInvalidArgument},
                                           CsrFile{"secp256k1", absl::StatusCode::kInvalidArgument},
                                           CsrFile{"p521", absl::StatusCode::kInvalidArgument},
                                           CsrFile{"ed25519", absl::StatusCode::kInvalidArgument},
                                           CsrFile{"explicit", absl::StatusCode::kInvalidArgument}),
                         ::testing::PrintToStringParamName());

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

}  // namespace
}  // namespace devicetrust::pki
