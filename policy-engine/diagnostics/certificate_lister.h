#pragma once

#include "devicetrust/ca/v1/ca.pb.h"
#include "libs/base/status.h"

namespace devicetrust::policy {

// Whoever knows which certificates there are: the CA.
class CertificateLister {
 public:
  virtual ~CertificateLister() = default;

  // CertificateAdminService.ListCertificates, with a deadline of its own. Thread-safe. Errors as
  // rpc::Call.
  virtual absl::StatusOr<ca::v1::ListCertificatesResponse> ListCertificates(
      const ca::v1::ListCertificatesRequest& request) = 0;
};

}  // namespace devicetrust::policy
