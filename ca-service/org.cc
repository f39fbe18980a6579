#include "ca-service/org.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "devicetrust/org/v1/iwa_registry.grpc.pb.h"
#include "devicetrust/org/v1/system_log.grpc.pb.h"
#include "google/rpc/status.pb.h"
#include "libs/base/coalescer.h"
#include "libs/base/log.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/error.h"

namespace devicetrust::ca {
namespace {

using org::v1::EnrolmentAuthority;
using org::v1::IwaRegistry;
using org::v1::SystemLog;

constexpr std::chrono::milliseconds kAppendTimeout{5000};
constexpr std::size_t kEnrolmentsPerCallMax = 64;  // The contract's.

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

  absl::StatusOr<org::v1::AuthorizedEnrolment> AuthorizeEnrolment(
      org::v1::EnrolmentRequest request) override {
    auto answer =
        enrolments_.Call(std::move(request), std::chrono::steady_clock::now() + rpc::kCallTimeout);
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
  using Enrolments = Coalescer<org::v1::EnrolmentRequest, org::v1::AuthorizedEnrolment>;

  std::vector<Enrolments::Result> Authorize(std::vector<org::v1::EnrolmentRequest> enrolments,
                                            Enrolments::Deadline deadline);

  EnrolmentAuthority::Stub authority_;
  IwaRegistry::Stub registry_;
  SystemLog::Stub log_;
  Enrolments enrolments_{{.batch_max = kEnrolmentsPerCallMax},
                         [this](auto enrolments, Enrolments::Deadline deadline) {
                           return Authorize(std::move(enrolments), deadline);
                         }};
};

std::vector<GrpcOrg::Enrolments::Result> GrpcOrg::Authorize(
    std::vector<org::v1::EnrolmentRequest> enrolments, Enrolments::Deadline deadline) {
  const std::size_t count = enrolments.size();
  org::v1::AuthorizeEnrolmentsRequest request;
  for (auto& enrolment : enrolments) *request.add_enrolments() = std::move(enrolment);
  auto answer = rpc::Call(
      authority_, &EnrolmentAuthority::Stub::AuthorizeEnrolments, request,
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()));
  if (answer.ok() && static_cast<std::size_t>(answer->results_size()) != count) {
    answer = absl::InternalError("the org answered for another number of enrolments");
  }
  if (!answer.ok()) return std::vector<Enrolments::Result>(count, answer.status());
  std::vector<Enrolments::Result> results;
  results.reserve(count);
  for (org::v1::EnrolmentResult& result : *answer->mutable_results()) {
    if (result.has_authorized()) {
      results.emplace_back(std::move(*result.mutable_authorized()));
    } else if (absl::Status refused = rpc::FromMessage(result.refused()); !refused.ok()) {
      results.emplace_back(std::move(refused));
    } else {
      results.emplace_back(absl::InternalError("the org gave an enrolment no result"));
    }
  }
  return results;
}

}  // namespace

std::unique_ptr<Org> NewGrpcOrg(const std::shared_ptr<grpc::Channel>& channel) {
  return std::make_unique<GrpcOrg>(channel);
}

}  // namespace devicetrust::ca
