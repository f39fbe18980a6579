// What the gateway asks for an administrator: the org about the console, and whichever service has
// a method, with the org's grant. Uses libs/rpc alone.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>
#include <vector>

#include "devicetrust/org/v1/console.pb.h"
#include "libs/base/status.h"
#include "libs/base/task.h"

namespace devicetrust::gateway {

inline constexpr std::chrono::milliseconds kAdminCallMax{15'000};
// How long a stream is listened to at once, and what is taken of it.
inline constexpr std::chrono::milliseconds kListenMax{20'000};
inline constexpr std::size_t kListenMessagesMax = 1000;
inline constexpr std::size_t kListenBytesMax = std::size_t{2} << 20;

struct AdminCall {
  enum class Peer { kOrg, kCa } peer = Peer::kOrg;
  std::string method;   // "/devicetrust.org.v1.AppService/ListApps"
  std::string request;  // A message of it.
  std::string grant;    // AuthorizeCallResponse.signed_grant.
};

// What a stream said in a while.
struct Listened {
  std::vector<std::string> messages;
  bool ended = false;  // There is no more to come.
};

// Every call ends by a deadline, and goes on where it was awaited. Errors carry the other side's
// detail (rpc::ReasonOf).
class AdminBackend {
 public:
  virtual ~AdminBackend() = default;
  virtual Task<absl::StatusOr<org::v1::GetConsoleResponse>> GetConsole(
      org::v1::GetConsoleRequest request) = 0;
  virtual Task<absl::StatusOr<org::v1::OpenConsoleResponse>> OpenConsole(
      org::v1::OpenConsoleRequest request) = 0;
  virtual Task<absl::StatusOr<org::v1::CloseConsoleResponse>> CloseConsole(
      org::v1::CloseConsoleRequest request) = 0;
  virtual Task<absl::StatusOr<org::v1::AuthorizeCallResponse>> AuthorizeCall(
      org::v1::AuthorizeCallRequest request) = 0;

  // The answer's message.
  virtual Task<absl::StatusOr<std::string>> Call(AdminCall call) = 0;
  // Of a server-streaming method: what comes until shortly after the first message that says
  // something (heartbeats, which are short, say nothing), the end, or a bound above.
  virtual Task<absl::StatusOr<Listened>> Listen(AdminCall call) = 0;
};

std::unique_ptr<AdminBackend> NewAdminBackend(std::shared_ptr<grpc::Channel> org,
                                              std::shared_ptr<grpc::Channel> ca);

}  // namespace devicetrust::gateway
