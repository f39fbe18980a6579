#include <gtest/gtest.h>
#include <openssl/err.h>

#include <atomic>
#include <memory>
#include <optional>
#include <utility>

#include "libs/base/check.h"
#include "libs/pki/crl.h"
#include "libs/pki/csr.h"
#include "libs/pki/external_key.h"
#include "libs/pki/openssl.h"
#include "libs/pki/tls_context.h"
#include "libs/testing/settable_clock.h"
#include "libs/testing/status.h"
#include "libs/throwaway/throwaway_pki.h"

namespace devicetrust::pki {
namespace {

constexpr WallTime kSignedAt{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}};

// A key in a drawer: no accessor gives it out. What Signer asks, it answers as PKCS#11 does.
class Drawer final : public ExternalKey {
 public:
  explicit Drawer(KeyType type = KeyType::kP256) : key_(PrivateKey::Generate(type).value()) {}

  PublicKey public_key() const override {
    return PublicKey::FromSpki(key_.public_key().Spki()).value();
  }
  absl::StatusOr<Bytes> SignDigest(std::span<const std::uint8_t> digest) const override {
    ++signatures;
    last_digest_bytes = digest.size();
    DT_RETURN_IF_ERROR(failure);
    if (answer) return *answer;
    const Owned<EVP_PKEY_CTX, &EVP_PKEY_CTX_free> context(EVP_PKEY_CTX_new(key_.get(), nullptr));
    Bytes der(static_cast<std::size_t>(EVP_PKEY_get_size(key_.get())));
    std::size_t size = der.size();
    DT_CHECK(EVP_PKEY_sign_init(context.get()) == 1 &&
             EVP_PKEY_sign(context.get(), der.data(), &size, digest.data(), digest.size()) == 1);
    der.resize(size);
    const auto parts = FromDer<Owned<ECDSA_SIG, &ECDSA_SIG_free>>(der, &d2i_ECDSA_SIG);
    const int half = key_.type() == KeyType::kP384 ? 48 : 32;
    Bytes raw(2 * static_cast<std::size_t>(half));
    BN_bn2binpad(ECDSA_SIG_get0_r(parts.get()), raw.data(), half);
    BN_bn2binpad(ECDSA_SIG_get0_s(parts.get()), raw.data() + half, half);
    return raw;
  }

  mutable std::atomic<int> signatures = 0;
  mutable std::atomic<std::size_t> last_digest_bytes = 0;
  absl::Status failure;
  std::optional<Bytes> answer;

 private:
  const PrivateKey key_;
};

CertificateSpec Named(const std::string& name, Usage usage) {
  return {.common_name = name,
          .serial_hex = "01",
          .usage = usage,
          .not_before = kSignedAt - std::chrono::hours(1),
          .not_after = kSignedAt + std::chrono::days(30),
          .dns_names = {usage == Usage::kServerAuth ? "a.mtls.localhost" : "d1.example"}};
}

class SignerTest : public ::testing::Test {
 protected:
  // Whether both ends finish, on `version`, and each says what it should of the other.
  static bool Handshake(const Identity& server_identity, const Identity& server_ca,
                        const Identity& device, const Identity& device_ca, int version) {
    testing::SettableClock clock(kSignedAt);
    std::shared_ptr<const CertificateValidator> validator =
        CertificateValidator::Create({device_ca.certificate}, clock).value();
    const TlsContext server = TlsContext::ForServer({server_identity, validator}).value();
    TlsClientConfig config;
    config.trusted = {server_ca.certificate};
    config.clock = &clock;
    const TlsContext client = TlsContext::ForClient(config).value();
    const SslPtr accepting = server.NewSession();
    const SslPtr connecting = client.NewClientSession("a.mtls.localhost", &device);
    SSL_set_max_proto_version(connecting.get(), version);
    BIO* ends[2] = {};
    DT_CHECK(BIO_new_bio_pair(&ends[0], 0, &ends[1], 0) == 1);
    SSL_set_bio(accepting.get(), ends[0], ends[0]);
    SSL_set_bio(connecting.get(), ends[1], ends[1]);
    SSL_set_accept_state(accepting.get());
    SSL_set_connect_state(connecting.get());
    int done = 0;
    for (int i = 0; i < 20 && done != 2; ++i) {
      const int connected = SSL_do_handshake(connecting.get());
      const int accepted = SSL_do_handshake(accepting.get());
      done = (connected == 1 ? 1 : 0) + (accepted == 1 ? 1 : 0);
    }
    ERR_clear_error();
    return done == 2 && PeerVerdict(accepting.get()) == CertificateVerdict::kValid;
  }
};

TEST_F(SignerTest, SignsEverythingWithAKeyThatThisProcessCannotRead) {
  for (const KeyType type : {KeyType::kP256, KeyType::kP384}) {
    const auto drawer = std::make_shared<Drawer>(type);
    const Signer signer = SignerFor(drawer).value();
    EXPECT_EQ(signer.type(), type);
    EXPECT_EQ(signer.public_key(), drawer->public_key());
    const absl::StatusOr<Bytes> signature = signer.Sign(AsBytes("message"));
    DT_ASSERT_OK(signature);
    EXPECT_TRUE(drawer->public_key().Verify(AsBytes("message"), *signature));
    EXPECT_EQ(drawer->last_digest_bytes, 32U);

    // A CA: its own certificate, one for a device, a list.
    const absl::StatusOr<Certificate> root = SignSelf(Named("Drawer CA", Usage::kCa), signer);
    DT_ASSERT_OK(root);
    const Identity ca{*root, signer};
    const PrivateKey device = PrivateKey::Generate().value();
    const auto issued = SignCertificate(Named("d1", Usage::kClientAuth), device.public_key(), ca);
    DT_ASSERT_OK(issued);
    testing::SettableClock clock(kSignedAt);
    EXPECT_EQ(CertificateValidator::Create({*root}, clock).value()->Check(*issued),
              CertificateVerdict::kValid);
    const Crl crl{.number = 1,
                  .this_update = kSignedAt,
                  .next_update = kSignedAt + std::chrono::hours(1),
                  .revoked = {{"02", kSignedAt}}};
    const absl::StatusOr<Bytes> list = BuildCrl(crl, ca);
    DT_ASSERT_OK(list);
    DT_EXPECT_OK(ParseCrl(*list, *root));
    EXPECT_EQ(drawer->signatures, 4);
  }
}

// As tokens are signed (RFC 7518, section 3.4).
TEST_F(SignerTest, SignsATokensTextWithAKeyThatThisProcessCannotRead) {
  const auto drawer = std::make_shared<Drawer>();
  const Signer signer = SignerFor(drawer).value();
  const absl::StatusOr<Bytes> signature = signer.SignEs256("header.payload");
  DT_ASSERT_OK(signature);
  EXPECT_EQ(signature->size(), 64U);
  EXPECT_TRUE(drawer->public_key().VerifyEs256("header.payload", *signature));
  EXPECT_FALSE(drawer->public_key().VerifyEs256("header.other", *signature));
  EXPECT_EQ(drawer->signatures, 1);
}

TEST_F(SignerTest, MakesARequestAndShowsItsCertificateInAHandshake) {
  const Identity web_ca = throwaway::NewCa("web CA", kSignedAt);
  const Identity device_ca = throwaway::NewCa("device CA", kSignedAt);
  const auto server_drawer = std::make_shared<Drawer>();
  const auto device_drawer = std::make_shared<Drawer>();
  const Signer server_key = SignerFor(server_drawer).value();
  const Signer device_key = SignerFor(device_drawer).value();

  const absl::StatusOr<Bytes> csr = BuildCsr("PC0042", device_key);
  DT_ASSERT_OK(csr);
  const absl::StatusOr<VerifiedCsr> verified = ParseCsr(*csr);
  DT_ASSERT_OK(verified);
  EXPECT_EQ(verified->public_key.Thumbprint(), device_key.public_key().Thumbprint());

  const Identity server{
      SignCertificate(Named("server", Usage::kServerAuth), server_key.public_key(), web_ca).value(),
      server_key};
  const Identity device{
      SignCertificate(Named("d1", Usage::kClientAuth), verified->public_key, device_ca).value(),
      device_key};
  for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
    EXPECT_TRUE(Handshake(server, web_ca, device, device_ca, version)) << version;
  }
  EXPECT_EQ(server_drawer->signatures, 2);
  EXPECT_EQ(device_drawer->signatures, 3);  // The request, then each handshake.
}

TEST_F(SignerTest, HandsOnWhyAKeeperDidNotSign) {
  const auto drawer = std::make_shared<Drawer>();
  const Signer signer = SignerFor(drawer).value();
  drawer->failure = absl::UnavailableError("the token was pulled out");
  const absl::StatusOr<Bytes> refused = signer.SignEs256("message");
  DT_EXPECT_CODE(refused, kUnavailable);
  EXPECT_EQ(refused.status().message(), "the token was pulled out");
  DT_EXPECT_CODE(BuildCsr("PC0042", signer), kUnavailable);
  const Identity own{throwaway::NewCa("CA", kSignedAt).certificate, signer};
  EXPECT_FALSE(BuildCrl(Crl{1, kSignedAt, kSignedAt + std::chrono::hours(1), {}}, own).ok());
  EXPECT_EQ(ERR_peek_error(), 0UL);

  const Identity web_ca = throwaway::NewCa("web CA", kSignedAt);
  const Identity device_ca = throwaway::NewCa("device CA", kSignedAt);
  const Identity device{
      SignCertificate(Named("d1", Usage::kClientAuth), drawer->public_key(), device_ca).value(),
      signer};
  const PrivateKey server_key = PrivateKey::Generate().value();
  const Identity server{
      SignCertificate(Named("server", Usage::kServerAuth), server_key.public_key(), web_ca).value(),
      server_key};
  EXPECT_FALSE(Handshake(server, web_ca, device, device_ca, TLS1_3_VERSION));
  EXPECT_EQ(ERR_peek_error(), 0UL);

  drawer->failure = absl::OkStatus();
  drawer->answer = Bytes(63);
  DT_EXPECT_CODE(signer.Sign(AsBytes("message")), kInternal);
}

TEST_F(SignerTest, LivesAsLongAsOneCopyOfItDoes) {
  auto drawer = std::make_shared<Drawer>();
  const std::weak_ptr<Drawer> alive = drawer;
  std::optional<Signer> first = SignerFor(std::move(drawer)).value();
  std::optional<Signer> second = first;
  first.reset();
  DT_EXPECT_OK(second->Sign(AsBytes("message")));
  second.reset();
  EXPECT_TRUE(alive.expired());
}

TEST_F(SignerTest, TakesNoRsaKeyFromOutside) {
  DT_EXPECT_CODE(SignerFor(std::make_shared<Drawer>(KeyType::kRsa2048)), kInvalidArgument);
}

}  // namespace
}  // namespace devicetrust::pki
