#pragma once

#include <chrono>
#include <memory>

#include "devicetrust/ca/v1/ca.grpc.pb.h"
#include "libs/rpc/channel.h"
#include "policy-engine/diagnostics/certificate_lister.h"
#include "policy-engine/users/certificate_revoker.h"

namespace devicetrust::policy {

// The connection to dt-ca's internal listener. Thread-safe.
class CaLink final : public CertificateRevoker, public CertificateLister {
 public:
  explicit CaLink(const rpc::ChannelConfig& config)
      : stub_(ca::v1::CertificateAdminService::NewStub(rpc::NewChannel(config))) {}

  absl::StatusOr<ca::v1::RevokeForUserResponse> RevokeForUser(
      const ca::v1::RevokeForUserRequest& request) override {
    return rpc::Call(*stub_, &ca::v1::CertificateAdminService::Stub::RevokeForUser, request);
  }
  absl::StatusOr<ca::v1::ListCertificatesResponse> ListCertificates(
      const ca::v1::ListCertificatesRequest& request) override {
    // Less than an administrator's own call waits for the whole answer.
    return rpc::Call(*stub_, &ca::v1::CertificateAdminService::Stub::ListCertificates, request,
                     std::chrono::milliseconds{2000});
  }

 private:
  const std::unique_ptr<ca::v1::CertificateAdminService::Stub> stub_;
};

}  // namespace devicetrust::policy
