// Signing in with the Kerberos ticket that a computer of the domain has for its user (Negotiate,
// RFC 4559). Uses libs/http alone; tickets/ticket_acceptor.h reads tickets.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "libs/base/status.h"
#include "libs/http/message.h"
#include "libs/http/server.h"

namespace devicetrust::gateway {

// Whom a ticket names, whose signatures were checked; the org says what that is worth.
struct TicketHolder {
  std::string account_sid;
  std::string realm;
  std::string service_realm;  // Of the key that opened it.
  std::string reply;  // Base64: proves to the browser that we are the service it meant.
};

// Thread-safe.
class TicketCheck {
 public:
  virtual ~TicketCheck() = default;
  // `token`: base64, as the browser sent it over `connection`. Any error: no ticket, or one that
  // is not good here; the message is for the log.
  virtual absl::StatusOr<TicketHolder> Check(std::string_view token,
                                             const http::Connection& connection) const = 0;
};

struct TicketSignIn {
  std::unique_ptr<TicketCheck> check;
  // Whose browsers are asked for a ticket; elsewhere some would ask their person for a password in
  // a window of their own. Empty: everybody's.
  http::Networks networks;
};

}  // namespace devicetrust::gateway
