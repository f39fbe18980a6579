#include "iwa/domain_proof_service.h"

#include "iwa/metrics.h"
#include "libs/base/client_network.h"
#include "libs/base/log_sparsely.h"
#include "libs/rpc/error.h"
#include "libs/rpc/peer_address.h"
#include "libs/rpc/result_label.h"
#include "libs/rpc/status.h"

namespace devicetrust::iwa {
namespace {

// One count a call, the same for both methods, and a line for what is not repeated at will.
void LogOutcome(const grpc::ServerContext* context, std::string_view event, std::string_view kind,
                const absl::StatusOr<IssuedToken>& issued) {
  kTokens.With({kind, rpc::ResultLabel(issued.status())}).Add();
  if (issued.ok()) {
    Log(LogLevel::kInfo, event, {{"outcome", "allow"}, {"subject", issued->subject}});
    return;
  }
  const auto detail = rpc::DetailOf(issued.status());
  const std::string subject = detail ? detail->subject() : std::string();
  const std::string address = rpc::PeerAddress(context);
  LogSparsely(LogLevel::kWarning, event, subject.empty() ? ClientNetwork(address) : subject,
              {{"outcome", "deny"},
               {"subject", subject},
               {"address", address},
               {"reason", rpc::ReasonName(issued.status())},
               {"error", std::string(issued.status().message())}});
}

}  // namespace

grpc::Status DomainProofService::IssueDeviceToken(grpc::ServerContext* context,
                                                  const v1::IssueDeviceTokenRequest* request,
                                                  v1::IssueDeviceTokenResponse* response) {
  absl::StatusOr<IssuedToken> issued =
      issuer_.IssueDeviceToken(AsBytes(request->spnego_token()), request->key_thumbprint());
  LogOutcome(context, "iwa.device_token.issue", "device", issued);
  if (!issued.ok()) return rpc::ToGrpc(issued.status());
  response->set_device_token(std::move(issued->token));
  response->set_spnego_token(ToString(issued->reply));
  response->mutable_expires_at()->set_seconds(UnixSeconds(issued->expires_at));
  return grpc::Status::OK;
}

grpc::Status DomainProofService::IssueUserToken(grpc::ServerContext* context,
                                                const v1::IssueUserTokenRequest* request,
                                                v1::IssueUserTokenResponse* response) {
  absl::StatusOr<IssuedToken> issued = issuer_.IssueUserToken(
      AsBytes(request->spnego_token()), request->key_thumbprint(), request->device_token());
  LogOutcome(context, "iwa.user_token.issue", "user", issued);
  if (!issued.ok()) return rpc::ToGrpc(issued.status());
  response->set_user_token(std::move(issued->token));
  response->set_spnego_token(ToString(issued->reply));
  response->mutable_expires_at()->set_seconds(UnixSeconds(issued->expires_at));
  return grpc::Status::OK;
}

}  // namespace devicetrust::iwa
