#include "ca-service/issuer_service.h"

#include "libs/base/bytes.h"

namespace devicetrust::ca {

grpc::Status IssuerService::GetIssuers(grpc::ServerContext* /*context*/,
                                       const v1::GetIssuersRequest* /*request*/,
                                       v1::GetIssuersResponse* response) {
  const auto set = issuers_.Current();
  for (const auto& issuer : set->all) {
    v1::Issuer& message = *response->add_issuers();
    message.set_id(issuer->id());
    message.set_state(issuer.get() == &set->active() ? v1::ISSUER_STATE_ACTIVE
                                                     : v1::ISSUER_STATE_ACCEPTED);
    for (const Bytes& der : issuer->chain_der()) message.add_chain_der(ToString(der));
    message.set_crl_url(public_url_ + CrlPath(issuer->id()));
    message.set_root_crl_url(public_url_ + CrlPath(issuer->root_id()));
    message.set_ocsp_url(public_url_ + kOcspPath);
  }
  response->set_edge_address(edge_address_);
  return grpc::Status::OK;
}

}  // namespace devicetrust::ca
