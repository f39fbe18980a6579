// TLS settings for code that must not see OpenSSL: the gateway, virtual browsers.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/pki/certificate.h"
#include "libs/pki/certificate_validator.h"

struct ssl_st;  // OpenSSL's SSL: one connection.

namespace devicetrust::pki {

struct TlsServerConfig {
  Identity identity;
  // Null: clients are asked for no certificate. Else they are, with exactly the subjects
  // of its trust anchors as the hint: a browser offers only certificates that one of them
  // issued. Whatever is shown or not, the handshake goes on once the client proved
  // possession of the key; PeerVerdict() then says what to think of it, so that a person
  // gets a page with the reason and not a cut connection.
  std::shared_ptr<const CertificateValidator> client_validator = nullptr;
  // What is spoken (ALPN, RFC 7301). Who offers other protocols alone is told kHttp11 without
  // saying so, and refused by kHttp2.
  enum class Protocol { kHttp11, kHttp2 };
  Protocol protocol = Protocol::kHttp11;
  // Through OpenSSL as it comes, without tls_library.h: what to compare with, and a way out.
  bool plain = false;
  // Shown instead of `identity` to who asks (SNI) for a name that it does not cover and one of
  // these does: the first of them.
  std::vector<Identity> others = {};
};

struct TlsClientConfig {
  std::vector<Certificate> trusted;  // Anchors for the server's chain.
  // Instead: the server must show this one, whatever its names and dates.
  std::optional<Certificate> exactly = {};
  std::string host = {};                  // Of NewSession(): see NewClientSession().
  const Clock* clock = nullptr;           // Judges validity; outlives the context.
  std::optional<Identity> identity = {};  // Shown when the server asks, by every session.
  // A browser shows a certificate only when the server's hint names its issuer. True:
  // shown regardless, as command-line tools do.
  bool ignores_hint = false;
};

struct SslFree {
  void operator()(ssl_st* session) const noexcept;
};
using SslPtr = std::unique_ptr<ssl_st, SslFree>;

// Settings shared by many connections: TLS 1.2 and 1.3, X25519 or P-256 first, AES-128 first.
// No tickets and no session cache, because a resumed handshake shows no certificate and
// would skip the verdict. Thread-safe once made; outlives its connections. One a thread
// scales best.
class TlsContext {
 public:
  static absl::StatusOr<TlsContext> ForServer(TlsServerConfig config);
  static absl::StatusOr<TlsContext> ForClient(TlsClientConfig config);
  ~TlsContext();
  TlsContext(TlsContext&&) noexcept;
  TlsContext& operator=(TlsContext&&) noexcept;

  // For libs/net/stream.h.
  SslPtr NewSession() const;

  // Server only: what it shows.
  const Certificate& certificate() const;

  // Client only. `host`, a name or an address, must be in the server's certificate; a name
  // is also sent as SNI. `identity` replaces the context's own; null keeps that.
  SslPtr NewClientSession(const std::string& host, const Identity* identity = nullptr) const;

 private:
  struct State;
  explicit TlsContext(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;  // At a fixed address: OpenSSL's callbacks point to it.
};

// About a finished handshake. The first three are for servers that ask for certificates.
// Nothing when the client showed none; a certificate whose verdict is not kValid is what
// somebody showed and no more.
std::optional<Certificate> PeerCertificate(ssl_st* session);
// Server only: what it has shown.
std::optional<Certificate> OwnCertificate(ssl_st* session);
// kNone when the client showed none, or the session was resumed.
CertificateVerdict PeerVerdict(ssl_st* session);
// The name that the client asked for (SNI), lower case, since case does not count there
// (RFC 6066, section 3); empty when it sent none.
std::string ServerName(ssl_st* session);
std::string ProtocolName(ssl_st* session);  // "TLSv1.3"
// Why a client refused the server's certificate, in OpenSSL's words; empty when it did not.
std::string PeerProblem(ssl_st* session);

}  // namespace devicetrust::pki
