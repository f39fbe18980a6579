#pragma once

#include "ca-service/revocations.h"
#include "devicetrust/ca/v1/ca.grpc.pb.h"
#include "libs/db/database.h"

namespace devicetrust::ca {

// v1.CertificateAdminService. Who may call what is the listener's business.
class AdminService final : public v1::CertificateAdminService::Service {
 public:
  // Both must outlive it.
  AdminService(Revocations& revocations, db::Database& database)
      : revocations_(revocations), database_(database) {}

  grpc::Status RevokeForUser(grpc::ServerContext* context, const v1::RevokeForUserRequest* request,
                             v1::RevokeForUserResponse* response) override;
  grpc::Status RevokeCertificate(grpc::ServerContext* context,
                                 const v1::RevokeCertificateRequest* request,
                                 v1::RevokeCertificateResponse* response) override;
  grpc::Status ListCertificates(grpc::ServerContext* context,
                                const v1::ListCertificatesRequest* request,
                                v1::ListCertificatesResponse* response) override;

 private:
  Revocations& revocations_;
  db::Database& database_;
};

}  // namespace devicetrust::ca
