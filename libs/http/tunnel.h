// What a proxy answers to CONNECT (RFC 9110, section 9.3.6).
#pragma once

#include <cstddef>
#include <string_view>

#include "libs/base/status.h"

namespace devicetrust::http {

inline constexpr std::size_t kTunnelAnswerMax = 8 * 1024;

// Of an answer's head, from its first octet to the empty line. OK: what follows is the server's.
// The message has the proxy's status line, printable.
//
// Errors:
//   kPermissionDenied  the proxy refuses, and will again: 407, whose message names the remedy, and
//                      every other 4xx that is not about the moment.
//   kUnavailable       another time may do: 408, 425, 429, 5xx, answers that are none to CONNECT
//                      (1xx, 3xx), and what is not HTTP/1 or has no end.
absl::Status CheckTunnelAnswer(std::string_view head);

}  // namespace devicetrust::http
