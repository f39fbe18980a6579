#include "ca-service/org_client.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "devicetrust/org/v1/enrollment.grpc.pb.h"
#include "devicetrust/org/v1/iwa_registry.grpc.pb.h"
#include "devicetrust/org/v1/system_log.grpc.pb.h"
#include "google/rpc/status.pb.h"
#include "libs/base/coalescer.h"
#include "libs/base/log_sparsely.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/error.h"

namespace devicetrust::ca {
namespace {

using org::v1::IwaRegistryService;
using org::v1::SystemLogService;

constexpr std::chrono::milliseconds kAppendTimeout{5000};
constexpr std::size_t kEnrollmentsPerCallMax = 64;  // The contract's.

// Only what the org itself said goes on to the agent. All else (a refused connection, our
// own certificate not accepted there) is a fault between two servers.
absl::Status OrgError(absl::Status status) {
  if (status.ok() || rpc::DetailOf(status)) return status;
  LogSparsely(LogLevel::kWarning, "ca.org.unreachable", {}, {{"status", status.ToString()}});
  return rpc::MakeError(absl::StatusCode::kUnavailable, reason::v1::REASON_DEPENDENCY_UNAVAILABLE,
                        "the org does not answer the certificate authority", "org",
                        "Try again; if it stays, check that dt-policy runs and that dt-ca's "
                        "--org-address names it.",
                        std::chrono::seconds(5));
}

class GrpcOrgClient final : public OrgClient {
 public:
  explicit GrpcOrgClient(const std::shared_ptr<grpc::Channel>& channel)
      : authority_(channel), registry_(channel), log_(channel) {}

  absl::StatusOr<org::v1::AuthorizedEnrollment> AuthorizeEnrollment(
      org::v1::EnrollmentRequest request) override {
    auto answer =
        enrollments_.Call(std::move(request), std::chrono::steady_clock::now() + rpc::kCallTimeout);
    if (!answer.ok()) return OrgError(answer.status());
    return answer;
  }

  absl::StatusOr<org::v1::ListIwasResponse> ListIwas() override {
    auto answer =
        rpc::Call(registry_, &IwaRegistryService::Stub::ListIwas, org::v1::ListIwasRequest());
    if (!answer.ok()) return OrgError(answer.status());
    return answer;
  }

  absl::Status Append(const org::v1::AppendEventsRequest& events) override {
    return rpc::Call(log_, &SystemLogService::Stub::AppendEvents, events, kAppendTimeout).status();
  }

 private:
  using Enrollments = Coalescer<org::v1::EnrollmentRequest, org::v1::AuthorizedEnrollment>;

  std::vector<Enrollments::Result> Authorize(std::vector<org::v1::EnrollmentRequest> enrollments,
                                             Enrollments::Deadline deadline);

  org::v1::EnrollmentService::Stub authority_;
  IwaRegistryService::Stub registry_;
  SystemLogService::Stub log_;
  Enrollments enrollments_{{.batch_max = kEnrollmentsPerCallMax},
                           [this](auto enrollments, Enrollments::Deadline deadline) {
                             return Authorize(std::move(enrollments), deadline);
                           }};
};

std::vector<GrpcOrgClient::Enrollments::Result> GrpcOrgClient::Authorize(
    std::vector<org::v1::EnrollmentRequest> enrollments, Enrollments::Deadline deadline) {
  const std::size_t count = enrollments.size();
  org::v1::AuthorizeEnrollmentsRequest request;
  for (auto& enrollment : enrollments) *request.add_enrollments() = std::move(enrollment);
  auto answer = rpc::Call(
      authority_, &org::v1::EnrollmentService::Stub::AuthorizeEnrollments, request,
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()));
  if (answer.ok() && static_cast<std::size_t>(answer->results_size()) != count) {
    answer = absl::InternalError("the org answered for another number of enrollments");
  }
  if (!answer.ok()) return std::vector<Enrollments::Result>(count, answer.status());
  std::vector<Enrollments::Result> results;
  results.reserve(count);
  for (org::v1::EnrollmentResult& result : *answer->mutable_results()) {
    if (result.has_authorized()) {
      results.emplace_back(std::move(*result.mutable_authorized()));
    } else if (absl::Status refused = rpc::FromMessage(result.refused()); !refused.ok()) {
      results.emplace_back(std::move(refused));
    } else {
      results.emplace_back(absl::InternalError("the org gave an enrollment no result"));
    }
  }
  return results;
}

}  // namespace

std::unique_ptr<OrgClient> NewGrpcOrgClient(const std::shared_ptr<grpc::Channel>& channel) {
  return std::make_unique<GrpcOrgClient>(channel);
}

}  // namespace devicetrust::ca
