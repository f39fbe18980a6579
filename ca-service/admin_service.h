#pragma once

#include <atomic>
#include <string>

#include "ca-service/issuing_ca.h"
#include "ca-service/revocations.h"
#include "devicetrust/ca/v1/ca.grpc.pb.h"
#include "libs/db/database.h"

namespace devicetrust::ca {

// gRPC face of the internal listener. Who may call what is the listener's business.
class AdminService final : public v1::CertificateAdmin::Service {
 public:
  // All references must outlive it.
  AdminService(Revocations& revocations, db::Database& database, const IssuingCa& ca,
               const Clock& clock, std::string crl_url)
      : revocations_(revocations),
        database_(database),
        ca_(ca),
        clock_(clock),
        crl_url_(std::move(crl_url)) {}

  // Known only once the edge listener is bound, which is after this service exists.
  void set_edge_address(std::string address) { edge_address_ = std::move(address); }

  grpc::Status RevokeForUser(grpc::ServerContext* context, const v1::RevokeForUserRequest* request,
                             v1::RevokeForUserResponse* response) override;
  grpc::Status RevokeCertificate(grpc::ServerContext* context,
                                 const v1::RevokeCertificateRequest* request,
                                 v1::RevokeCertificateResponse* response) override;
  grpc::Status WatchRevocations(grpc::ServerContext* context,
                                const v1::WatchRevocationsRequest* request,
                                grpc::ServerWriter<v1::WatchRevocationsResponse>* writer) override;
  grpc::Status ListCertificates(grpc::ServerContext* context,
                                const v1::ListCertificatesRequest* request,
                                v1::ListCertificatesResponse* response) override;
  grpc::Status GetIssuers(grpc::ServerContext* context, const v1::GetIssuersRequest* request,
                          v1::GetIssuersResponse* response) override;

 private:
  Revocations& revocations_;
  db::Database& database_;
  const IssuingCa& ca_;
  const Clock& clock_;
  const std::string crl_url_;
  std::string edge_address_;  // Set before the listener starts.
};

}  // namespace devicetrust::ca
