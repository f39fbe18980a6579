// Listeners and their threads, for any protocol over TCP.
//
// One io_context and one thread per core, each with its own SO_REUSEPORT listener; a connection
// stays on the thread that accepted it. Connections are bounded in all, by address, and by what
// they hold of memory (connection_table.h); each thread has its share of the bounds. When
// descriptors or memory run out, a listener cuts who may go, pauses, and tries again, for as long
// as it is open.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "libs/base/status.h"
#include "libs/net/connection_table.h"
#include "libs/net/endpoint.h"
#include "libs/net/networks.h"

namespace devicetrust::net {

// What happened at one listener so far.
struct Counts {
  std::atomic<std::uint64_t> connections{0};          // Accepted.
  std::atomic<std::uint64_t> connections_refused{0};  // Closed at once: no room.
  std::atomic<std::uint64_t> connections_evicted{0};  // Closed to make room.
  std::atomic<std::uint64_t> connections_open{0};
  std::atomic<std::uint64_t> accept_failures{0};  // No descriptor or no memory.
};

// What a session is made of, on the thread that it will live on.
struct Connection {
  Tcp::socket socket;
  // An IPv4 address is one even on an IPv6 socket. Behind a proxy the client's, as it says.
  Tcp::endpoint peer;
  std::size_t thread = 0;  // 0 to threads - 1: for what sessions of one thread share.
  Admission& admission;    // Outlives the session.
};

inline constexpr std::size_t kMemoryShareMin = std::size_t{2} << 20;

struct ListenerConfig {
  std::string address;  // "HOST:PORT", HOST an IPv4 or [IPv6] address; port 0: any free one.
  std::string flag;     // Its name on the command line, for messages: "--org-listen".
  std::size_t connections_max = 4096;  // Per listener.
  // Of one address, per listener: a flood from one leaves others served. 0: no bound.
  std::size_t connections_per_address_max = 0;
  // What connections may hold of memory together, by what they say (Admission::Hold()). A thread
  // gets kMemoryShareMin at least.
  std::size_t memory_bytes_max = std::size_t{32} << 20;
  // Whose connections begin with a header of the PROXY protocol (proxy_header.h), and are closed
  // without one; nobody else's is looked at for one. Its client counts by the address in it.
  Networks proxies;
  std::function<std::unique_ptr<Session>(Connection connection)> new_session;
  Counts* counts = nullptr;  // Outlives the server.
};

class Server {
 public:
  // Binds all listeners, then serves.
  //
  // Errors:
  //   kInvalidArgument     an address that is not HOST:PORT.
  //   kFailedPrecondition  the port is in use, or needs a right that this process lacks;
  //                        the message names the holder when it can and the flag to change.
  static absl::StatusOr<std::unique_ptr<Server>> Start(std::vector<ListenerConfig> listeners,
                                                       std::size_t threads);

  ~Server();  // Stop() with no grace.
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Where the listener of that index is bound.
  Tcp::endpoint endpoint(std::size_t listener) const;

  // Drains: accepts no more, closes idle sessions, lets the others finish for `grace`, then cuts
  // the rest and returns when the last has ended. Idempotent.
  void Stop(std::chrono::milliseconds grace);

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace devicetrust::net
