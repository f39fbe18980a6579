// A strict HTTP/1.1 server over TLS or plain TCP.
//
// A connection stays on one of its threads (libs/net/server.h). Every step has a deadline,
// every queue and size a limit. When connections or their memory are full, the oldest that has
// sent no request yet goes where those are a quarter, else the one that has been idle, or takes
// its answer, longest. parser.h lists what is refused; each refusal ends the connection.
//
// Every answer, error pages included, carries these unless the handler set its own:
//   Content-Security-Policy: default-src 'none'; base-uri 'none'; form-action 'none';
//     frame-ancestors 'none'
//   X-Content-Type-Options, Referrer-Policy: no-referrer, Cache-Control: no-store,
//   Cross-Origin-Opener-Policy, Cross-Origin-Resource-Policy, and with TLS
//   Strict-Transport-Security.
#pragma once

#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/base/task.h"
#include "libs/http/message.h"
#include "libs/http/parser.h"
#include "libs/net/endpoint.h"
#include "libs/net/networks.h"
#include "libs/pki/tls_context.h"

namespace devicetrust::http {

// Answers one request, on the connection's thread. `request` lives until the task ends.
// Must not block, must not throw (a throw becomes a bare 500), and must end by itself:
// Stop() waits for it. A lambda that is itself a coroutine must not capture; one that
// calls a member coroutine may.
using Handler = std::function<Task<Response>(const Request& request)>;

// Words for a request that the parser refused. Must not throw; `status` is set and the connection
// ended by the server.
using RefusalPage = std::function<Response(const Refusal& refusal)>;

struct Limits {
  ParserLimits parser;
  std::chrono::milliseconds handshake{10'000};  // From accept to the end of TLS.
  std::chrono::milliseconds request{10'000};    // From the first octet to the last.
  std::chrono::milliseconds idle{30'000};       // Between requests.
  std::chrono::milliseconds handler{30'000};    // Until the answer is written.
  std::size_t requests_per_connection_max = 1000;
  std::size_t connections_max = 4096;  // Per listener.
  // Of one address (an IPv6 /64 is one), per listener: a flood from one leaves others served. 0:
  // no bound.
  std::size_t connections_per_address_max = 0;
  std::size_t memory_bytes_max = std::size_t{48} << 20;  // Of all connections, per listener.
};

struct ListenerConfig {
  std::string address;  // "HOST:PORT", HOST an IPv4 or [IPv6] address; port 0: any free one.
  std::string flag;     // Its name on the command line, for messages: "--org-listen".
  std::shared_ptr<const pki::TlsContext> tls;  // Null: plain TCP. See also ReplaceTls().
  Handler handler;
  RefusalPage refusal_page;  // Null: plain text.
  net::Networks proxies;     // See net::ListenerConfig.
  // Proxies that speak HTTP, and the field in which they write their client's address, as the last
  // of its list. A request of theirs without it is refused with 400; nobody else's is looked at.
  net::Networks header_proxies;
  std::string client_address_field;
  Limits limits;
  bool close_always = false;  // One request per connection (the mTLS hosts).
};

struct ServerConfig {
  std::vector<ListenerConfig> listeners;
  std::size_t threads = 1;
  const Clock* clock = nullptr;  // For the Date field; outlives the server.
};

// What happened at all listeners of one server so far, for tests; metrics.h has each listener's.
struct ServerCounters {
  std::uint64_t connections = 0;
  std::uint64_t connections_refused = 0;  // Over a cap, and all others were busy.
  std::uint64_t connections_evicted = 0;  // Idle or without a request, closed to make room.
  std::uint64_t accept_failures = 0;      // No descriptor or no memory.
  std::uint64_t handshakes_failed = 0;
  std::uint64_t requests = 0;
  std::uint64_t requests_refused = 0;  // Malformed or too large.
};

class Server {
 public:
  // Binds all listeners, then serves.
  //
  // Errors:
  //   kInvalidArgument     an address that is not HOST:PORT.
  //   kFailedPrecondition  the port is in use, or needs a right that this process lacks;
  //                        the message names the holder when it can and the flag to change.
  static absl::StatusOr<std::unique_ptr<Server>> Start(ServerConfig config);

  ~Server();  // Stop() with no grace.
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Connections that the listener of that index accepts from now on use `tls`; those that are open
  // keep what they began with. For a listener that was started with TLS. Thread-safe.
  void ReplaceTls(std::size_t listener, std::shared_ptr<const pki::TlsContext> tls);

  std::size_t listeners() const;
  // Where the listener of that index is bound.
  boost::asio::ip::tcp::endpoint endpoint(std::size_t listener) const;
  // As metrics call it: "org" of "--org-listen".
  const std::string& name(std::size_t listener) const;
  // Connects to it as a client would, over the network, and asks for "/": whatever it answers is
  // well. Any error: no answer within `timeout`. Blocks. Thread-safe.
  absl::Status AskOverNetwork(std::size_t listener, std::chrono::milliseconds timeout) const;
  ServerCounters counters() const;

  // Drains: accepts no more, closes idle connections, lets requests in hand finish for
  // `grace`, then cuts the rest and returns when the last handler has ended. Idempotent.
  void Stop(std::chrono::milliseconds grace);

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

using net::AddressOf;
using net::Networks;
using net::ParseEndpoint;

}  // namespace devicetrust::http
