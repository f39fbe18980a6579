// One gRPC listener: TLS, who may call what, how much at once, health, reflection, drain.
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

inline constexpr int kEdgeMessageBytesMax = 64 * 1024;
inline constexpr int kInternalMessageBytesMax = 4 * 1024 * 1024;

struct ListenerConfig {
  std::string name;    // "edge", "internal": for the log.
  std::string flag;    // "--edge-listen": named in errors.
  std::string listen;  // host:port; port 0 lets the system choose.
  Identity identity;
  // PEM. Set: callers need a certificate of this CA. Empty: server TLS only.
  std::string client_ca_pem;
  std::string org;  // Callers of another org are refused.

  // A longer message is RESOURCE_EXHAUSTED before it reaches a method.
  int message_bytes_max = kInternalMessageBytesMax;
  // Beyond it, new calls are RESOURCE_EXHAUSTED. Calls that arrive in the same instant may
  // exceed it by what one connection may hold (as many again).
  std::size_t in_flight_max = 512;
  std::size_t streams_max = 64;  // Calls of server-streaming methods, counted apart.
};

// Roles of MethodAccess that stand for more than one.
inline constexpr std::string_view kAnyone = "*";                // Even without a certificate.
inline constexpr std::string_view kAnyComponent = "component";  // Every component, no admin.

// "devicetrust.ca.v1.EnrollmentService.Enroll" and who may call it: roles of Caller.
struct MethodAccess {
  std::string method;
  std::vector<std::string_view> roles;
};

// Thread-safe. Health answers to everybody, reflection to callers with a certificate; any
// method not in the list is PERMISSION_DENIED. Calls by admins are logged.
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

  const std::string& address() const;  // host:port as bound.
  std::size_t in_flight() const;       // Unary calls.

  // Refuses new calls, lets those in flight end, cancels what is left after `drain`; streams
  // that do not end by themselves soon. Idempotent.
  void Stop(std::chrono::milliseconds drain = std::chrono::seconds(2));

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace devicetrust::rpc
