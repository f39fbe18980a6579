#include "ca-service/org.h"

#include <fmt/format.h>

#include "devicetrust/org/v1/iwa_registry.grpc.pb.h"
#include "devicetrust/org/v1/system_log.grpc.pb.h"
#include "libs/base/log.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/error.h"

namespace devicetrust::ca {
namespace {

using org::v1::EnrolmentAuthority;
using org::v1::IwaRegistry;
using org::v1::SystemLog;

constexpr std::chrono::milliseconds kAppendTimeout{5000};

// Only what the org itself said goes on to the agent. All else (a refused connection, our
// own certificate not accepted there) is a fault between two servers.
absl::Status OrgError(absl::Status status) {
  if (status.ok() || rpc::DetailOf(status)) return status;
  Log(LogLevel::kWarning, "ca.org.unreachable", {{"status", status.ToString()}});
  return rpc::MakeError(absl::StatusCode::kUnavailable, reason::v1::DEPENDENCY_UNAVAILABLE,
                        "the org does not answer the certificate authority", "org",
                        "Try again; if it stays, check that dt-policy runs and that dt-ca's "
                        "--org-address names it.",
                        std::chrono::seconds(5));
}

class GrpcOrg final : public Org {
 public:
  explicit GrpcOrg(const std::shared_ptr<grpc::Channel>& channel)
      : authority_(channel), registry_(channel), log_(channel) {}

  absl::StatusOr<org::v1::AuthorizeEnrolmentResponse> AuthorizeEnrolment(
      const org::v1::AuthorizeEnrolmentRequest& request) override {
    auto answer = rpc::Call(authority_, &EnrolmentAuthority::Stub::AuthorizeEnrolment, request);
    if (!answer.ok()) return OrgError(answer.status());
    return answer;
  }

  absl::StatusOr<org::v1::ListIwasResponse> ListIwas() override {
    auto answer = rpc::Call(registry_, &IwaRegistry::Stub::ListIwas, org::v1::ListIwasRequest());
    if (!answer.ok()) return OrgError(answer.status());
    return answer;
  }

  absl::Status Append(const org::v1::AppendRequest& events) override {
    return rpc::Call(log_, &SystemLog::Stub::Append, events, kAppendTimeout).status();
  }

 private:
  EnrolmentAuthority::Stub authority_;
  IwaRegistry::Stub registry_;
  SystemLog::Stub log_;
};

}  // namespace

std::unique_ptr<Org> NewGrpcOrg(const std::shared_ptr<grpc::Channel>& channel) {
  return std::make_unique<GrpcOrg>(channel);
}

}  // namespace devicetrust::ca
