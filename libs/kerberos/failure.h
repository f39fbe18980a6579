// Why a Kerberos exchange failed, as a value beside the status code.
#pragma once

#include <string_view>

#include "devicetrust/reason/v1/reason.pb.h"
#include "libs/base/status.h"

namespace devicetrust::kerberos {

enum class Failure {
  kNone,             // The status is OK or not from this library.
  kClockSkew,        // kFailedPrecondition: the clocks differ by more than 5 minutes.
  kTicketExpired,    // kUnauthenticated.
  kTicketInvalid,    // kUnauthenticated: wrong key, damaged, of another service, no PAC.
  kReplayed,         // kUnauthenticated: this very token was accepted before.
  kNotBound,         // kUnauthenticated: no, or other, channel bindings.
  kWrongPassword,    // kUnauthenticated: wrong password or key.
  kAccountRevoked,   // kPermissionDenied: the account is disabled or locked.
  kAccountExpired,   // kPermissionDenied.
  kNotPermitted,     // kPermissionDenied: the KDC's policy, which does not say more: logon hours or
                     // workstations; Samba's also of a disabled account.
  kPasswordExpired,  // kPermissionDenied: expired, or must be changed first.
  kUnknownAccount,   // kNotFound: no such account in its realm.
  kUnknownService,   // kNotFound: no such service principal in its realm.
  kUntrustedRealm,   // kPermissionDenied: another forest.
  kUnreachable,      // kUnavailable: no KDC answers.
  kMalformed,        // kInvalidArgument: not a SPNEGO token of Kerberos, or a bad name.
  kMisconfigured,    // kFailedPrecondition: keytab, configuration.
};

// "CLOCK_SKEW" and so on, for logs.
std::string_view Name(Failure failure);

Failure FailureOf(const absl::Status& status);

// Whose ticket is asked for or shown.
enum class Holder { kUser, kComputer };

// What people and the System Log are told: the same failure is another reason of a user than of a
// computer. REASON_INTERNAL_ERROR for what is no caller's business.
reason::v1::Reason ReasonOf(Failure failure, Holder holder);

// A status of the failure's code that FailureOf() recognises.
absl::Status MakeFailure(Failure failure, std::string_view message);

}  // namespace devicetrust::kerberos
