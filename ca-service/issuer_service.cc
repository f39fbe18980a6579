#include "ca-service/issuer_service.h"

#include "libs/base/bytes.h"

namespace devicetrust::ca {

grpc::Status IssuerService::GetIssuers(grpc::ServerContext* /*context*/,
                                       const v1::GetIssuersRequest* /*request*/,
                                       v1::GetIssuersResponse* response) {
  v1::Issuer& issuer = *response->add_issuers();
  issuer.set_id(ca_.key_id());
  issuer.set_state(v1::ISSUER_STATE_ACTIVE);
  for (const Bytes& der : ca_.chain_der()) issuer.add_chain_der(ToString(der));
  issuer.set_crl_url(crl_url_);
  response->set_edge_address(edge_address_);
  return grpc::Status::OK;
}

}  // namespace devicetrust::ca
