// Who calls on an internal listener: the one URI name of the certificate that mutual TLS
// verified, urn:devicetrust:ORG:component:NAME or urn:devicetrust:ORG:admin:NAME.
#pragma once

#include <grpcpp/server_context.h>

#include <string>
#include <string_view>

#include "libs/base/status.h"

namespace devicetrust::rpc {

struct Caller {
  enum class Kind { kComponent, kAdmin };

  Kind kind = Kind::kComponent;
  std::string name;  // "gateway-2", "ada": 1 to 64 of a-z 0-9 . _ -
  std::string role;  // "admin", or the component's name without a trailing "-<digits>".
  std::string org;

  // "component:gateway-2", "admin:ada": for the System Log.
  std::string ToString() const;
};

// Whether a component, an admin or an org may be called so: 1 to 64 of a-z 0-9 . _ -
bool IsName(std::string_view text);

// kUnauthenticated: not of this form.
absl::StatusOr<Caller> ParseCaller(std::string_view uri);

// kUnauthenticated: no certificate, or one without exactly one such name.
absl::StatusOr<Caller> CallerOf(const grpc::AuthContext* peer);
absl::StatusOr<Caller> CallerOf(const grpc::ServerContextBase& context);

}  // namespace devicetrust::rpc
