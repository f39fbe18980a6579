#include "ca-service/http_face.h"

#include <fmt/format.h>

#include <utility>

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
  const CrlPublisher& crl;
  std::string crl_path;
  std::string issuer_path;

  http::Response Answer(const http::Request& request) const {
    if (request.method == "POST") {
      http::Response refused = http::Text(405, "only GET is served here\n");
      refused.fields.Set("Allow", "GET, HEAD");
      return refused;
    }
    if (!request.query.empty()) return http::Text(404, "not found\n");
    if (request.path == crl_path) return Found("application/pkix-crl", crl.Current()->der);
    if (request.path == issuer_path) return Found("application/pkix-cert", ca.issuing().der());
    if (request.path == kRootPath) return Found("application/pkix-cert", ca.root().der());
    return http::Text(404, "not found\n");
  }
};

Task<http::Response> Answer(const Face& face, const http::Request& request) {
  co_return face.Answer(request);
}

}  // namespace

std::string CrlPath(const IssuingCa& ca) { return fmt::format("/crl/{}.crl", ca.key_id()); }
std::string IssuerPath(const IssuingCa& ca) { return fmt::format("/ca/{}.crt", ca.key_id()); }

http::Handler NewHttpFace(const IssuingCa& ca, const CrlPublisher& crl) {
  return [face = Face{ca, crl, CrlPath(ca), IssuerPath(ca)}](const http::Request& request) {
    return Answer(face, request);
  };
}

}  // namespace devicetrust::ca
