// What one Negotiate exchange with an IWA is good for (devicetrust/iwa/v1/iwa.proto): a captured
// ticket must certify nothing but the request it was made for.
#pragma once

#include <string_view>

#include "libs/base/bytes.h"

namespace devicetrust::token {

// The request that the exchange is bound to. Both sides hold all of it before the exchange.
struct BoundRequest {
  std::string_view method;          // "IssueDeviceToken" or "IssueUserToken".
  std::string_view iwa;             // The IWA's name, e.g. "iwa-1".
  std::string_view key_thumbprint;  // RFC 7638, base64url, of the key to be certified.
  std::string_view device_token;    // Compact JWS; empty for IssueDeviceToken.
};

// The channel bindings of the exchange: SHA-256 over method, IWA name, key thumbprint and SHA-256
// of the device token (empty when there is none), each preceded by its length in 4 bytes,
// big-endian.
Bytes BindingsOf(const BoundRequest& request);

}  // namespace devicetrust::token
