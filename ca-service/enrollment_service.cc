#include "ca-service/enrollment_service.h"

#include <string>

#include "ca-service/metrics.h"
#include "libs/rpc/result_label.h"
#include "libs/rpc/status.h"

namespace devicetrust::ca {
namespace {

// "127.0.0.1" of gRPC's "ipv4:127.0.0.1:40312" and of "ipv6:%5B::1%5D:40312" the middle.
std::string PeerAddress(const grpc::ServerContext* context) {
  if (context == nullptr) return {};
  std::string peer = context->peer();
  peer.erase(0, peer.find(':') + 1);
  return peer.substr(0, peer.rfind(':'));
}

}  // namespace

grpc::Status EnrollmentService::Enroll(grpc::ServerContext* context,
                                       const v1::EnrollRequest* request,
                                       v1::EnrollResponse* response) {
  auto certificate =
      enroller_.Enroll(request->user_token(), request->csr_der(), PeerAddress(context));
  kEnrollments.With({rpc::ResultLabel(certificate.status())}).Add();
  if (!certificate.ok()) return rpc::ToGrpc(certificate.status());
  response->set_certificate_der(ToString(certificate->der));
  const auto issuers = issuers_.Current();
  const Issuer* const issuer = issuers->Find(certificate->issuer_id);
  if (issuer == nullptr) {  // It would have expired with all that it issued.
    return rpc::ToGrpc(absl::InternalError("the certificate's issuer is not known"));
  }
  for (const Bytes& der : issuer->chain_der()) response->add_chain_der(ToString(der));
  response->mutable_not_after()->set_seconds(certificate->not_after);
  return grpc::Status::OK;
}

}  // namespace devicetrust::ca
