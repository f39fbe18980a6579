#include "ca-service/enrollment_service.h"

#include "ca-service/metrics.h"
#include "ca-service/renewal_window.h"
#include "libs/rpc/peer_address.h"
#include "libs/rpc/result_label.h"
#include "libs/rpc/status.h"

namespace devicetrust::ca {
grpc::Status EnrollmentService::Enroll(grpc::ServerContext* context,
                                       const v1::EnrollRequest* request,
                                       v1::EnrollResponse* response) {
  auto certificate =
      enroller_.Enroll(request->user_token(), request->csr_der(), rpc::PeerAddress(context),
                       {request->renews(), request->forced()});
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
  const RenewalWindow window =
      RenewalWindowOf(certificate->serial, AtUnixSeconds(certificate->issued_at),
                      AtUnixSeconds(certificate->not_after));
  response->mutable_renew_from()->set_seconds(UnixSeconds(window.from));
  response->mutable_renew_until()->set_seconds(UnixSeconds(window.until));
  return grpc::Status::OK;
}

}  // namespace devicetrust::ca
