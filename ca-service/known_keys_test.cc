#include "ca-service/known_keys.h"

#include "ca-service/ca_fixture.h"
#include "libs/base/encoding.h"
#include "libs/base/files.h"

namespace devicetrust::ca {
namespace {

// SubjectPublicKeyInfo of P-256, up to the coordinates.
constexpr char kPrefix[] = "3059301306072a8648ce3d020106082a8648ce3d03010703420004";

pki::PublicKey KeyAt(std::string_view coordinates) {
  return pki::PublicKey::FromSpki(HexDecode(kPrefix + std::string(coordinates)).value()).value();
}

class KnownKeysTest : public CaTest {
 protected:
  absl::StatusOr<KnownKeys> Load(const std::string& text) {
    const std::string path = folder_ / "known.txt";
    DT_EXPECT_OK(WriteFileAtomically(path, text));
    return KnownKeys::Load(path);
  }
};

TEST_F(KnownKeysTest, KnowsTheKeysThatRfcsPrint) {
  const KnownKeys keys;
  for (const char* coordinates :
       {// RFC 6979, appendix A.2.5.
        "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
        "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
        // RFC 7515, appendix A.3.
        "7fcdce2770f6c45d4183cbee6fdb4b7b580733357be9ef13bacf6e3c7bd15445"
        "c7f144cd1bbd9b7e872cdfedb9eeb9f4b3695d6ea90b24ad8a4623288588e5ad",
        // RFC 4754, section 8.1.
        "2442a5cc0ecd015fa3ca31dc8e2bbc70bf42d60cbca20085e0822cb04235e970"
        "6fc98bd7e50211a4a27102fa3549df79ebcb4bf246b80945cddfe7d509bbfd7d"}) {
    EXPECT_TRUE(keys.Contains(KeyAt(coordinates))) << coordinates;
  }
  EXPECT_FALSE(keys.Contains(key_.public_key()));
}

TEST_F(KnownKeysTest, ReadsBothFormsOfDigests) {
  const auto second = pki::PrivateKey::Generate().value();
  const auto spki = pki::Sha256(key_.public_key().Spki());
  const auto keys = Load("# Found in public.\n\n  " + HexEncode(spki) + "  # a laptop\r\n" +
                         second.public_key().Thumbprint() + "\n" + HexEncode(spki));
  DT_ASSERT_OK(keys);
  EXPECT_TRUE(keys->Contains(key_.public_key()));
  EXPECT_TRUE(keys->Contains(second.public_key()));
  EXPECT_FALSE(keys->Contains(pki::PrivateKey::Generate()->public_key()));
  EXPECT_EQ(keys->size(), KnownKeys().size() + 2);
}

TEST_F(KnownKeysTest, NamesTheLineThatItCannotRead) {
  const auto refused = Load("# one\n" + std::string(63, 'a') + "\n");
  DT_EXPECT_CODE(refused, kInvalidArgument);
  EXPECT_NE(refused.status().message().find("known.txt: line 2"), std::string::npos)
      << refused.status();
}

TEST_F(KnownKeysTest, TheCaCertifiesNone) {
  known_keys_ = Load(key_.public_key().Thumbprint()).value();
  Open();
  const auto refused = Enroll(Token(key_), key_);
  DT_EXPECT_CODE(refused, kPermissionDenied);
  EXPECT_EQ(rpc::ReasonOf(refused.status()), reason::v1::REASON_KEY_NOT_ACCEPTED);
  EXPECT_EQ(CountCertificates(), 0);
  const auto other = pki::PrivateKey::Generate().value();
  DT_EXPECT_OK(Enroll(Token(other), other));
}

}  // namespace
}  // namespace devicetrust::ca
