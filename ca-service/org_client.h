// What the CA asks of the org (the policy engine).
#pragma once

#include <grpcpp/channel.h>

#include <chrono>
#include <memory>
#include <string>

#include "devicetrust/org/v1/enrollment.pb.h"
#include "devicetrust/org/v1/iwa_registry.pb.h"
#include "devicetrust/org/v1/system_log.pb.h"
#include "libs/base/status.h"

namespace devicetrust::ca {

// Thread-safe; every call ends by a deadline. Errors carry the org's detail when it
// answered; without an answer they are kUnavailable, DEPENDENCY_UNAVAILABLE.
class OrgClient {
 public:
  virtual ~OrgClient() = default;

  // At most two seconds. What several threads ask at once may travel together.
  virtual absl::StatusOr<org::v1::AuthorizedEnrollment> AuthorizeEnrollment(
      org::v1::EnrollmentRequest request) = 0;
  virtual absl::StatusOr<org::v1::ListIwasResponse> ListIwas() = 0;
  // OK: the events are durable there.
  virtual absl::Status Append(const org::v1::AppendEventsRequest& events) = 0;
};

std::unique_ptr<OrgClient> NewGrpcOrgClient(const std::shared_ptr<grpc::Channel>& channel);

}  // namespace devicetrust::ca
