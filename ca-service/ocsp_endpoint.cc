#include "ca-service/ocsp_endpoint.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "ca-service/issuer.h"
#include "ca-service/metrics.h"
#include "libs/base/encoding.h"

namespace devicetrust::ca {
namespace {

constexpr std::string_view kOcspRoot = kOcspPath;

http::Response OcspResponse() {
  http::Response response;
  response.fields.Set("Content-Type", "application/ocsp-response");
  return response;
}

// The DER in the request; empty when there is none.
Bytes AskedBy(const http::Request& request) {
  if (request.method == "POST") {
    const auto octets = AsBytes(request.body);
    return {octets.begin(), octets.end()};
  }
  // Joined to the URL by one slash or, when the URL ends with one itself, by two.
  std::string_view encoded = std::string_view(request.path).substr(kOcspRoot.size());
  while (encoded.starts_with('/')) encoded.remove_prefix(1);
  return Base64Decode(encoded).value_or(Bytes());
}

http::Response Found(OcspResponder::Reply reply, const http::Request& request, WallTime now) {
  http::Response response = OcspResponse();
  if (request.method != "POST" && !reply->etag.empty()) {
    response.fields.Set(
        "Cache-Control",
        fmt::format("public, max-age={}, no-transform, must-revalidate", kOcspCacheAge.count()));
    response.fields.Set("ETag", reply->etag);
    response.fields.Set("Last-Modified", http::HttpDate(reply->produced_at));
    response.fields.Set("Expires", http::HttpDate(now + kOcspCacheAge));
    if (request.Has(reply->etag)) {
      response.status = 304;
      response.fields.Remove("Content-Type");
      return response;
    }
  }
  const std::string_view octets(reinterpret_cast<const char*>(reply->der.data()),
                                reply->der.size());
  response.shared_body = {std::move(reply), octets};
  return response;
}

}  // namespace

bool IsOcspPath(std::string_view path) {
  return path.starts_with(kOcspRoot) &&
         (path.size() == kOcspRoot.size() || path[kOcspRoot.size()] == '/');
}

Task<http::Response> AnswerOcsp(OcspResponder& responder, const Clock& clock,
                                const http::Request& request) {
  auto asked = pki::OcspRequest::Parse(AskedBy(request));
  if (!asked.ok()) {
    kOcspAnswers.With({"malformed", "none"}).Add();
    http::Response refused = OcspResponse();
    refused.body = ToString(pki::OcspErrorResponse(pki::OcspError::kMalformedRequest));
    co_return refused;
  }
  if (OcspResponder::Reply kept = responder.Kept(*asked)) {
    co_return Found(std::move(kept), request, clock.Now());
  }
  OcspResponder::Reply made =
      co_await AwaitCallback<OcspResponder::Reply>([&](OcspResponder::Receiver receiver) {
        responder.Answer(*std::move(asked), std::move(receiver));
      });
  co_return Found(std::move(made), request, clock.Now());
}

}  // namespace devicetrust::ca
