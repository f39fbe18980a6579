#pragma once

#include <functional>
#include <string>

#include "ca-service/events.h"
#include "ca-service/issuers.h"
#include "devicetrust/ca/v1/ca.grpc.pb.h"
#include "libs/db/outbox.h"

namespace devicetrust::ca {

// Appends the event of a change to its transaction. `outbox` must outlive it.
absl::StatusOr<Issuers::Beside> IssuerEventBeside(db::Outbox& outbox, const Clock& clock,
                                                  Random& random, const char* type,
                                                  std::string requested_by, bool forced = false);

// v1.IssuerAdminService. Each change has an event in the System Log, in one transaction with it.
class IssuerAdminService final : public v1::IssuerAdminService::Service {
 public:
  // All four must outlive it.
  IssuerAdminService(Issuers& issuers, db::Outbox& outbox, const Clock& clock, Random& random)
      : issuers_(issuers), outbox_(outbox), clock_(clock), random_(random) {}

  grpc::Status ListIssuers(grpc::ServerContext* context, const v1::ListIssuersRequest* request,
                           v1::ListIssuersResponse* response) override;
  grpc::Status AddIssuer(grpc::ServerContext* context, const v1::AddIssuerRequest* request,
                         v1::AddIssuerResponse* response) override;
  grpc::Status RequestIssuer(grpc::ServerContext* context, const v1::RequestIssuerRequest* request,
                             v1::RequestIssuerResponse* response) override;
  grpc::Status InstallIssuer(grpc::ServerContext* context, const v1::InstallIssuerRequest* request,
                             v1::InstallIssuerResponse* response) override;
  grpc::Status ActivateIssuer(grpc::ServerContext* context,
                              const v1::ActivateIssuerRequest* request,
                              v1::ActivateIssuerResponse* response) override;
  grpc::Status RetireIssuer(grpc::ServerContext* context, const v1::RetireIssuerRequest* request,
                            v1::RetireIssuerResponse* response) override;
  grpc::Status InstallRootCrl(grpc::ServerContext* context,
                              const v1::InstallRootCrlRequest* request,
                              v1::InstallRootCrlResponse* response) override;

 private:
  // What appends the event to the transaction of the change.
  absl::StatusOr<Issuers::Beside> EventOf(const grpc::ServerContext* context, const char* type,
                                          bool forced = false);

  Issuers& issuers_;
  db::Outbox& outbox_;
  const Clock& clock_;
  Random& random_;
};

}  // namespace devicetrust::ca
