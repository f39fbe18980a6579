// Reads Kerberos tickets with the key of this org host, which is here and nowhere else: the org
// hears of a ticket only what it said.
#pragma once

#include <memory>
#include <string>

#include "libs/base/status.h"
#include "simulator/gateway/sso/ticket_sign_in.h"

namespace devicetrust::gateway {

struct TicketKeys {
  std::string keytab;        // Keys of HTTP/HOST; of other names in it none is taken.
  std::string replay_cache;  // Where it is kept which tickets were shown (kerberos::Acceptor).
  std::string host;          // As browsers name it: "sso.example.com".
};

// A ticket must be a user's own, for this host, seen for the first time; where the browser binds it
// to the TLS connection, to one that shows the certificate that we have shown (RFC 5929).
// kFailedPrecondition: as of kerberos::Acceptor::Create().
absl::StatusOr<std::unique_ptr<TicketCheck>> NewTicketCheck(const TicketKeys& keys);

}  // namespace devicetrust::gateway
