#include "libs/pki/tls_context.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <set>

#include "absl/strings/ascii.h"
#include "libs/base/check.h"
#include "libs/base/mutex.h"
#include "libs/pki/openssl.h"
#include "libs/pki/tls_library.h"

namespace devicetrust::pki {
namespace {

constexpr const char* kCiphers13 =
    "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384";
constexpr const char* kCiphers12 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:"
    "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";
// The last two for certificates: TLS 1.2 refuses a key on a curve that is not in this list. (It
// also rejects curves that the client did not offer, so listing more would not help.)
constexpr const char* kGroups = "X25519:P-256:P-384:P-521";
constexpr std::array<unsigned char, 9> kHttp11 = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
constexpr std::array<unsigned char, 3> kHttp2 = {2, 'h', '2'};
constexpr std::size_t kServersRememberedMax = 256;
// Of a client: a few certificates with P-256 or RSA keys. It is kept in one piece until it is
// judged.
constexpr long kClientChainBytesMax = 16 * 1024;

// Where a session keeps its verdict. Not application data: that is Asio's.
int VerdictIndex() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

Certificate Share(X509* borrowed) {
  X509_up_ref(borrowed);
  return Certificate(X509Ptr(borrowed));
}

bool IsAddress(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> octets{};
  return inet_pton(AF_INET, host.c_str(), octets.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), octets.data()) == 1;
}

// HTTP/1.1 to whoever offers it; no answer else, so that clients without ALPN, or with
// other names in it, still connect.
int ChooseProtocol(SSL* /*session*/, const unsigned char** out, unsigned char* out_size,
                   const unsigned char* offered, unsigned int offered_size,
                   void* /*unused*/) noexcept {
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kHttp11.data(), kHttp11.size(), offered,
                            offered_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

// RFC 9113, section 3.3: no other protocol is served there.
int ChooseHttp2(SSL* /*session*/, const unsigned char** out, unsigned char* out_size,
                const unsigned char* offered, unsigned int offered_size,
                void* /*unused*/) noexcept {
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kHttp2.data(), kHttp2.size(), offered,
                            offered_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

// Takes back the client's certificate when the server's hint does not name its issuer.
int ObeyHint(SSL* session, void* /*unused*/) noexcept {
  const STACK_OF(X509_NAME)* hint = SSL_get0_peer_CA_list(session);  // Borrowed.
  const X509* own = SSL_get_certificate(session);                    // Borrowed.
  if (hint == nullptr || sk_X509_NAME_num(hint) == 0 || own == nullptr) return 1;
  for (int i = 0; i < sk_X509_NAME_num(hint); ++i) {
    if (X509_NAME_cmp(sk_X509_NAME_value(hint, i), X509_get_issuer_name(own)) == 0) return 1;
  }
  SSL_certs_clear(session);
  return 1;
}

bool IsFor(const Certificate& certificate, const char* host) {
  return X509_check_host(certificate.get(), host, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
                         nullptr) == 1;
}

bool Show(SSL* session, const Identity& identity) {
  bool used = SSL_use_certificate(session, identity.certificate.get()) == 1 &&
              SSL_use_PrivateKey(session, identity.key.get()) == 1;
  for (const Certificate& intermediate : identity.intermediates) {
    used = used && SSL_add1_chain_cert(session, intermediate.get()) == 1;
  }
  return used;
}

absl::Status Use(SSL_CTX* context, const Identity& identity) {
  bool used = SSL_CTX_use_certificate(context, identity.certificate.get()) == 1 &&
              SSL_CTX_use_PrivateKey(context, identity.key.get()) == 1;
  for (const Certificate& intermediate : identity.intermediates) {
    used = used && SSL_CTX_add1_chain_cert(context, intermediate.get()) == 1;
  }
  if (used) return absl::OkStatus();
  return OpenSslError(absl::StatusCode::kInvalidArgument, "TLS certificate and key");
}

}  // namespace

struct TlsContext::State {
  SslCtxPtr ssl_ctx;
  bool client = false;
  std::vector<Identity> identities;                              // Server; empty: only one.
  std::shared_ptr<const CertificateValidator> client_validator;  // Server.
  std::optional<Certificate> certificate;                        // Server.
  std::string host;                                              // Client, as all below.
  std::optional<Certificate> exactly;
  const Clock* clock = nullptr;

  // Servers whose chain was verified, with the validity that its certificates have in
  // common: a load generator meets the same two again and again.
  struct Period {
    WallTime begin;
    WallTime end;
  };
  Mutex mutex;
  std::map<Sha256Digest, Period> servers ABSL_GUARDED_BY(mutex);

  static absl::StatusOr<std::unique_ptr<State>> Create(OSSL_LIB_CTX* library,
                                                       const SSL_METHOD* method);
  bool VerifyChain(X509_STORE_CTX* chain);
  bool IsKnown(const Sha256Digest& leaf, WallTime now);

  // OpenSSL's callbacks: noexcept, because an exception must not unwind through C.
  static int VerifyClient(X509_STORE_CTX* chain, void* argument) noexcept {
    const State& state = *static_cast<const State*>(argument);
    const CertificateVerdict verdict =
        state.client_validator->Check(Share(X509_STORE_CTX_get0_cert(chain)));
    auto* session =
        static_cast<SSL*>(X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx()));
    SSL_set_ex_data(session, VerdictIndex(),
                    reinterpret_cast<void*>(static_cast<std::intptr_t>(verdict)));
    // A left-over error would be blamed on the next read, and cut the connection.
    ClearErrors();
    X509_STORE_CTX_set_error(chain, X509_V_OK);
    return 1;
  }
  static int VerifyServer(X509_STORE_CTX* chain, void* argument) noexcept {
    return static_cast<State*>(argument)->VerifyChain(chain) ? 1 : 0;
  }
  // Before the server shows anything. Says nothing of the name, as without it.
  static int ChooseIdentity(SSL* session, int* alert, void* argument) noexcept {
    const State& state = *static_cast<const State*>(argument);
    const char* name = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name);  // Borrowed.
    if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
    const auto chosen =
        std::find_if(state.identities.begin(), state.identities.end(),
                     [&](const Identity& identity) { return IsFor(identity.certificate, name); });
    if (chosen == state.identities.begin() || chosen == state.identities.end()) {
      return SSL_TLSEXT_ERR_NOACK;
    }
    SSL_certs_clear(session);
    if (Show(session, *chosen)) return SSL_TLSEXT_ERR_NOACK;
    *alert = SSL_AD_INTERNAL_ERROR;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
};

absl::StatusOr<std::unique_ptr<TlsContext::State>> TlsContext::State::Create(
    OSSL_LIB_CTX* library, const SSL_METHOD* method) {
  auto state = std::make_unique<State>();
  state->ssl_ctx.reset(SSL_CTX_new_ex(library, nullptr, method));
  SSL_CTX* context = state->ssl_ctx.get();
  if (context == nullptr || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_ciphersuites(context, kCiphers13) != 1 ||
      SSL_CTX_set_cipher_list(context, kCiphers12) != 1 ||
      SSL_CTX_set1_groups_list(context, kGroups) != 1 || VerdictIndex() < 0) {
    return OpenSslError(absl::StatusCode::kInternal, "TLS context");
  }
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context,
                      SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // Else OpenSSL builds and verifies our own chain anew for each handshake.
  SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_RELEASE_BUFFERS);
  return state;
}

bool TlsContext::State::IsKnown(const Sha256Digest& leaf, WallTime now) {
  const MutexLock lock(mutex);
  const auto it = servers.find(leaf);
  return it != servers.end() && it->second.begin <= now && now <= it->second.end;
}

bool TlsContext::State::VerifyChain(X509_STORE_CTX* chain) {
  const Certificate leaf = Share(X509_STORE_CTX_get0_cert(chain));
  if (exactly) {
    const bool same = leaf.der() == exactly->der();
    X509_STORE_CTX_set_error(chain, same ? X509_V_OK : X509_V_ERR_CERT_UNTRUSTED);
    return same;
  }
  const WallTime now = clock->Now();
  const Sha256Digest digest = leaf.Fingerprint();
  if (IsKnown(digest, now)) {
    X509_VERIFY_PARAM* param = X509_STORE_CTX_get0_param(chain);  // Borrowed.
    const char* name = X509_VERIFY_PARAM_get0_host(param, 0);     // Borrowed.
    char* address = name == nullptr ? X509_VERIFY_PARAM_get1_ip_asc(param) : nullptr;
    const BytesPtr owner(reinterpret_cast<unsigned char*>(address));
    const bool named = (name != nullptr && IsFor(leaf, name)) ||
                       (address != nullptr && X509_check_ip_asc(leaf.get(), address, 0) == 1);
    X509_STORE_CTX_set_error(chain, named ? X509_V_OK : X509_V_ERR_HOSTNAME_MISMATCH);
    return named;
  }

  X509_STORE_CTX_set_time(chain, 0, UnixSeconds(now));
  if (X509_verify_cert(chain) != 1) return false;
  Period period{leaf.not_before(), leaf.not_after()};
  const STACK_OF(X509)* links = X509_STORE_CTX_get0_chain(chain);  // Borrowed.
  for (int i = 0; i < sk_X509_num(links); ++i) {
    const Certificate link = Share(sk_X509_value(links, i));
    period.begin = std::max(period.begin, link.not_before());
    period.end = std::min(period.end, link.not_after());
  }
  const MutexLock lock(mutex);
  if (servers.size() >= kServersRememberedMax) servers.clear();
  servers.insert_or_assign(digest, period);
  return true;
}

TlsContext::TlsContext(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsContext::TlsContext(TlsContext&&) noexcept = default;
TlsContext& TlsContext::operator=(TlsContext&&) noexcept = default;
TlsContext::~TlsContext() = default;

absl::StatusOr<TlsContext> TlsContext::ForServer(TlsServerConfig config) {
  DT_ASSIGN_OR_RETURN(std::unique_ptr<State> state,
                      State::Create(config.plain ? nullptr : TlsLibrary(), TLS_server_method()));
  SSL_CTX* context = state->ssl_ctx.get();
  DT_RETURN_IF_ERROR(Use(context, config.identity));
  state->certificate = config.identity.certificate;
  if (!config.others.empty()) {
    state->identities = std::move(config.others);
    state->identities.insert(state->identities.begin(), std::move(config.identity));
    SSL_CTX_set_tlsext_servername_callback(context, &State::ChooseIdentity);
    SSL_CTX_set_tlsext_servername_arg(context, state.get());
  }
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_max_cert_list(context, kClientChainBytesMax);
  const bool http2 = config.protocol == TlsServerConfig::Protocol::kHttp2;
  SSL_CTX_set_alpn_select_cb(context, http2 ? &ChooseHttp2 : &ChooseProtocol, nullptr);
  state->client_validator = std::move(config.client_validator);
  if (state->client_validator != nullptr) {
    std::set<Bytes> hinted;  // Issuers before and after a rollover have one name.
    for (const Certificate& issuer : state->client_validator->trust_anchors()) {
      if (!hinted.insert(issuer.subject_der()).second) continue;
      if (SSL_CTX_add_client_CA(context, issuer.get()) != 1) {
        return OpenSslError(absl::StatusCode::kInternal, "client CA hint");
      }
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_cert_verify_callback(context, &State::VerifyClient, state.get());
  }
  return TlsContext(std::move(state));
}

absl::StatusOr<TlsContext> TlsContext::ForClient(TlsClientConfig config) {
  if (!config.exactly && (config.clock == nullptr || config.trusted.empty())) {
    return absl::InvalidArgumentError("a TLS client needs a clock and a trusted certificate");
  }
  DT_ASSIGN_OR_RETURN(std::unique_ptr<State> state,
                      State::Create(TlsLibrary(), TLS_client_method()));
  SSL_CTX* context = state->ssl_ctx.get();
  state->client = true;
  state->clock = config.clock;
  state->exactly = std::move(config.exactly);
  state->host = std::move(config.host);
  for (const Certificate& anchor : config.trusted) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), anchor.get()) != 1) {
      return OpenSslError(absl::StatusCode::kInvalidArgument, "trusted certificate");
    }
  }
  if (config.identity) DT_RETURN_IF_ERROR(Use(context, *config.identity));
  if (!config.ignores_hint) SSL_CTX_set_cert_cb(context, &ObeyHint, nullptr);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(context, &State::VerifyServer, state.get());
  return TlsContext(std::move(state));
}

const Certificate& TlsContext::certificate() const {
  DT_CHECK(state_->certificate.has_value());
  return *state_->certificate;
}

SslPtr TlsContext::NewSession() const {
  if (state_->client) return NewClientSession(state_->host);
  SslPtr session(SSL_new(state_->ssl_ctx.get()));
  DT_CHECK(session != nullptr);  // Fails only when memory is gone.
  return session;
}

SslPtr TlsContext::NewClientSession(const std::string& host, const Identity* identity) const {
  DT_CHECK(state_->client && !host.empty());
  SslPtr session(SSL_new(state_->ssl_ctx.get()));
  DT_CHECK(session != nullptr);
  bool set = false;
  if (IsAddress(host)) {
    set = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session.get()), host.c_str()) == 1;
  } else {
    SSL_set_hostflags(session.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    set = SSL_set1_host(session.get(), host.c_str()) == 1 &&
          SSL_set_tlsext_host_name(session.get(), host.c_str()) == 1;
  }
  DT_CHECK(set);
  // An Identity's key belongs to its certificate.
  if (identity != nullptr) DT_CHECK(Show(session.get(), *identity));
  return session;
}

void SslFree::operator()(ssl_st* session) const noexcept { SSL_free(session); }

std::optional<Certificate> PeerCertificate(ssl_st* session) {
  X509* peer = SSL_get0_peer_certificate(session);  // Borrowed.
  if (peer == nullptr) return std::nullopt;
  return Share(peer);
}

std::optional<Certificate> OwnCertificate(ssl_st* session) {
  X509* own = SSL_get_certificate(session);  // Borrowed.
  if (own == nullptr) return std::nullopt;
  return Share(own);
}

CertificateVerdict PeerVerdict(ssl_st* session) {
  return static_cast<CertificateVerdict>(
      reinterpret_cast<std::intptr_t>(SSL_get_ex_data(session, VerdictIndex())));
}

std::string ServerName(ssl_st* session) {
  const char* name = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name);  // Borrowed.
  std::string lower(name == nullptr ? "" : name);
  absl::AsciiStrToLower(&lower);
  return lower;
}

std::string ProtocolName(ssl_st* session) { return SSL_get_version(session); }

std::string PeerProblem(ssl_st* session) {
  const long result = SSL_get_verify_result(session);
  return result == X509_V_OK ? std::string() : X509_verify_cert_error_string(result);
}

}  // namespace devicetrust::pki
