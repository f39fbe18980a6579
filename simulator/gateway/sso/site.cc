#include "simulator/gateway/sso/site.h"

#include <fmt/format.h>

#include <array>

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
  if (host == mtls_host) return true;
  const std::string suffix = "." + mtls_host;
  // One label: that is all a wildcard certificate covers.
  return fresh_names && host.ends_with(suffix) &&
         host.substr(0, host.size() - suffix.size()).find('.') == std::string_view::npos;
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
