// WS-Trust as mail clients with basic authentication use it by way of a mail host
// ("usernamemixed"): a name and a password in a SOAP 1.2 envelope over TLS, and a token in the
// answer.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/wsfed/request.h"

namespace devicetrust::wsfed {

inline constexpr std::size_t kEnvelopeBytesMax = 64 * 1024;

// Either version of WS-Trust: February 2005 or 1.3.
struct TokenRequest {
  std::string_view trust_ns;  // kTrust2005Ns or kTrust13Ns.
  std::string message_id;     // wsa:MessageID; empty: it has none.
  std::string user_name;
  std::string password;
  std::string realm;                                                // Whom the token is for.
  std::optional<org::v1::WsFedRelyingParty::TokenType> token_type;  // Asked for.
};

// How far the message's time stamp may be from our clock.
inline constexpr std::chrono::minutes kEnvelopeSkewMax{5};

// Reads an Issue request. WSFED_REQUEST_MALFORMED: no SOAP 1.2 envelope with one UsernameToken
// (whose password is text) and one RequestSecurityToken for a bearer token, a time stamp that is
// over, or of the future, a header that must be understood and is not.
absl::StatusOr<TokenRequest> ParseTokenRequest(std::string_view envelope, WallTime now);

// The envelope with `response` (BuildTokenResponse() of the request's version).
std::string BuildTokenEnvelope(const TokenRequest& request, std::string_view response);

// Why there is no token, as SOAP says it.
enum class Fault {
  kInvalidRequest,        // The sender's.
  kFailedAuthentication,  // Name or password are wrong, or the account can't sign in.
  kRequestFailed,         // The rules refuse it.
  kUnavailable,           // Ours; try again.
};
// `text`: for whoever reads the client's log. HTTP says 400 with the first three, 503 with the
// last.
std::string BuildFault(Fault fault, std::string_view text);

}  // namespace devicetrust::wsfed
