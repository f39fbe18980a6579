// Who calls on an internal listener: the one URI name of the certificate that mutual TLS
// verified, urn:devicetrust:ORG:component:NAME or urn:devicetrust:ORG:admin:NAME; or the
// administrator for whom the org lets a gateway call (grant.h).
#pragma once

#include <grpcpp/server_context.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/status.h"

namespace devicetrust::access::v1 {
class Grant;
}

namespace devicetrust::rpc {

struct Caller {
  enum class Kind { kComponent, kAdmin };

  Kind kind = Kind::kComponent;
  // "gateway-2", "ada": 1 to 64 of a-z 0-9 . _ - With a grant the principal, "ada@corp.test", which
  // no certificate names.
  std::string name;
  std::string role;  // "admin", or the component's name without a trailing "-<digits>".
  std::string org;
  std::string user_id = {};  // Of an administrator with a grant.
  // Whom that one must not touch (Grant.protected_users).
  std::vector<std::uint64_t> protected_users = {};

  // "component:gateway-2", "admin:ada": for the System Log.
  std::string ToString() const;
  bool MayTouch(std::string_view user) const;
};

// Whether a component, an admin or an org may be called so: 1 to 64 of a-z 0-9 . _ -
bool IsName(std::string_view text);

// kUnauthenticated: not of this form.
absl::StatusOr<Caller> ParseCaller(std::string_view uri);

// Who has a grant that was checked.
Caller AdminOf(const access::v1::Grant& grant);

// kUnauthenticated: no certificate, or one without exactly one such name.
absl::StatusOr<Caller> CallerOf(const grpc::AuthContext* peer);
absl::StatusOr<Caller> CallerOf(const grpc::ServerContextBase& context);

}  // namespace devicetrust::rpc
