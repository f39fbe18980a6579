#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "iwa/forest_trusts.h"
#include "iwa/issued_tokens.h"
#include "iwa/signing_keys.h"
#include "iwa/ticket_acceptor.h"
#include "libs/base/call_limiter.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/directory/registry.h"
#include "libs/token/bound_request.h"
#include "libs/token/claims.h"

namespace devicetrust::iwa {

struct IssuerConfig {
  std::string org;
  std::string name;  // Of this IWA.
  std::size_t account_calls_per_minute = 60;
};

struct IssuedToken {
  std::string token;  // Compact JWS.
  Bytes reply;        // NegTokenResp.
  WallTime expires_at;
  std::string subject;  // For the log: PC0042$@CORP.TEST.
};

// Whom a ticket names, and whether that account could enroll here at the moment.
struct TicketReport {
  kerberos::Identity identity;
  std::string principal;    // As the directory names the account, where it knows it.
  absl::Status may_enroll;  // What it would be refused for.
};

inline constexpr std::size_t kThumbprintChars = 43;

// Proof of domain membership: turns a Kerberos exchange that is bound to the request, and
// what the directory says of the account at that moment, into a signed token (IWA-2,
// IWA-3). Thread-safe; blocks on the directory.
//
// The realms of the registry's domains are served, others are an untrusted forest's, whoever
// vouches for them; of those, whichever the KDC of the ticket may speak for. Who it is, the SID of
// the PAC says, which is one of the realm's domain: the ticket's client name is what somebody typed
// (a UPN, an alias, any case; RFC 6806). Names that go into tokens and logs are the directory's, of
// the account with that SID, which must be enabled, not expired and not locked now. Whether it is a
// computer follows from the PAC's account control and the directory, never from a trailing '$'.
class TokenIssuer {
 public:
  // The references outlive the issuer. Device tokens are good by whichever of `keys` signed them.
  TokenIssuer(IssuerConfig config, const SigningKeys& keys, TicketAcceptor& tickets,
              const directory::Registry& domains, const ForestTrusts& trusts, const Clock& clock,
              Random& random);

  // The errors are listed in devicetrust/iwa/v1/iwa.proto.
  absl::StatusOr<IssuedToken> IssueDeviceToken(std::span<const std::uint8_t> spnego,
                                               std::string_view key_thumbprint);
  absl::StatusOr<IssuedToken> IssueUserToken(std::span<const std::uint8_t> spnego,
                                             std::string_view key_thumbprint,
                                             std::string_view device_token);

  // Judges the account of a ticket that was accepted elsewhere as the others would. Issues nothing.
  TicketReport Examine(const kerberos::Identity& identity);

 private:
  // Who has the ticket, and that its realm and PAC are of one domain that is served.
  absl::StatusOr<kerberos::Accepted> Authenticate(std::span<const std::uint8_t> spnego,
                                                  const token::BoundRequest& request);
  // What of an identity the directory is not needed for.
  absl::Status CheckIdentity(const kerberos::Identity& identity, CallLimiter& limiter);
  absl::StatusOr<token::DeviceToken> CheckDeviceToken(std::string_view device_token,
                                                      std::string_view key_thumbprint) const;
  absl::StatusOr<directory::Computer> CheckComputer(const kerberos::Identity& identity);
  absl::StatusOr<directory::User> CheckUser(const kerberos::Identity& identity);
  absl::StatusOr<token::Envelope> NewEnvelope(std::string audience, std::chrono::seconds lifetime);

  const IssuerConfig config_;
  const std::string urn_;
  const SigningKeys& keys_;
  CallLimiter limiter_;       // By account SID.
  CallLimiter examinations_;  // The same of Examine(), which a page can make a browser call.
  IssuedTokens issued_;
  TicketAcceptor& tickets_;
  const directory::Registry& domains_;
  const ForestTrusts& trusts_;
  const Clock& clock_;
  Random& random_;
};

}  // namespace devicetrust::iwa
