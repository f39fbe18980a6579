// One gRPC listener: TLS, who may call what, how much at once, health, reflection, drain.
//
// Nobody can take more of a service than these bounds, whether a method is reached or not; each
// listener has its own, so one lives on whatever happens at the other:
//   connections in all and by address (an IPv6 /64 is one). When full, the oldest that has had no
//   call yet goes where those are a quarter, else (at an edge) the one that has been idle longest;
//   components that have called stay;
//   the time for a handshake, for the first call behind it, for a call to send its message, for
//   the client to take its answer, from the connection or by its windows; idle time, and at an edge
//   age; calls that wait for their clients, of which the oldest go first;
//   headers of 16 KiB, messages of message_bytes_max. No compression: a small message stays small;
//   calls in flight, threads, and memory of gRPC's transports (a resource quota).
// At an edge all frames are looked at before gRPC sees them (frame_filter.h).
#pragma once

#include <grpcpp/impl/codegen/service_type.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/status.h"
#include "libs/rpc/identity.h"

namespace devicetrust::rpc {

class GrantVerifier;

inline constexpr int kEdgeMessageBytesMax = 64 * 1024;
inline constexpr int kInternalMessageBytesMax = 4 * 1024 * 1024;

// Calls at once on one connection of an agent, which needs one or two.
inline constexpr int kEdgeCallsPerConnectionMax = 128;

struct ConnectionLimits {
  std::size_t connections_max = 1024;
  std::size_t connections_per_address_max = 256;  // 0: no bound.
  // What connections may hold together, TLS and gRPC's transport included. A component's counts
  // until it has called.
  std::size_t memory_bytes_max = std::size_t{32} << 20;
  std::chrono::milliseconds handshake{10'000};  // From accept to the end of TLS.
  // From a call's headers to the end of its message, and for an answer to be taken. At an edge.
  std::chrono::milliseconds message{10'000};
  std::chrono::milliseconds idle{300'000};  // Without a call under way.
};

struct ListenerConfig {
  std::string name;    // "edge", "internal": for the log.
  std::string flag;    // "--edge-listen": named in errors.
  std::string listen;  // host:port; port 0 lets the system choose.
  Identity identity;
  // PEM. Set: callers need a certificate of this CA. Empty: server TLS only.
  std::string client_ca_pem;
  std::string org;  // Callers of another org are refused.
  // Checks what gateways bring of administrators; null: none is good here.
  std::shared_ptr<const GrantVerifier> grants = nullptr;

  // A longer message is RESOURCE_EXHAUSTED before it reaches a method.
  int message_bytes_max = kInternalMessageBytesMax;
  // Beyond it, new calls are RESOURCE_EXHAUSTED. Calls that arrive in the same instant may
  // exceed it by what one connection may hold (as many again).
  std::size_t in_flight_max = 512;
  std::size_t streams_max = 64;  // Calls of server-streaming methods, counted apart.
  ConnectionLimits connections = {};
};

// Roles of MethodAccess that stand for more than one.
inline constexpr std::string_view kAnyone = "*";                // Even without a certificate.
inline constexpr std::string_view kAnyComponent = "component";  // Every component, no admin.

// "devicetrust.ca.v1.EnrollmentService.Enroll" and who may call it: roles of Caller.
struct MethodAccess {
  std::string method;
  std::vector<std::string_view> roles;
};

// Thread-safe. Health answers to everybody, and may be watched, as reflection may be asked, by
// callers with a certificate; any method not in the list is PERMISSION_DENIED. Calls by admins are
// logged.
class Server {
 public:
  // Serving once it returns. `services` must outlive it.
  //
  // Errors:
  //   kInvalidArgument     address, PEM or a method's name is wrong.
  //   kFailedPrecondition  the port is taken (the message names address and flag).
  static absl::StatusOr<std::unique_ptr<Server>> Start(ListenerConfig config,
                                                       const std::vector<grpc::Service*>& services,
                                                       const std::vector<MethodAccess>& access);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  const std::string& name() const;     // "edge"
  const std::string& address() const;  // host:port as bound.
  std::size_t in_flight() const;       // Unary calls.

  // Connects as a client would, over the network, and asks for the health. Any error: no answer
  // within `timeout`.
  absl::Status AskOverNetwork(std::chrono::milliseconds timeout) const;
  // What the health says of a service of that name, "" for all, from now on.
  void SetHealth(const std::string& service, bool serving);

  // Refuses new calls, lets those in flight end, cancels what is left after `drain`; streams
  // that do not end by themselves soon. Idempotent.
  void Stop(std::chrono::milliseconds drain = std::chrono::seconds(2));

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace devicetrust::rpc
