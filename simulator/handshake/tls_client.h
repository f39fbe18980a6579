// One thread's client side of TLS, made to cost little: octets come and go in whole flights
// through the caller's buffers, certificates and keys are parsed once, and nothing is checked of
// the server's chain unless that is asked for.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/pki/certificate.h"

struct ssl_st;          // OpenSSL's SSL: one connection.
struct ssl_session_st;  // OpenSSL's SSL_SESSION: what a connection may go on from.

namespace devicetrust::simulator {

enum class TlsVersion { kAny, k12, k13 };  // kAny: 1.3, or 1.2 when the server has no other.

struct TlsClientOptions {
  std::string server_name;  // Sent as SNI, unless empty.
  TlsVersion version = TlsVersion::kAny;
  bool resumes = false;                   // Keeps sessions that servers offer.
  std::vector<pki::Certificate> trusted;  // Empty: whoever answers is believed.
};

class TlsClient;

// One connection. The caller moves octets; see TlsClient.
class TlsConnection {
 public:
  enum class State {
    kWantsOctets,  // Of the server: call again with more.
    kOver,         // The server closed after all was said.
    kFailed,       // See problem().
  };
  TlsConnection() = default;
  TlsConnection(const TlsConnection&) = delete;
  TlsConnection& operator=(const TlsConnection&) = delete;
  ~TlsConnection();

  // Goes on with `received`, of which nothing is left over; `end`: the server closes there. What is
  // to be sent is appended to `to_send`.
  State Step(std::span<const char> received, bool end, std::string& to_send);

  bool is_up() const { return is_up_; }  // The handshake is done, as far as the client knows.
  bool is_resumed() const;
  std::string_view answer() const { return answer_; }      // So far; at most kAnswerBytesMax of it.
  const std::string& problem() const { return problem_; }  // "alert certificate revoked".
  bool is_alert() const { return is_alert_; }              // The server refused, by an alert.
  std::string Agreed() const;  // "TLSv1.3 TLS_AES_128_GCM_SHA256 X25519".

  static constexpr std::size_t kAnswerBytesMax = 16 * 1024;

 private:
  friend class TlsClient;
  struct Wire;  // What OpenSSL reads from and writes to.
  State Fail(int result, bool end);
  void Up();

  TlsClient* client_ = nullptr;
  ssl_st* ssl_ = nullptr;
  std::unique_ptr<Wire> wire_;
  std::size_t identity_ = 0;
  const std::string* request_ = nullptr;
  bool is_up_ = false;
  bool is_alert_ = false;
  std::string answer_;
  std::string problem_;
};

// Not thread-safe. Outlives its connections.
class TlsClient {
 public:
  // `identities`: what connections show; outlives the client. kInternal: OpenSSL.
  static absl::StatusOr<std::unique_ptr<TlsClient>> Create(
      const TlsClientOptions& options, std::span<const pki::Identity> identities);
  ~TlsClient();

  // Begins anew in `connection`, which shows identities[identity], asks `request` and reads to the
  // end; an empty request says goodbye at once. `resumes`: goes on from a session of that
  // identity, if the server offered one. Without a request a server that refuses by closing with
  // no alert is not told from one that takes the goodbye.
  void Begin(TlsConnection& connection, std::size_t identity, const std::string& request,
             bool resumes);
  void End(TlsConnection& connection);

 private:
  friend class TlsConnection;
  struct Impl;
  explicit TlsClient(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace devicetrust::simulator
