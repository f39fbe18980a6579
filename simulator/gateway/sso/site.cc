#include "simulator/gateway/sso/site.h"

#include <fmt/format.h>

#include <algorithm>

#include "libs/base/encoding.h"
#include "libs/base/random_id.h"

namespace devicetrust::gateway {

std::string Site::MtlsOrigin(std::string_view host) const {
  return mtls_port == 443 ? fmt::format("https://{}", host)
                          : fmt::format("https://{}:{}", host, mtls_port);
}

absl::StatusOr<std::string> Site::ChallengeOrigin(Random& random) const {
  if (!fresh_names) return MtlsOrigin(mtls_host);
  DT_ASSIGN_OR_RETURN(const std::string label, NewRandomHex(10, random));
  return MtlsOrigin(fmt::format("{}.{}", label, mtls_host));
}

std::string Site::MtlsFormSource() const {
  return MtlsOrigin(fresh_names ? "*." + mtls_host : mtls_host);
}

bool Site::IsMtlsHost(std::string_view host) const {
  const auto is = [&](std::string_view name) {
    if (host == name) return true;
    // One label: that is all a wildcard certificate covers.
    const std::size_t dot = host.find('.');
    return fresh_names && dot != std::string_view::npos && host.substr(dot + 1) == name;
  };
  return is(mtls_host) || std::ranges::any_of(mtls_also, is);
}

bool NamesAgree(const http::Request& request) {
  return request.connection.tls && request.connection.server_name == request.host;
}

http::Response Misdirected() {
  http::Response response =
      http::Text(421, "This host is not served on this connection. Open a new one.\n");
  response.close = true;
  return response;
}

bool IsSameOrigin(const Site& site, const http::Request& request) {
  const std::optional<std::string_view> origin = request.fields.Find("origin");
  if (origin && *origin != site.org_origin) return false;
  const std::optional<std::string_view> fetch_site = request.fields.Find("sec-fetch-site");
  return !fetch_site || *fetch_site == "same-origin";
}

http::Response WithOpener(http::Response response) {
  response.fields.Set("cross-origin-opener-policy", "unsafe-none");
  return response;
}

}  // namespace devicetrust::gateway
