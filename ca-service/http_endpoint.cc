#include "ca-service/http_endpoint.h"

#include <fmt/format.h>

#include <algorithm>
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

// One number is one list, and from list to list thisUpdate grows by whole seconds: both tell
// whether a client has it already.
http::Response Found(std::shared_ptr<const StoredCrl> list, const http::Request& request,
                     WallTime now) {
  http::Response response;
  const std::int64_t left = list->next_update - UnixSeconds(now);
  const std::int64_t max_age = std::clamp<std::int64_t>(left, 0, list->max_age.count());
  response.fields.Set("Cache-Control", fmt::format("public, max-age={}, no-transform, "
                                                   "must-revalidate",
                                                   max_age));
  const std::string etag = fmt::format("\"{}\"", list->number);
  const std::string modified = http::HttpDate(AtUnixSeconds(list->this_update));
  response.fields.Set("ETag", etag);
  response.fields.Set("Last-Modified", modified);
  // If-None-Match overrules the other (RFC 9110, section 13.2.2), which counts when it is the date
  // that was given here: by any other, such as that of the client's clock, a list that lies five
  // minutes back would never be new.
  const bool known = request.fields.Find("if-none-match")
                         ? request.Has(etag)
                         : request.fields.Find("if-modified-since") == modified;
  if (known) {
    response.status = 304;
    return response;
  }
  response.fields.Set("Content-Type", "application/pkix-crl");
  const std::string_view octets(reinterpret_cast<const char*>(list->der.data()), list->der.size());
  response.shared_body = {std::move(list), octets};
  return response;
}

// The id in "/crl/ID.crl" when it is a root's, an issuer's, or begins with an issuer's: a part or a
// delta, which there may be. Else empty.
std::string ListNamedBy(std::string_view path, const IssuerSet& issuers) {
  constexpr std::string_view kBegin = "/crl/";
  constexpr std::string_view kEnd = ".crl";
  if (!path.starts_with(kBegin) || !path.ends_with(kEnd)) return {};
  if (path.size() <= kBegin.size() + kEnd.size()) return {};
  const std::string id(path.substr(kBegin.size(), path.size() - kBegin.size() - kEnd.size()));
  for (const auto& issuer : issuers.all) {
    if (id == issuer->root_id() || id == issuer->id() || id.starts_with(issuer->id() + "-")) {
      return id;
    }
  }
  return {};
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
    for (const auto& issuer : set->all) {
      if (request.path == issuer->CertificatePath()) {
        co_return Found(issuer->certificate());
      }
    }
    const std::string id = ListNamedBy(request.path, *set);
    if (id.empty()) co_return http::Text(404, "not found\n");
    const auto lists = co_await AwaitCallback<std::shared_ptr<const CrlSet>>(
        [this](CrlPublisher::Receiver receiver) { crl.WhenUpToDate(std::move(receiver)); });
    const auto list = lists->find(id);
    // One that was added within the last second may have none yet.
    if (list == lists->end()) co_return http::Text(404, "not found\n");
    co_return Found(list->second, request, clock.Now());
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
