// One Kerberos exchange with an IWA: what device task and user task have in common.
#pragma once

#include <string>
#include <vector>

#include "agent/computer.h"
#include "agent/services.h"

namespace devicetrust::agent {

// The IWAs that serve the domain, as the org lists them. REASON_UNTRUSTED_FOREST: none does.
absl::StatusOr<std::vector<const IwaEntry*>> IwasFor(const Discovery& discovery,
                                                     const std::string& domain);

struct Proof {
  Account account = Account::kComputer;
  std::string key_thumbprint;     // The token is good for this key.
  std::string device_token = {};  // Of the user's proof.
};

// Both sides proved, good for this request alone. `detail`, unless null, gets lines for people:
// tickets, claims. Errors: those of Computer::Negotiate() with reason and remedy, those of the
// service; kUnauthenticated REASON_TICKET_INVALID when somebody else answered.
absl::StatusOr<TokenAnswer> Prove(Computer& computer, Services& services,
                                  const Discovery& discovery, const IwaEntry& iwa,
                                  const Proof& proof, std::string* detail);

// The payload of a compact JWS, for people to read; nothing is decided by it.
std::string ClaimsForPeople(const std::string& token);

}  // namespace devicetrust::agent
