#include "ca-service/http_face.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "libs/base/task.h"

namespace devicetrust::ca {
namespace {

http::Response Found(const char* type, std::span<const std::uint8_t> der) {
  http::Response response;
  response.fields.Set("Content-Type", type);
  response.body = ToString(der);
  return response;
}

struct Face {
  const IssuingCa& ca;
  CrlPublisher& crl;
  std::string crl_path;
  std::string issuer_path;

  Task<http::Response> Answer(const http::Request& request) const {
    if (request.method == "POST") {
      http::Response refused = http::Text(405, "only GET is served here\n");
      refused.fields.Set("Allow", "GET, HEAD");
      co_return refused;
    }
    if (!request.query.empty()) co_return http::Text(404, "not found\n");
    if (request.path == crl_path) {
      const auto list = co_await AwaitCallback<std::shared_ptr<const StoredCrl>>(
          [this](CrlPublisher::Receiver receiver) { crl.WhenUpToDate(std::move(receiver)); });
      co_return Found("application/pkix-crl", list->der);
    }
    if (request.path == issuer_path) co_return Found("application/pkix-cert", ca.issuing().der());
    if (request.path == kRootPath) co_return Found("application/pkix-cert", ca.root().der());
    co_return http::Text(404, "not found\n");
  }
};

}  // namespace

std::string CrlPath(const IssuingCa& ca) { return fmt::format("/crl/{}.crl", ca.key_id()); }
std::string IssuerPath(const IssuingCa& ca) { return fmt::format("/ca/{}.crt", ca.key_id()); }

http::Handler NewHttpFace(const IssuingCa& ca, CrlPublisher& crl) {
  return [face = Face{ca, crl, CrlPath(ca), IssuerPath(ca)}](const http::Request& request) {
    return face.Answer(request);
  };
}

}  // namespace devicetrust::ca
