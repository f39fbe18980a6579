// Attacks that succeeded on other software, by their numbers in the threat model's list: against
// enrollment.
#include "ca-service/ca_fixture.h"
#include "libs/testing/vectors.h"

namespace devicetrust::ca {
namespace {

using std::chrono::seconds;

class AttackTest : public CaTest {
 protected:
  absl::StatusOr<StoredCertificate> EnrollWith(const std::string& token, const Bytes& csr) {
    return enroller_->Enroll(token, ToString(csr), "192.0.2.7");
  }
};

// 20: a computer's name that is taken from the request makes anybody a domain controller.
TEST_F(AttackTest, TheRequestsNamesAndExtensionsAreNobodysWord) {
  const Bytes csr = testing::ReadVectorBytes("openssl/csr-attributes.der");
  const auto request = pki::ParseCsr(csr).value();
  token::UserToken token = Token(key_);
  token.key_thumbprint = request.public_key.Thumbprint();
  const auto issued = EnrollWith(Signed(token), csr);
  DT_ASSERT_OK(issued);
  const auto certificate = pki::Certificate::FromDer(issued->der).value();
  EXPECT_EQ(certificate.common_name(), issued->device_id);
  EXPECT_NE(certificate.common_name(), request.common_name);
  EXPECT_EQ(certificate.uris().size(), 2U);
  EXPECT_TRUE(certificate.dns_names().empty());
  EXPECT_TRUE(certificate.ip_addresses().empty());
  EXPECT_FALSE(certificate.allows_server_auth());
  EXPECT_FALSE(certificate.is_ca());
  ASSERT_EQ(org_.requests.size(), 1U);
  EXPECT_EQ(org_.requests[0].computer_sid(), token.computer_sid);
}

// 22: a token pays once: for another key never, not after a restart, and not when its certificate
// has been revoked or has expired.
TEST_F(AttackTest, ATokenIsWorthOneCertificate) {
  const token::UserToken token = Token(key_);
  const auto first = Enroll(token, key_).value();
  const auto other = pki::PrivateKey::Generate().value();
  token::UserToken doubled = Token(other);
  doubled.envelope.id = token.envelope.id;
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(rpc::ReasonOf(Enroll(doubled, other).status()), reason::v1::REASON_TOKEN_REPLAYED);
    EXPECT_EQ(Enroll(token, key_).value().der, first.der);
    Open();
  }
  DT_ASSERT_OK(
      revocations_->RevokeCertificate(first.serial, v1::REVOCATION_REASON_SUPERSEDED, "admin:ada"));
  EXPECT_EQ(rpc::ReasonOf(Enroll(token, key_).status()), reason::v1::REASON_TOKEN_REPLAYED);
  clock_.Advance(token::kUserTokenLifetime + token::kClockSkew + seconds(1));
  EXPECT_EQ(rpc::ReasonOf(Enroll(token, key_).status()), reason::v1::REASON_TOKEN_EXPIRED);
  EXPECT_EQ(CountCertificates(), 1);
}

// 24: octets that are used and not signed. Whatever bit of the request changes, the CA certifies
// the key of the token or nothing.
TEST_F(AttackTest, NoBitOfARequestMayChange) {
  const std::string token = Signed(Token(key_));
  const Bytes good = Csr(key_);
  for (std::size_t i = 0; i < good.size() * 8; ++i) {
    Bytes changed = good;
    changed[i / 8] ^= static_cast<std::uint8_t>(1 << i % 8);
    EXPECT_FALSE(EnrollWith(token, changed).ok()) << "bit " << i;
  }
  EXPECT_EQ(CountCertificates(), 0);
  EXPECT_TRUE(org_.requests.empty());
  DT_EXPECT_OK(EnrollWith(token, good));
}

// 24, of the token: every character lies under the signature or is the signature.
TEST_F(AttackTest, NoCharacterOfATokenMayChange) {
  const std::string good = Signed(Token(key_));
  const Bytes csr = Csr(key_);
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const char other : {'A', 'B', '.', '='}) {
      if (good[i] == other) continue;
      std::string changed = good;
      changed[i] = other;
      EXPECT_FALSE(EnrollWith(changed, csr).ok()) << "character " << i;
    }
  }
  EXPECT_EQ(CountCertificates(), 0);
  EXPECT_TRUE(org_.requests.empty());
}

}  // namespace
}  // namespace devicetrust::ca
