// The server's side of Negotiate: one SPNEGO leg in, one out, and who it was.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "libs/base/bytes.h"
#include "libs/base/status.h"
#include "libs/kerberos/bindings.h"
#include "libs/kerberos/failure.h"

namespace devicetrust::kerberos {

// What the ticket and its PAC, whose signature was checked, say of the caller (MS-PAC 2.5). Who it
// is, `account_sid` says; the names are what the client called itself at the logon (RFC 6806): of
// any case, an alias, a UPN with its '@' escaped.
struct Identity {
  std::string principal;  // "PC0042$@CORP.TEST".
  std::string name;       // "PC0042$".
  std::string realm;      // "CORP.TEST".
  // Of the key that opened the ticket: whose KDC made it, and so vouches for all of this.
  std::string service_realm;
  std::string account_sid;  // "S-1-5-21-…-1104".
  std::string domain_sid;   // Of the account's domain: to be compared with what the realm's is.
  std::vector<std::string> group_sids;  // Primary group first; extra and resource groups too.
  std::uint32_t user_account_control =
      0;  // MS-SAMR 2.2.1.12 bits (0x80 workstation, 0x1 disabled).
  // By the PAC's user account control; a trailing '$' proves nothing.
  bool is_computer = false;
};

struct Accepted {
  Identity identity;
  Bytes reply;  // NegTokenResp for the caller: completes mutual authentication.
};

struct AcceptorConfig {
  std::string keytab;  // Path of the keytab with the service's keys; read again when it changes.
  std::string replay_cache;  // Path of this server's own replay caches: ".0" to ".f" are added.
  std::chrono::milliseconds keytab_looked_at_every{500};
  // Whom tickets are for, "HTTP/sso.example.com" in whichever realm: of the keytab's keys no others
  // are taken. Empty: all are. (A ticket does not say by whose name it was asked for in a way that
  // could not be changed: what an account's other names get, its key opens, too.)
  std::string service = {};
  // kRequired: the ticket is bound to the request. kWhenGiven: to be bound is up to the client, as
  // with browsers (RFC 5929), but then to nothing else.
  enum class Binding { kRequired, kWhenGiven };
  Binding binding = Binding::kRequired;
  // Not of somebody who was given the person's tickets, or asks in the person's name: tickets that
  // were forwarded or are a proxy's (RFC 4120, sections 2.5, 2.6), or came by delegation (MS-PAC,
  // section 2.9).
  bool refuse_delegated = false;
};

inline constexpr std::size_t kSpnegoBytesMax = 48 * 1024;

class Acceptor {
 public:
  // KRB5_CONFIG must be set for the process (see environment.h).
  // Errors: kFailedPrecondition the keytab is unreadable or empty, the replay cache has no
  // folder, or KRB5_CONFIG is not set.
  static absl::StatusOr<std::unique_ptr<Acceptor>> Create(const AcceptorConfig& config);
  ~Acceptor();

  // Accepts one NegTokenInit that is bound to `bindings`, as the configuration wants it.
  // Thread-safe; about 150 us, no network.
  //
  // Errors, with FailureOf(): kInvalidArgument kMalformed (also NTLM, or a longer exchange);
  // kFailedPrecondition kClockSkew, kMisconfigured; kUnauthenticated kTicketExpired,
  // kTicketInvalid (also a delegated one), kReplayed, kNotBound.
  absl::StatusOr<Accepted> Accept(std::span<const std::uint8_t> token,
                                  const Bindings& bindings) const;

 private:
  struct Pool;
  explicit Acceptor(std::unique_ptr<Pool> pool);
  std::unique_ptr<Pool> pool_;
};

}  // namespace devicetrust::kerberos
