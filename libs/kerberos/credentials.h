// The client's side of Negotiate: a ticket-granting ticket and what is made from it. All in
// memory; a credential cache or a keytab of the machine is read where a call names it, and never
// written.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/bytes.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/kerberos/bindings.h"
#include "libs/kerberos/failure.h"

namespace devicetrust::kerberos {

// A long-term key (RFC 3961).
struct Key {
  int enctype = 0;  // 18 aes256-cts-hmac-sha1-96, 17 aes128-cts-hmac-sha1-96.
  std::uint32_t kvno = 1;
  Bytes bytes;
};

struct Ticket {
  std::string service;  // "krbtgt/CORP.TEST@CORP.TEST".
  int enctype = 0;      // Of the session key.
  WallTime valid_from, valid_until;
};

// One principal's tickets. Movable; used by one thread at a time.
class Credentials {
 public:
  // Asks the KDC for a ticket-granting ticket of `principal` ("PC0042$@CORP.TEST"): one round
  // trip with a key, two with a password. KRB5_CONFIG must be set (environment.h).
  //
  // Errors, with FailureOf(): kNotFound kUnknownAccount; kUnauthenticated kWrongPassword;
  // kPermissionDenied kAccountRevoked, kAccountExpired, kPasswordExpired, kNotPermitted;
  // kFailedPrecondition kClockSkew; kUnavailable kUnreachable; kInvalidArgument a bad name.
  //
  // With a `service` the first ticket is for that one instead ("HTTP/iwa.corp.test", of the
  // principal's realm; RFC 4120 3.1 lets the first exchange ask for any): one exchange with the
  // KDC where two are usual, for a process that logs on thousands. Other services are then out
  // of reach.
  static absl::StatusOr<Credentials> FromKey(const std::string& principal, const Key& key,
                                             const std::string& service = {});
  static absl::StatusOr<Credentials> FromPassword(const std::string& principal,
                                                  const std::string& password);
  // With the keys of `principal` in a keytab file of the machine. Errors as FromKey(), and
  // kUnknownAccount when the file has none of it, or cannot be read.
  static absl::StatusOr<Credentials> FromKeytab(const std::string& path,
                                                const std::string& principal);
  // A copy of the tickets in a credential cache, as kinit or a logon left them. kTicketExpired:
  // there is no such cache, or nothing in it.
  static absl::StatusOr<Credentials> FromCache(const std::string& name);
  Credentials(Credentials&&) noexcept;
  Credentials& operator=(Credentials&&) noexcept;
  ~Credentials();

  const std::string& principal() const;
  std::vector<Ticket> tickets() const;  // The ticket-granting one, then those of services used.

 private:
  friend class Initiator;
  struct State;
  explicit Credentials(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The computer that a keytab is for: the first principal in it that ends in '$', with its realm.
// kUnknownAccount: there is none, or the file cannot be read.
absl::StatusOr<std::string> ComputerOf(const std::string& keytab);

// The account of this machine that krb5.conf takes `principal` for (auth_to_local; without a rule
// the first part of a principal of the default realm).
std::optional<std::string> AccountOf(const std::string& principal);

// Whose tickets are in a cache. kTicketExpired: as Credentials::FromCache().
absl::StatusOr<std::string> PrincipalOfCache(const std::string& name);

// One exchange with one service.
class Initiator {
 public:
  // Gets a ticket for `service` ("HTTP/iwa.corp.test", in the principal's realm unless one is
  // named) and makes the token to send. Asks for mutual authentication.
  //
  // Errors, with FailureOf(): kNotFound kUnknownService; kUnavailable kUnreachable;
  // kPermissionDenied kAccountRevoked, kAccountExpired, kNotPermitted (since the ticket-granting
  // ticket), kUntrustedRealm;
  // kFailedPrecondition kClockSkew; kUnauthenticated kTicketExpired.
  static absl::StatusOr<Initiator> Start(const Credentials& credentials, std::string_view service,
                                         const Bindings& bindings);
  Initiator(Initiator&&) noexcept;
  Initiator& operator=(Initiator&&) noexcept;
  ~Initiator();

  const Bytes& token() const;  // NegTokenInit.

  // Checks the service's reply: proves that it holds the key of `service`, and so that the
  // answer came from no one in between. kUnauthenticated otherwise. Once.
  absl::Status Finish(std::span<const std::uint8_t> reply);

 private:
  struct State;
  explicit Initiator(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace devicetrust::kerberos
