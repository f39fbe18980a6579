#include "agent/org_fetch.h"

#include <fmt/format.h>

#include "agent/install_options.h"
#include "libs/base/encoding.h"
#include "libs/base/run_task.h"
#include "libs/http/client.h"
#include "libs/rpc/error.h"

namespace devicetrust::agent {

absl::StatusOr<Discovery> FetchDiscovery(const std::string& org_url, const std::string& trust_pem,
                                         const Clock& clock, const std::string& http_proxy) {
  DT_ASSIGN_OR_RETURN(const http::Url url, http::ParseUrl(org_url));
  if (!url.https) {
    return absl::InvalidArgumentError("the org's URL must begin with https://: " + org_url);
  }
  pki::TlsClientConfig config;
  config.trusted = pki::CasFromPem(trust_pem);
  if (config.trusted.empty()) {
    return absl::InvalidArgumentError(
        "no CA can be read that the org's certificate may come from: install ca-certificates, or "
        "name a file of PEM certificates by TrustBundle");
  }
  config.clock = &clock;
  DT_ASSIGN_OR_RETURN(const pki::TlsContext tls, pki::TlsContext::ForClient(std::move(config)));

  http::ClientOptions options;
  options.address = url.Address();
  options.host = url.host;
  options.port = url.port == 443 ? std::uint16_t{0} : url.port;
  options.tls = &tls;
  options.parser.body_bytes_max = kDiscoveryBytesMax;
  if (!http_proxy.empty()) {
    DT_ASSIGN_OR_RETURN(const HttpProxy proxy, ParseHttpProxy(http_proxy));
    options.proxy = proxy.address;
    if (!proxy.user_and_password.empty()) {
      options.proxy_authorization = "Basic " + Base64Encode(AsBytes(proxy.user_and_password));
    }
  }
  http::ClientRequest request;
  request.target = std::string(kDiscoveryPath);

  DT_ASSIGN_OR_RETURN(const http::ParsedResponse answer,
                      RunTask(http::Fetch(std::move(options), std::move(request))));
  if (answer.status != 200) {
    return absl::UnavailableError(
        fmt::format("{} answered {} for {}", url.Origin(), answer.status, kDiscoveryPath));
  }
  return ParseDiscovery(answer.body);
}

}  // namespace devicetrust::agent
