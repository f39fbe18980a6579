// What the gateway asks of the org (the policy engine) during a sign-on. Uses libs/rpc alone.
#pragma once

#include <grpcpp/channel.h>

#include <memory>

#include "devicetrust/org/v1/authentication.pb.h"
#include "devicetrust/org/v1/decisions.pb.h"
#include "libs/base/status.h"
#include "libs/base/task.h"

namespace devicetrust::gateway {

// Every call ends by a deadline, and goes on where it was awaited. Errors carry the org's
// detail (rpc::ReasonOf).
class OrgClient {
 public:
  virtual ~OrgClient() = default;
  virtual Task<absl::StatusOr<org::v1::StartSessionResponse>> StartSession(
      org::v1::StartSessionRequest request) = 0;
  virtual Task<absl::StatusOr<org::v1::StartTicketSessionResponse>> StartTicketSession(
      org::v1::StartTicketSessionRequest request) = 0;
  virtual Task<absl::StatusOr<org::v1::EvaluateResponse>> Evaluate(
      org::v1::EvaluateRequest request) = 0;
  virtual Task<absl::StatusOr<org::v1::CompleteFactorResponse>> CompleteFactor(
      org::v1::CompleteFactorRequest request) = 0;
  virtual Task<absl::StatusOr<org::v1::EndSessionResponse>> EndSession(
      org::v1::EndSessionRequest request) = 0;
};

std::unique_ptr<OrgClient> NewOrgClient(const std::shared_ptr<grpc::Channel>& channel);

}  // namespace devicetrust::gateway
