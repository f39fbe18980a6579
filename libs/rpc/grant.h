// The org's word that an administrator asks, for one call of one method
// (devicetrust/access/v1/access.proto): who may call what by way of the console, and the proof of
// it. A gateway that calls with a grant is treated as that administrator; without one it is a
// gateway.
#pragma once

#include <google/protobuf/descriptor.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "devicetrust/access/v1/access.pb.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/pki/certificate.h"
#include "libs/rpc/identity.h"

namespace devicetrust::rpc {

inline constexpr char kGrantHeader[] = "dt-grant-bin";
inline constexpr std::chrono::seconds kGrantLifetime{30};

// What the method's option says; null: the console may not call it.
const access::v1::Access* ConsoleAccess(const google::protobuf::MethodDescriptor& method);
bool MayCall(const access::v1::Access& access, access::v1::Role role);

// How Grant.protected_users names a user.
std::uint64_t ProtectedUser(std::string_view user_id);

// "/devicetrust.org.v1.AppService/PutApp", as on the wire; null: the contracts linked in have none.
const google::protobuf::MethodDescriptor* FindMethod(std::string_view path);

// Of the org alone. Thread-safe.
class GrantSigner {
 public:
  // kInvalidArgument, kFailedPrecondition: `identity` is no certificate with its key.
  static absl::StatusOr<GrantSigner> Create(const Identity& identity);

  // A SignedGrant. kInternal: the key fails.
  absl::StatusOr<std::string> Sign(const access::v1::Grant& grant) const;

 private:
  explicit GrantSigner(pki::Identity identity) : identity_(std::move(identity)) {}
  pki::Identity identity_;
};

// Of whoever is called. Thread-safe.
class GrantVerifier {
 public:
  // `deployment_ca_pem`: who signs the certificates of components. `clock` outlives this.
  static absl::StatusOr<std::shared_ptr<const GrantVerifier>> Create(
      std::string org, std::string_view deployment_ca_pem, const Clock& clock);

  // kUnauthenticated, TOKEN_*: it is not the org's, not of this org, of another method, or over.
  absl::StatusOr<access::v1::Grant> Check(std::string_view signed_grant,
                                          std::string_view method) const;

 private:
  GrantVerifier(std::string org, std::vector<pki::Certificate> cas, const Clock& clock)
      : org_(std::move(org)), cas_(std::move(cas)), clock_(clock) {}
  absl::Status CheckSigner(const std::vector<pki::Certificate>& chain) const;

  const std::string org_;
  const std::vector<pki::Certificate> cas_;
  const Clock& clock_;
};

}  // namespace devicetrust::rpc
