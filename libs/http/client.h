// A strict HTTP/1.1 client connection, as a coroutine: for virtual browsers, the agent,
// and whoever fetches a CRL. No redirects, no cookies, no pool: those are the caller's.
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "libs/base/deadline.h"
#include "libs/base/status.h"
#include "libs/base/task.h"
#include "libs/http/message.h"
#include "libs/http/parser.h"
#include "libs/http/url.h"
#include "libs/net/stream.h"
#include "libs/pki/tls_context.h"

namespace devicetrust::http {

struct ClientOptions {
  // Where to connect: "HOST:PORT". HOST is an IP address, or a name; "localhost" and names
  // below it are 127.0.0.1, as in browsers (RFC 6761, section 6.3).
  std::string address;
  // The server's name: for SNI and the check of its certificate. With its port (when that
  // is not the scheme's own) it becomes the Host field, unless the request has one.
  std::string host;
  std::uint16_t port = 0;                // For the Host field; 0: none.
  const pki::TlsContext* tls = nullptr;  // Client context; null: plain TCP. Outlives us.
  // The client certificate for this connection; null: the context's own, if any. Needed
  // during Connect() only.
  const pki::Identity* identity = nullptr;
  // "HOST:PORT" of a proxy that is asked for a tunnel to `address` (RFC 9110, section 9.3.6), and
  // what it is told in Proxy-Authorization; empty: none.
  std::string proxy = {};
  std::string proxy_authorization = {};
  ParserLimits parser{.body_bytes_max = 4 * 1024 * 1024};
  std::chrono::milliseconds connect{5'000};    // TCP and TLS together.
  std::chrono::milliseconds exchange{30'000};  // One request with its answer.
};

struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";  // Path and query, escaped.
  Fields fields;
  std::string body;  // Sent with its Content-Length when the method is POST.
};

// One connection. Lives on the io_context that Connect() ran on.
class Client {
 public:
  // Errors:
  //   kUnavailable       name not found, connection refused or lost; the proxy opens no tunnel
  //                      now (tunnel.h).
  //   kDeadlineExceeded  options.connect passed.
  //   kPermissionDenied  the proxy opens no tunnel, and will open none; the message has its status.
  //   kUnauthenticated   the handshake failed: one side refused the other's certificate,
  //                      or they share no version; the message holds OpenSSL's reason.
  static Task<absl::StatusOr<std::unique_ptr<Client>>> Connect(ClientOptions options);

  // Sends one request and reads its answer. One at a time.
  //
  // Errors:
  //   kUnavailable       the connection ended before the answer did. With TLS 1.3 this is
  //                      also how a server's refusal of our certificate arrives: the
  //                      message then names the alert.
  //   kDeadlineExceeded  options.exchange passed.
  //   kDataLoss          the answer breaks the rules of parser.h or is too long.
  Task<absl::StatusOr<ParsedResponse>> Send(ClientRequest request);

  // True while the server keeps the connection open for another request.
  bool reusable() const { return reusable_; }
  // The server's certificate; nothing on a plain connection.
  std::optional<pki::Certificate> server_certificate() const;

 private:
  Client(ClientOptions options, std::unique_ptr<net::Stream> stream);
  std::string Format(const ClientRequest& request) const;

  ClientOptions options_;
  std::unique_ptr<net::Stream> stream_;
  Deadline deadline_;
  std::array<char, 8192> buffer_;
  bool reusable_ = true;
};

// Connect, one request, close.
Task<absl::StatusOr<ParsedResponse>> Fetch(ClientOptions options, ClientRequest request);

}  // namespace devicetrust::http
