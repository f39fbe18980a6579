#include "simulator/handshake/tls_client.h"

#include <openssl/err.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "libs/base/check.h"
#include "libs/pki/openssl.h"
#include "libs/pki/tls_library.h"

namespace devicetrust::simulator {
namespace {

using BioMethodPtr = pki::Owned<BIO_METHOD, &BIO_meth_free>;
using SessionPtr = pki::Owned<SSL_SESSION, &SSL_SESSION_free>;
using SslOwner = pki::Owned<SSL, &SSL_free>;

// What the server likes best of it is taken; AES-128 first, as browsers have it.
constexpr const char* kCiphers13 =
    "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384";
constexpr const char* kCiphers12 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:"
    "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";
constexpr const char* kGroups = "X25519:P-256:P-384";

}  // namespace

struct TlsConnection::Wire {
  std::span<const char> received;
  bool end = false;
  std::string* to_send = nullptr;
};

struct TlsClient::Impl {
  std::span<const pki::Identity> identities;
  TlsClientOptions options;
  std::vector<STACK_OF(X509)*> chains;  // What is sent along with each; null: nothing.
  BioMethodPtr bio_method;
  pki::SslCtxPtr context;
  std::vector<SessionPtr> sessions;  // By identity; empty without resumption.

  ~Impl() {
    for (STACK_OF(X509) * chain : chains) sk_X509_free(chain);  // The certificates are not its own.
  }
};

namespace {

// OpenSSL's callbacks: noexcept, because an exception must not unwind through C.

// Believes whoever answers; that it has the certificate's key was checked.
int Believe(X509_STORE_CTX* /*chain*/, void* /*unused*/) noexcept { return 1; }

long Control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) noexcept {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

int Made(BIO* bio) noexcept {
  BIO_set_init(bio, 1);
  return 1;
}

// Parses what OpenSSL would else parse at first use, inside of the measurement, and checks that
// key and certificate belong together.
absl::Status UseOnce(SSL_CTX* context, const pki::Identity& identity, STACK_OF(X509) * chain) {
  const SslOwner session(SSL_new(context));
  if (session != nullptr && SSL_use_cert_and_key(session.get(), identity.certificate.get(),
                                                 identity.key.get(), chain, 1) == 1) {
    return absl::OkStatus();
  }
  return pki::OpenSslError(absl::StatusCode::kInvalidArgument, "client certificate and key");
}

}  // namespace

TlsClient::TlsClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsClient::~TlsClient() = default;

absl::StatusOr<std::unique_ptr<TlsClient>> TlsClient::Create(
    const TlsClientOptions& options, std::span<const pki::Identity> identities) {
  auto impl = std::make_unique<Impl>();
  impl->identities = identities;
  impl->options = options;
  impl->context.reset(SSL_CTX_new_ex(pki::TlsLibrary(), nullptr, TLS_client_method()));
  SSL_CTX* const context = impl->context.get();
  const int oldest = options.version == TlsVersion::k13 ? TLS1_3_VERSION : TLS1_2_VERSION;
  const int newest = options.version == TlsVersion::k12 ? TLS1_2_VERSION : TLS1_3_VERSION;
  if (context == nullptr || SSL_CTX_set_min_proto_version(context, oldest) != 1 ||
      SSL_CTX_set_max_proto_version(context, newest) != 1 ||
      SSL_CTX_set_ciphersuites(context, kCiphers13) != 1 ||
      SSL_CTX_set_cipher_list(context, kCiphers12) != 1 ||
      SSL_CTX_set1_groups_list(context, kGroups) != 1) {
    return pki::OpenSslError(absl::StatusCode::kInternal, "TLS client");
  }
  // A server that just closes has said all that it will say.
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  if (options.trusted.empty()) {
    SSL_CTX_set_cert_verify_callback(context, &Believe, nullptr);
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  for (const pki::Certificate& anchor : options.trusted) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), anchor.get()) != 1) {
      return pki::OpenSslError(absl::StatusCode::kInvalidArgument, "trusted certificate");
    }
  }
  if (options.resumes) {
    impl->sessions.resize(identities.size());
    SSL_CTX_set_session_cache_mode(context,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(context, [](SSL* ssl, SSL_SESSION* session) noexcept {
      const auto* const connection = static_cast<TlsConnection*>(SSL_get_app_data(ssl));
      connection->client_->impl_->sessions[connection->identity_].reset(session);
      return 1;  // Kept.
    });
  } else {
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  }

  impl->bio_method.reset(BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "load"));
  BIO_METHOD* const method = impl->bio_method.get();
  DT_CHECK(method != nullptr);
  BIO_meth_set_create(method, &Made);
  BIO_meth_set_ctrl(method, &Control);
  BIO_meth_set_read(method, [](BIO* bio, char* out, int size) noexcept {
    auto& wire = *static_cast<TlsConnection::Wire*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (wire.received.empty()) {
      if (wire.end) return 0;
      BIO_set_retry_read(bio);
      return -1;
    }
    const std::size_t taken = std::min(wire.received.size(), static_cast<std::size_t>(size));
    std::memcpy(out, wire.received.data(), taken);
    wire.received = wire.received.subspan(taken);
    return static_cast<int>(taken);
  });
  BIO_meth_set_write(method, [](BIO* bio, const char* data, int size) noexcept {
    auto& wire = *static_cast<TlsConnection::Wire*>(BIO_get_data(bio));
    wire.to_send->append(data, static_cast<std::size_t>(size));
    return size;
  });

  for (const pki::Identity& identity : identities) {
    STACK_OF(X509)* chain = nullptr;
    for (const pki::Certificate& link : identity.intermediates) {
      if (chain == nullptr) chain = sk_X509_new_null();
      DT_CHECK(chain != nullptr && sk_X509_push(chain, link.get()) > 0);
    }
    impl->chains.push_back(chain);
    DT_RETURN_IF_ERROR(UseOnce(context, identity, chain));
  }
  return std::unique_ptr<TlsClient>(new TlsClient(std::move(impl)));
}

void TlsClient::Begin(TlsConnection& connection, std::size_t identity, const std::string& request,
                      bool resumes) {
  connection.client_ = this;
  connection.identity_ = identity;
  connection.request_ = &request;
  connection.is_up_ = connection.is_alert_ = false;
  connection.answer_.clear();
  connection.problem_.clear();
  if (connection.wire_ == nullptr) connection.wire_ = std::make_unique<TlsConnection::Wire>();
  *connection.wire_ = {};

  SSL* const ssl = SSL_new(impl_->context.get());
  BIO* const bio = BIO_new(impl_->bio_method.get());
  DT_CHECK(ssl != nullptr && bio != nullptr);  // Fails only when memory is gone.
  BIO_set_data(bio, connection.wire_.get());
  SSL_set_bio(ssl, bio, bio);  // Owned by `ssl`.
  SSL_set_app_data(ssl, &connection);
  SSL_set_connect_state(ssl);
  const pki::Identity& shown = impl_->identities[identity];
  bool set = SSL_use_cert_and_key(ssl, shown.certificate.get(), shown.key.get(),
                                  impl_->chains[identity], 1) == 1;
  const std::string& name = impl_->options.server_name;
  if (!name.empty()) {
    set = set && SSL_set_tlsext_host_name(ssl, name.c_str()) == 1;
    if (!impl_->options.trusted.empty()) set = set && SSL_set1_host(ssl, name.c_str()) == 1;
  }
  if (resumes && identity < impl_->sessions.size() && impl_->sessions[identity] != nullptr) {
    set = set && SSL_set_session(ssl, impl_->sessions[identity].get()) == 1;
  }
  DT_CHECK(set);
  connection.ssl_ = ssl;
}

void TlsClient::End(TlsConnection& connection) {
  // Else OpenSSL takes an end without the server's goodbye for a reason not to resume the session.
  if (connection.is_up_ && !connection.is_alert_) {
    SSL_set_shutdown(connection.ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  }
  SSL_free(std::exchange(connection.ssl_, nullptr));
}

TlsConnection::~TlsConnection() { SSL_free(ssl_); }

void TlsConnection::Up() {
  is_up_ = true;
  if (request_->empty()) {
    SSL_shutdown(ssl_);  // Says goodbye; the server's answer to it, or its refusal, is still read.
  } else {
    SSL_write(ssl_, request_->data(), static_cast<int>(request_->size()));
  }
}

TlsConnection::State TlsConnection::Step(std::span<const char> received, bool end,
                                         std::string& to_send) {
  wire_->received = received;
  wire_->end = end;
  wire_->to_send = &to_send;
  ERR_clear_error();
  while (true) {
    if (!is_up_) {
      const int result = SSL_do_handshake(ssl_);
      if (result != 1) return Fail(result, end);
      Up();
      continue;
    }
    char part[4096];
    const int size = SSL_read(ssl_, part, sizeof part);
    if (size <= 0) return Fail(size, end);
    const std::size_t room = kAnswerBytesMax - answer_.size();
    answer_.append(part, std::min(room, static_cast<std::size_t>(size)));
  }
}

TlsConnection::State TlsConnection::Fail(int result, bool end) {
  const int error = SSL_get_error(ssl_, result);
  if (error == SSL_ERROR_WANT_READ && !end) return State::kWantsOctets;
  if (error == SSL_ERROR_ZERO_RETURN && is_up_) return State::kOver;
  const unsigned long code = ERR_get_error();
  const int reason = ERR_GET_REASON(code);
  is_alert_ = ERR_GET_LIB(code) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET;
  if (is_alert_) {
    problem_ = std::string("alert ") + SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET);
  } else if (code == 0) {
    if (is_up_ && end) return State::kOver;  // No goodbye, but all else that it had to say.
    problem_ = "closed during the handshake";
  } else if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    problem_ = std::string("the server's certificate: ") +
               X509_verify_cert_error_string(SSL_get_verify_result(ssl_));
  } else {
    const char* const words = ERR_reason_error_string(code);
    problem_ = words == nullptr ? "TLS error" : words;
  }
  ERR_clear_error();
  return State::kFailed;
}

bool TlsConnection::is_resumed() const { return SSL_session_reused(ssl_) == 1; }

std::string TlsConnection::Agreed() const {
  const int group = static_cast<int>(SSL_get_negotiated_group(ssl_));
  const char* const name = group == 0 ? nullptr : SSL_group_to_name(ssl_, group);
  return std::string(SSL_get_version(ssl_)) + " " + SSL_get_cipher_name(ssl_) +
         (name == nullptr ? "" : std::string(" ") + name);
}

}  // namespace devicetrust::simulator
