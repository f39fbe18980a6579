// Absolute http and https URLs (RFC 3986; RFC 9110, section 4.2).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "libs/base/status.h"

namespace devicetrust::http {

struct Url {
  bool https = true;
  std::string host;  // As written: a name, an IPv4 address, or an IPv6 address in brackets.
  std::uint16_t port = 443;
  std::string target;           // Path and query, "/" when the URL has none. No fragment.
  std::string Origin() const;   // "https://host:port", the port only when not the scheme's.
  std::string Address() const;  // "host:port".
  // The reader's own computer: localhost, a name below it, 127.0.0.1 or [::1].
  bool IsLoopback() const;
};

// Absolute http(s) URLs without user information. kInvalidArgument otherwise: also for a host
// of empty labels or other characters than letters, digits, "-" and "_", and for port 0.
absl::StatusOr<Url> ParseUrl(std::string_view text);

}  // namespace devicetrust::http
