#include "libs/pki/tls_context.h"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/sslerr.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "libs/pki/openssl.h"
#include "libs/pki/quick_ec.h"
#include "libs/pki/tls_test_peers.h"
#include "libs/testing/settable_clock.h"
#include "libs/testing/status.h"
#include "libs/throwaway/throwaway_pki.h"

namespace devicetrust::pki {
namespace {

using tls_test::Connection;
using tls_test::ForeignPeer;
using tls_test::kConnectedAt;

class TlsContextTest : public ::testing::Test {
 protected:
  TlsContextTest() {
    validator_ = CertificateValidator::Create({device_ca_.certificate}, clock_).value();
  }
  TlsContext NewServer(bool asks) {
    return TlsContext::ForServer(
               {pki_.Server("mtls", {"*.mtls.localhost"}), asks ? validator_ : nullptr})
        .value();
  }
  TlsClientConfig ClientConfig() {
    TlsClientConfig config;
    config.trusted = {pki_.web_ca().certificate};
    config.clock = &clock_;
    return config;
  }
  // The verdict on `shown`; the connection must work whatever it is.
  CertificateVerdict Verdict(const Identity* shown, bool ignores_hint = true) {
    TlsClientConfig config = ClientConfig();
    config.ignores_hint = ignores_hint;
    const TlsContext server = NewServer(true);
    const TlsContext client = TlsContext::ForClient(std::move(config)).value();
    Connection connection(server.NewSession(), client.NewClientSession("a.mtls.localhost", shown));
    EXPECT_TRUE(connection.Talk());
    EXPECT_EQ(ERR_peek_error(), 0UL);
    return PeerVerdict(connection.server.get());
  }

  testing::SettableClock clock_{kConnectedAt};
  throwaway::ThrowawayPki pki_{"acme", kConnectedAt};
  Identity device_ca_ = throwaway::NewCa("MTLS Certificate Authority", kConnectedAt);
  std::shared_ptr<const CertificateValidator> validator_;
};

TEST_F(TlsContextTest, ShowsADeviceCertificateAndItsVerdict) {
  const Identity device = throwaway::NewDevice("acme", "d1", "e1", device_ca_, kConnectedAt);
  const TlsContext server = NewServer(true);
  const TlsContext client = TlsContext::ForClient(ClientConfig()).value();
  Connection connection(server.NewSession(), client.NewClientSession("a.mtls.localhost", &device));
  ASSERT_TRUE(connection.Talk());
  EXPECT_EQ(PeerVerdict(connection.server.get()), CertificateVerdict::kValid);
  EXPECT_EQ(PeerCertificate(connection.server.get())->uris().front(),
            "urn:devicetrust:acme:device:d1");
  EXPECT_EQ(ServerName(connection.server.get()), "a.mtls.localhost");
  EXPECT_EQ(ProtocolName(connection.server.get()), "TLSv1.3");
  EXPECT_STREQ(SSL_get_cipher_name(connection.server.get()), "TLS_AES_128_GCM_SHA256");
}

TEST_F(TlsContextTest, HintNamesExactlyTheDeviceCa) {
  const Identity device = throwaway::NewDevice("acme", "d1", "e1", device_ca_, kConnectedAt);
  const TlsContext server = NewServer(true);
  const TlsContext client = TlsContext::ForClient(ClientConfig()).value();
  Connection connection(server.NewSession(), client.NewClientSession("a.mtls.localhost", &device));
  ASSERT_TRUE(connection.Talk());
  const STACK_OF(X509_NAME)* hint = SSL_get0_peer_CA_list(connection.client.get());
  ASSERT_EQ(sk_X509_NAME_num(hint), 1);
  EXPECT_EQ(CommonName(sk_X509_NAME_value(hint, 0)), "MTLS Certificate Authority");
}

TEST_F(TlsContextTest, HintNamesIssuersOfOneNameOnceAndTakesWhatAnyOfThemIssued) {
  const Identity next_ca = throwaway::NewCa("MTLS Certificate Authority", kConnectedAt);
  validator_ =
      CertificateValidator::Create({device_ca_.certificate, next_ca.certificate}, clock_).value();
  const TlsContext server = NewServer(true);
  const TlsContext client = TlsContext::ForClient(ClientConfig()).value();
  for (const Identity& issuer : {device_ca_, next_ca}) {
    const Identity device = throwaway::NewDevice("acme", "d1", "e1", issuer, kConnectedAt);
    Connection connection(server.NewSession(),
                          client.NewClientSession("a.mtls.localhost", &device));
    ASSERT_TRUE(connection.Talk());
    EXPECT_EQ(sk_X509_NAME_num(SSL_get0_peer_CA_list(connection.client.get())), 1);
    EXPECT_EQ(PeerVerdict(connection.server.get()), CertificateVerdict::kValid);
  }
}

// Attack 5 and the security message: a person gets a page with the reason.
TEST_F(TlsContextTest, LetsEveryOtherClientFinishWithTheReason) {
  EXPECT_EQ(Verdict(nullptr), CertificateVerdict::kNone);
  const Identity foreign_ca = throwaway::NewCa("Corporate CA", kConnectedAt);
  const Identity foreign =
      throwaway::NewIdentity("PC", Usage::kClientAuth, foreign_ca, kConnectedAt);
  EXPECT_EQ(Verdict(&foreign), CertificateVerdict::kUnknownIssuer);
  EXPECT_EQ(Verdict(&foreign, /*ignores_hint=*/false), CertificateVerdict::kNone);

  Identity forged = throwaway::NewDevice("acme", "d1", "e1", device_ca_, kConnectedAt);
  Bytes der = forged.certificate.der();
  der[der.size() - 3] ^= 1;
  forged.certificate = Certificate::FromDer(der).value();
  EXPECT_EQ(Verdict(&forged), CertificateVerdict::kBadSignature);

  Identity lookalike = foreign;  // A victim's certificate behind the attacker's own.
  lookalike.intermediates = {
      throwaway::NewDevice("acme", "d2", "e2", device_ca_, kConnectedAt).certificate};
  EXPECT_EQ(Verdict(&lookalike), CertificateVerdict::kUnknownIssuer);

  const Identity device = throwaway::NewDevice("acme", "d1", "e1", device_ca_, kConnectedAt);
  clock_.Set(kConnectedAt + std::chrono::days{364});
  EXPECT_EQ(Verdict(&device), CertificateVerdict::kValid);
}

// Whatever way TLS takes through OpenSSL, it says the same of every client. Attack 6 among them: an
// attacker's certificate with a good one behind it.
TEST_F(TlsContextTest, EveryWayJudgesAlike) {
  const Identity foreign_ca = throwaway::NewCa("Corporate CA", kConnectedAt);
  const auto issue = [&](const CertificateSpec& spec, const Identity& issuer) {
    const PrivateKey key = PrivateKey::Generate().value();
    return Identity{SignCertificate(spec, key.public_key(), issuer).value(), key};
  };
  const CertificateSpec good{.common_name = "PC",
                             .serial_hex = "07",
                             .not_before = kConnectedAt - std::chrono::hours(2),
                             .not_after = kConnectedAt + std::chrono::hours(2)};
  CertificateSpec ended = good;
  ended.not_after = kConnectedAt - std::chrono::hours(1);
  CertificateSpec later = good;
  later.not_before = kConnectedAt + std::chrono::hours(1);
  CertificateSpec for_servers = good;
  for_servers.usage = Usage::kServerAuth;
  CertificateSpec ca = good;
  ca.usage = Usage::kCa;
  Identity forged = issue(good, device_ca_);
  Bytes der = forged.certificate.der();
  der[der.size() - 3] ^= 1;
  forged.certificate = Certificate::FromDer(der).value();
  Identity appended = issue(good, foreign_ca);
  appended.intermediates = {issue(good, device_ca_).certificate};

  const std::vector<std::pair<std::optional<Identity>, CertificateVerdict>> clients = {
      {issue(good, device_ca_), CertificateVerdict::kValid},
      {std::nullopt, CertificateVerdict::kNone},
      {issue(good, foreign_ca), CertificateVerdict::kUnknownIssuer},
      {appended, CertificateVerdict::kUnknownIssuer},
      {forged, CertificateVerdict::kBadSignature},
      {issue(ended, device_ca_), CertificateVerdict::kExpired},
      {issue(later, device_ca_), CertificateVerdict::kNotYetValid},
      {issue(for_servers, device_ca_), CertificateVerdict::kWrongUsage},
      {issue(ca, device_ca_), CertificateVerdict::kWrongUsage}};
  const auto judge = [&](bool plain) {
    validator_ = CertificateValidator::Create({device_ca_.certificate}, clock_).value();
    const TlsContext server =
        TlsContext::ForServer({.identity = pki_.Server("mtls", {"*.mtls.localhost"}),
                               .client_validator = validator_,
                               .plain = plain})
            .value();
    const SslCtxPtr client(SSL_CTX_new(TLS_client_method()));  // OpenSSL as it comes.
    for (std::size_t i = 0; i < clients.size(); ++i) {
      // The second makes the server ask for another key share (HelloRetryRequest).
      for (const char* groups : {"X25519:P-256", "X448:X25519:P-256", "P-256"}) {
        for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
          for (int again = 0; again < 2; ++again) {  // Then from the cache.
            SCOPED_TRACE(absl::StrCat(i, " ", groups, " ", version, " ", again));
            SslPtr session(SSL_new(client.get()));
            if (const auto& shown = clients[i].first) {
              ASSERT_EQ(SSL_use_certificate(session.get(), shown->certificate.get()), 1);
              ASSERT_EQ(SSL_use_PrivateKey(session.get(), shown->key.get()), 1);
              for (const Certificate& behind : shown->intermediates) {
                ASSERT_EQ(SSL_add1_chain_cert(session.get(), behind.get()), 1);
              }
            }
            ASSERT_EQ(SSL_set1_groups_list(session.get(), groups), 1);
            SSL_set_min_proto_version(session.get(), version);
            SSL_set_max_proto_version(session.get(), version);
            Connection connection(server.NewSession(), std::move(session));
            EXPECT_TRUE(connection.Talk());
            EXPECT_EQ(PeerVerdict(connection.server.get()), clients[i].second);
            EXPECT_EQ(ERR_peek_error(), 0UL);
          }
        }
      }
    }
  };
  judge(/*plain=*/true);
  judge(/*plain=*/false);
  ASSERT_TRUE(UseQuickEcKeys());
  judge(/*plain=*/false);
}

// A person's other certificates: whatever key they hold, the page and not a cut connection.
TEST_F(TlsContextTest, LetsEveryKindOfForeignKeyFinish) {
  const TlsContext server = NewServer(true);
  const auto expect = [&](const std::vector<std::string>& kind, CertificateVerdict verdict) {
    const ForeignPeer foreign(kind);
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      SCOPED_TRACE(absl::StrCat(absl::StrJoin(kind, " "), " ", version));
      Connection connection(server.NewSession(), foreign.NewSession(version));
      EXPECT_TRUE(connection.Talk());
      EXPECT_EQ(PeerVerdict(connection.server.get()), verdict);
      EXPECT_EQ(ERR_peek_error(), 0UL);
    }
  };
  expect({"EC", "prime256v1"}, CertificateVerdict::kUnknownIssuer);
  expect({"EC", "secp384r1"}, CertificateVerdict::kUnknownIssuer);
  expect({"EC", "secp521r1"}, CertificateVerdict::kUnknownIssuer);
  expect({"RSA"}, CertificateVerdict::kUnknownIssuer);
  expect({"RSA-PSS"}, CertificateVerdict::kUnknownIssuer);
  expect({"ED25519"}, CertificateVerdict::kUnknownIssuer);
  expect({"ED448"}, CertificateVerdict::kNone);  // The server lists no signatures by such keys.
}

// Every version, group and cipher that the header promises, and no other.
TEST_F(TlsContextTest, SpeaksWithForeignPeers) {
  const TlsContext server = NewServer(true);
  const ForeignPeer foreign({"EC", "prime256v1"});
  const auto talks = [&](int version, const char* groups, const char* cipher) {
    SslPtr session = foreign.NewSession(version);
    EXPECT_EQ(SSL_set1_groups_list(session.get(), groups), 1);
    EXPECT_EQ(version == TLS1_3_VERSION ? SSL_set_ciphersuites(session.get(), cipher)
                                        : SSL_set_cipher_list(session.get(), cipher),
              1);
    Connection connection(server.NewSession(), std::move(session));
    const bool talked = connection.Talk();
    ERR_clear_error();
    return talked;
  };
  for (const char* group : {"X25519:P-256", "P-256"}) {
    for (const char* cipher :
         {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}) {
      EXPECT_TRUE(talks(TLS1_3_VERSION, group, cipher)) << group << " " << cipher;
    }
    for (const char* cipher : {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
                               "ECDHE-ECDSA-CHACHA20-POLY1305"}) {
      EXPECT_TRUE(talks(TLS1_2_VERSION, group, cipher)) << group << " " << cipher;
    }
  }
  EXPECT_FALSE(talks(TLS1_3_VERSION, "X448", "TLS_AES_128_GCM_SHA256"));
  EXPECT_FALSE(talks(TLS1_2_VERSION, "P-256", "ECDHE-ECDSA-AES128-SHA"));
}

TEST_F(TlsContextTest, TrustsForeignServersByTheirCertificate) {
  const std::vector<std::vector<std::string>> kinds = {{"EC", "prime256v1"}, {"EC", "secp384r1"},
                                                       {"EC", "secp521r1"},  {"RSA"},
                                                       {"RSA-PSS"},          {"ED25519"}};
  for (const auto& kind : kinds) {
    const ForeignPeer foreign(kind);
    const TlsContext doubtful = TlsContext::ForClient(ClientConfig()).value();
    TlsClientConfig config = ClientConfig();
    config.trusted = {foreign.certificate()};
    const TlsContext trusting = TlsContext::ForClient(std::move(config)).value();
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      SCOPED_TRACE(absl::StrCat(absl::StrJoin(kind, " "), " ", version));
      Connection good(foreign.NewSession(version), trusting.NewClientSession("a.example"));
      EXPECT_TRUE(good.Talk());
      Connection bad(foreign.NewSession(version), doubtful.NewClientSession("a.example"));
      EXPECT_FALSE(bad.Talk());
      EXPECT_EQ(PeerProblem(bad.client.get()), "self-signed certificate");
      ERR_clear_error();
    }
  }
}

// Attack 5: a stolen certificate without its key. libssl itself ends this handshake.
TEST_F(TlsContextTest, EndsAHandshakeWithoutTheKey) {
  const Identity device = throwaway::NewDevice("acme", "d1", "e1", device_ca_, kConnectedAt);
  const TlsContext server = NewServer(true);
  const TlsContext client = TlsContext::ForClient(ClientConfig()).value();
  SslPtr session = client.NewClientSession("a.mtls.localhost");
  // OpenSSL pairs a certificate only with its key. A copy that was told of another key
  // passes, and still sends the bytes that it was parsed from.
  const PrivateKey wrong = PrivateKey::Generate().value();
  const X509Ptr stolen(X509_dup(device.certificate.get()));
  ASSERT_EQ(X509_set_pubkey(stolen.get(), wrong.get()), 1);
  ASSERT_EQ(SSL_use_certificate(session.get(), stolen.get()), 1);
  ASSERT_EQ(SSL_use_PrivateKey(session.get(), wrong.get()), 1);
  Connection connection(server.NewSession(), std::move(session));
  EXPECT_FALSE(connection.Talk());
  EXPECT_EQ(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_BAD_SIGNATURE);
  ERR_clear_error();
}

// Attacks 2, 3 and 17: without resumption no ticket reaches another host, a revocation or the day
// after the certificate's last.
TEST_F(TlsContextTest, NeverResumes) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const Identity device = throwaway::NewDevice("acme", "d1", "e1", device_ca_, kConnectedAt);
    const TlsContext server = NewServer(true);
    const TlsContext client = TlsContext::ForClient(ClientConfig()).value();
    const auto session = [&] {
      SslPtr made = client.NewClientSession("a.mtls.localhost", &device);
      SSL_clear_options(made.get(), SSL_OP_NO_TICKET);
      SSL_set_max_proto_version(made.get(), version);
      return made;
    };
    Connection first(server.NewSession(), session());
    ASSERT_TRUE(first.Talk());
    SSL_SESSION* ticket = SSL_get1_session(first.client.get());
    Connection second(server.NewSession(), session());
    SSL_set_session(second.client.get(), ticket);
    SSL_SESSION_free(ticket);
    ASSERT_TRUE(second.Talk());
    EXPECT_EQ(SSL_session_reused(second.server.get()), 0);
    EXPECT_EQ(PeerVerdict(second.server.get()), CertificateVerdict::kValid);
  }
}

TEST_F(TlsContextTest, ShowsTheCertificateForTheNameThatIsAskedFor) {
  const Identity first = pki_.Server("mtls", {"*.mtls.localhost"});
  const Identity second = pki_.Server("more", {"devices.localhost"});
  const Identity third = pki_.Server("most", {"*.mtls.localhost", "edge.localhost"});
  const auto client = TlsContext::ForClient(ClientConfig());
  DT_ASSERT_OK(client);
  for (const bool plain : {false, true}) {
    const auto server = TlsContext::ForServer({.identity = first,
                                               .client_validator = validator_,
                                               .plain = plain,
                                               .others = {second, third}});
    DT_ASSERT_OK(server);
    const Identity device = throwaway::NewDevice("acme", "d-1", "e-1", device_ca_, clock_.Now());
    const std::vector<std::pair<std::string, const Identity*>> names = {
        {"a.mtls.localhost", &first}, {"DEVICES.localhost", &second}, {"edge.localhost", &third}};
    for (const auto& [name, shown] : names) {
      Connection connection(server->NewSession(), client->NewClientSession(name, &device));
      EXPECT_TRUE(connection.Talk()) << name;
      EXPECT_EQ(OwnCertificate(connection.server.get())->der(), shown->certificate.der()) << name;
      EXPECT_EQ(PeerVerdict(connection.server.get()), CertificateVerdict::kValid) << name;
    }
    // Any other name, and none, meet the first.
    Connection strange(server->NewSession(), client->NewClientSession("other.localhost"));
    EXPECT_FALSE(strange.Talk());
    EXPECT_EQ(OwnCertificate(strange.server.get())->der(), first.certificate.der());
  }
}

TEST_F(TlsContextTest, AServerWithoutVerifierAsksForNoCertificate) {
  const Identity device = throwaway::NewDevice("acme", "d1", "e1", device_ca_, kConnectedAt);
  const TlsContext server = NewServer(false);
  const TlsContext client = TlsContext::ForClient(ClientConfig()).value();
  Connection connection(server.NewSession(), client.NewClientSession("a.mtls.localhost", &device));
  ASSERT_TRUE(connection.Talk());
  EXPECT_FALSE(PeerCertificate(connection.server.get()).has_value());
  EXPECT_EQ(PeerVerdict(connection.server.get()), CertificateVerdict::kNone);
}

TEST_F(TlsContextTest, AClientChecksChainNameAndDates) {
  const TlsContext server = NewServer(false);
  const TlsContext client = TlsContext::ForClient(ClientConfig()).value();
  const auto connects = [&](const TlsContext& context, const std::string& host) {
    Connection connection(server.NewSession(), context.NewClientSession(host));
    return connection.Talk();
  };
  for (int i = 0; i < 2; ++i) {  // First in full, then remembered: the same answers.
    EXPECT_TRUE(connects(client, "a.mtls.localhost"));
    EXPECT_TRUE(connects(client, "127.0.0.1"));
    EXPECT_FALSE(connects(client, "org.localhost"));
    EXPECT_FALSE(connects(client, "a.b.mtls.localhost"));
    EXPECT_FALSE(connects(client, "127.0.0.2"));
  }
  TlsClientConfig elsewhere = ClientConfig();
  elsewhere.trusted = {pki_.deployment_ca().certificate};
  EXPECT_FALSE(connects(TlsContext::ForClient(std::move(elsewhere)).value(), "a.mtls.localhost"));

  clock_.Set(kConnectedAt + std::chrono::days{400});
  EXPECT_FALSE(connects(client, "a.mtls.localhost"));
}

TEST_F(TlsContextTest, ChoosesHttp11WhenItIsOffered) {
  const TlsContext server = NewServer(false);
  const TlsContext client = TlsContext::ForClient(ClientConfig()).value();
  const auto chosen = [&](std::string_view offer) {
    SslPtr session = client.NewClientSession("a.mtls.localhost");
    SSL_set_alpn_protos(session.get(), AsBytes(offer).data(), static_cast<unsigned>(offer.size()));
    Connection connection(server.NewSession(), std::move(session));
    EXPECT_TRUE(connection.Talk());
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(connection.client.get(), &name, &size);
    return std::string(name, name + size);
  };
  EXPECT_EQ(chosen("\x02h2\x08http/1.1"), "http/1.1");
  EXPECT_EQ(chosen("\x02h2"), "");
}

TEST_F(TlsContextTest, RefusesWhatCannotWork) {
  DT_EXPECT_CODE(TlsContext::ForClient({}), kInvalidArgument);
  Identity torn = pki_.Server("one", {"one"});
  torn.key = pki_.Server("two", {"two"}).key;
  DT_EXPECT_CODE(TlsContext::ForServer({torn}), kInvalidArgument);
}

}  // namespace
}  // namespace devicetrust::pki
