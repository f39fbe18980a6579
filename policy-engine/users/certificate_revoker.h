#pragma once

#include "devicetrust/ca/v1/ca.pb.h"
#include "libs/base/status.h"

namespace devicetrust::policy {

// Whoever revokes the certificates of a user: the CA.
class CertificateRevoker {
 public:
  virtual ~CertificateRevoker() = default;

  // CertificateAdminService.RevokeForUser, which is idempotent, with a deadline of its own: ends
  // within seconds. Thread-safe. Errors as rpc::Call.
  virtual absl::StatusOr<ca::v1::RevokeForUserResponse> RevokeForUser(
      const ca::v1::RevokeForUserRequest& request) = 0;
};

}  // namespace devicetrust::policy
