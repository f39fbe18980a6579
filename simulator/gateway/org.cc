#include "simulator/gateway/org.h"

#include "devicetrust/org/v1/policy.grpc.pb.h"
#include "devicetrust/org/v1/sign_in.grpc.pb.h"
#include "libs/rpc/async_call.h"

namespace devicetrust::gateway {
namespace {

// The org itself waits up to 2 s for the directory.
constexpr std::chrono::milliseconds kPasswordTimeout{4000};

class GrpcOrg final : public Org {
 public:
  explicit GrpcOrg(const std::shared_ptr<grpc::Channel>& channel)
      : sign_in_(org::v1::SignIn::NewStub(channel)), policy_(org::v1::Policy::NewStub(channel)) {}

  Task<absl::StatusOr<org::v1::VerifyPasswordResponse>> VerifyPassword(
      org::v1::VerifyPasswordRequest request) override {
    co_return co_await rpc::AsyncCall(*sign_in_->async(),
                                      &org::v1::SignIn::Stub::async::VerifyPassword,
                                      std::move(request), kPasswordTimeout);
  }

  Task<absl::StatusOr<org::v1::EvaluateResponse>> Evaluate(
      org::v1::EvaluateRequest request) override {
    co_return co_await rpc::AsyncCall(*policy_->async(), &org::v1::Policy::Stub::async::Evaluate,
                                      std::move(request));
  }

  Task<absl::StatusOr<org::v1::EvaluateResponse>> CompleteFactor(
      org::v1::CompleteFactorRequest request) override {
    co_return co_await rpc::AsyncCall(
        *policy_->async(), &org::v1::Policy::Stub::async::CompleteFactor, std::move(request));
  }

  Task<absl::Status> EndSession(org::v1::EndSessionRequest request) override {
    const auto ended = co_await rpc::AsyncCall(
        *sign_in_->async(), &org::v1::SignIn::Stub::async::EndSession, std::move(request));
    co_return ended.status();
  }

 private:
  const std::unique_ptr<org::v1::SignIn::Stub> sign_in_;
  const std::unique_ptr<org::v1::Policy::Stub> policy_;
};

}  // namespace

std::unique_ptr<Org> NewGrpcOrg(const std::shared_ptr<grpc::Channel>& channel) {
  return std::make_unique<GrpcOrg>(channel);
}

}  // namespace devicetrust::gateway
