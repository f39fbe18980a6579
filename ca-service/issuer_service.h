#pragma once

#include <string>
#include <utility>

#include "ca-service/issuers.h"
#include "devicetrust/ca/v1/ca.grpc.pb.h"

namespace devicetrust::ca {

// v1.IssuerService.
class IssuerService final : public v1::IssuerService::Service {
 public:
  // `issuers` must outlive it. `public_url`: of the HTTP listener, as certificates print it.
  IssuerService(const Issuers& issuers, std::string public_url)
      : issuers_(issuers), public_url_(std::move(public_url)) {}

  // Known only once the edge listener is bound, which is after this service exists.
  void set_edge_address(std::string address) { edge_address_ = std::move(address); }

  grpc::Status GetIssuers(grpc::ServerContext* context, const v1::GetIssuersRequest* request,
                          v1::GetIssuersResponse* response) override;

 private:
  const Issuers& issuers_;
  const std::string public_url_;
  std::string edge_address_;  // Set before the listener starts.
};

}  // namespace devicetrust::ca
