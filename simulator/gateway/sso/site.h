// The names under which browsers know this gateway, and whether a request is for them. Uses
// libs/http alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/http/message.h"
#include "libs/http/server.h"

namespace devicetrust::gateway {

// An image that stands for the organization on its pages.
struct SiteMark {
  std::string type;   // "image/png", "image/svg+xml"
  std::string bytes;  // Empty: pages show the first letter of the organization's name.
};
inline constexpr std::string_view kMarkPath = "/mark";  // Of the org host.

// Constant after start. Host names are lower case.
struct Site {
  std::string org;                // "acme"
  std::string org_host;           // "org.localhost"
  std::string org_origin;         // "https://org.localhost:8443"
  std::string mtls_host;          // "mtls.localhost"
  std::uint16_t mtls_port = 443;  // As browsers see it.
  bool fresh_names = true;        // Each challenge at a name of its own below mtls_host.
  std::string org_name = org;     // As people call the organization: "Acme". Not empty.
  SiteMark mark = {};
  // Mail services that ask for tokens with a name and a password of their clients, and say whose
  // (wsfed/active_endpoint.h).
  http::Networks mail_hosts = {};
  std::vector<std::string> mtls_also = {};  // Served like mtls_host.

  std::string MtlsOrigin(std::string_view host) const;
  // An origin for one challenge: below mtls_host with a name nobody used before, or there.
  absl::StatusOr<std::string> ChallengeOrigin(Random& random) const;
  // For the form-action of a page whose form may end in a challenge.
  std::string MtlsFormSource() const;
  bool IsMtlsHost(std::string_view host) const;
};

// A request is ours when the TLS handshake and the Host field name the same host of this
// listener: otherwise 421 (RFC 9110, section 15.5.20). A connection made for one name, with
// that name's rules for certificates, is not good for another (CVE-2022-23632 and kin).
bool NamesAgree(const http::Request& request);
http::Response Misdirected();

// Whether a form was sent by a page of the org host: what the browser says of its origin, if it
// says anything. Programs that are no browsers send neither field, and have no cookies to steal.
bool IsSameOrigin(const Site& site, const http::Request& request);

// Apps open sign-ins in popups and watch for popup.closed. Any answer on the way, a redirect
// too, that asks for an opener policy of its own cuts the popup from its app (HTML, section
// 7.1.3), so both hosts ask for none.
http::Response WithOpener(http::Response response);

}  // namespace devicetrust::gateway
