#include "ca-service/http_endpoint.h"

#include <memory>
#include <string>
#include <utility>

#include "ca-service/ocsp_endpoint.h"
#include "libs/base/task.h"

namespace devicetrust::ca {
namespace {

http::Response Found(const pki::Certificate& certificate) {
  http::Response response;
  response.fields.Set("Content-Type", "application/pkix-cert");
  response.body = ToString(certificate.der());
  return response;
}

http::Response Found(std::shared_ptr<const StoredCrl> list) {
  http::Response response;
  response.fields.Set("Content-Type", "application/pkix-crl");
  const std::string_view octets(reinterpret_cast<const char*>(list->der.data()), list->der.size());
  response.shared_body = {std::move(list), octets};
  return response;
}

struct Endpoint {
  const Issuers& issuers;
  CrlPublisher& crl;
  OcspResponder& ocsp;
  const Clock& clock;

  Task<http::Response> Answer(const http::Request& request) const {
    if (IsOcspPath(request.path)) co_return co_await AnswerOcsp(ocsp, clock, request);
    if (request.method == "POST") {
      http::Response refused = http::Text(405, "only GET is served here\n");
      refused.fields.Set("Allow", "GET, HEAD");
      co_return refused;
    }
    if (!request.query.empty()) co_return http::Text(404, "not found\n");
    const auto set = issuers.Current();
    if (request.path == kRootPath) {
      co_return Found(set->active().root());
    }
    std::string id;  // Of the issuer or root whose list is asked for.
    for (const auto& issuer : set->all) {
      if (request.path == issuer->CertificatePath()) {
        co_return Found(issuer->certificate());
      }
      if (request.path == CrlPath(issuer->id())) id = issuer->id();
      if (request.path == CrlPath(issuer->root_id())) id = issuer->root_id();
    }
    if (id.empty()) co_return http::Text(404, "not found\n");
    const auto lists = co_await AwaitCallback<std::shared_ptr<const CrlSet>>(
        [this](CrlPublisher::Receiver receiver) { crl.WhenUpToDate(std::move(receiver)); });
    const auto list = lists->find(id);
    // One that was added within the last second may have none yet.
    if (list == lists->end()) co_return http::Text(404, "not found\n");
    co_return Found(list->second);
  }
};

}  // namespace

http::Handler NewHttpEndpoint(const Issuers& issuers, CrlPublisher& crl, OcspResponder& ocsp,
                              const Clock& clock) {
  return [endpoint = Endpoint{issuers, crl, ocsp, clock}](const http::Request& request) {
    return endpoint.Answer(request);
  };
}

}  // namespace devicetrust::ca
