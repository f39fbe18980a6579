// Both ends of TLS in memory, and other people's software at one of them: for tests of this room.
#pragma once

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "libs/base/check.h"
#include "libs/base/clock.h"
#include "libs/pki/certificate.h"
#include "libs/pki/openssl.h"
#include "libs/pki/tls_context.h"

namespace devicetrust::pki::tls_test {

inline constexpr WallTime kConnectedAt{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}};

// Both ends of a connection in memory.
struct Connection {
  SslPtr server;
  SslPtr client;

  Connection(SslPtr server_session, SslPtr client_session)
      : server(std::move(server_session)), client(std::move(client_session)) {
    BIO* server_side = nullptr;
    BIO* client_side = nullptr;
    DT_CHECK(BIO_new_bio_pair(&server_side, 0, &client_side, 0) == 1);
    SSL_set_bio(server.get(), server_side, server_side);
    SSL_set_bio(client.get(), client_side, client_side);
    SSL_set_accept_state(server.get());
    SSL_set_connect_state(client.get());
  }

  // True when both ends finished, and a request and its answer went through.
  bool Talk() {
    for (int i = 0; i < 20; ++i) {
      const int client_done = SSL_do_handshake(client.get());
      if (client_done != 1 && SSL_get_error(client.get(), client_done) != SSL_ERROR_WANT_READ) {
        return false;
      }
      const int server_done = SSL_do_handshake(server.get());
      if (server_done != 1 && SSL_get_error(server.get(), server_done) != SSL_ERROR_WANT_READ) {
        return false;
      }
      if (client_done == 1 && server_done == 1) return Echo();
    }
    return false;
  }

  bool Echo() {
    char buffer[8] = {};
    return SSL_write(client.get(), "ping", 4) == 4 && SSL_read(server.get(), buffer, 8) == 4 &&
           SSL_write(server.get(), "pong", 4) == 4 && SSL_read(client.get(), buffer, 8) == 4;
  }
};

// Other people's software: OpenSSL as it comes, with a self-signed certificate for a.example
// and a key of `kind` ("EC" and its group, or an algorithm alone). Trusts everybody.
class ForeignPeer {
 public:
  explicit ForeignPeer(const std::vector<std::string>& kind) : context_(SSL_CTX_new(TLS_method())) {
    EVP_PKEY_CTX* maker = EVP_PKEY_CTX_new_from_name(nullptr, kind[0].c_str(), nullptr);
    DT_CHECK(EVP_PKEY_keygen_init(maker) == 1);
    if (kind.size() > 1) DT_CHECK(EVP_PKEY_CTX_set_group_name(maker, kind[1].c_str()) == 1);
    EVP_PKEY* made = nullptr;
    DT_CHECK(EVP_PKEY_generate(maker, &made) == 1);
    EVP_PKEY_CTX_free(maker);
    const EvpPkeyPtr key(made);
    const X509Ptr certificate(X509_new());
    X509_set_version(certificate.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                               AsBytes("a.example").data(), -1, -1, 0);
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get()));
    ASN1_TIME_set(X509_getm_notBefore(certificate.get()), UnixSeconds(kConnectedAt));
    ASN1_TIME_set(X509_getm_notAfter(certificate.get()), UnixSeconds(kConnectedAt) + 3600);
    X509_set_pubkey(certificate.get(), key.get());
    const bool names_digest = kind[0] == "EC" || kind[0].starts_with("RSA");
    DT_CHECK(X509_sign(certificate.get(), key.get(), names_digest ? EVP_sha256() : nullptr) > 0);
    DT_CHECK(SSL_CTX_use_certificate(context_.get(), certificate.get()) == 1);
    DT_CHECK(SSL_CTX_use_PrivateKey(context_.get(), key.get()) == 1);
  }

  Certificate certificate() const {
    X509* own = SSL_CTX_get0_certificate(context_.get());  // Borrowed.
    return Certificate::FromDer(ToDer(own, &i2d_X509)).value();
  }

  Identity identity() const {
    const EVP_PKEY* own = SSL_CTX_get0_privatekey(context_.get());  // Borrowed.
    const std::unique_ptr<PKCS8_PRIV_KEY_INFO, decltype(&PKCS8_PRIV_KEY_INFO_free)> key(
        EVP_PKEY2PKCS8(own), &PKCS8_PRIV_KEY_INFO_free);
    return {certificate(),
            PrivateKey::FromPkcs8(ToDer(key.get(), &i2d_PKCS8_PRIV_KEY_INFO)).value()};
  }

  SslPtr NewSession(int version) const {
    SslPtr session(SSL_new(context_.get()));
    SSL_set_min_proto_version(session.get(), version);
    SSL_set_max_proto_version(session.get(), version);
    return session;
  }

 private:
  SslCtxPtr context_;
};

}  // namespace devicetrust::pki::tls_test
