#pragma once

#include <string>
#include <utility>

#include "ca-service/issuing_ca.h"
#include "devicetrust/ca/v1/ca.grpc.pb.h"

namespace devicetrust::ca {

// v1.IssuerService.
class IssuerService final : public v1::IssuerService::Service {
 public:
  // `ca` must outlive it. `crl_url`: as printed in certificates.
  IssuerService(const IssuingCa& ca, std::string crl_url) : ca_(ca), crl_url_(std::move(crl_url)) {}

  // Known only once the edge listener is bound, which is after this service exists.
  void set_edge_address(std::string address) { edge_address_ = std::move(address); }

  grpc::Status GetIssuers(grpc::ServerContext* context, const v1::GetIssuersRequest* request,
                          v1::GetIssuersResponse* response) override;

 private:
  const IssuingCa& ca_;
  const std::string crl_url_;
  std::string edge_address_;  // Set before the listener starts.
};

}  // namespace devicetrust::ca
