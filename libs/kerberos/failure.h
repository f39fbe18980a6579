// Why a Kerberos exchange failed, as a value beside the status code.
#pragma once

#include <string_view>

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
  kPasswordExpired,  // kPermissionDenied: expired, or must be changed first.
  kUnknownAccount,   // kNotFound: no such account in its realm.
  kUnknownService,   // kNotFound: no such service principal in its realm.
  kUntrustedRealm,   // kPermissionDenied: another forest, or the KDC's policy refuses.
  kUnreachable,      // kUnavailable: no KDC answers.
  kMalformed,        // kInvalidArgument: not a SPNEGO token of Kerberos, or a bad name.
  kMisconfigured,    // kFailedPrecondition: keytab, configuration.
};

// "CLOCK_SKEW" and so on, for logs.
std::string_view Name(Failure failure);

Failure FailureOf(const absl::Status& status);

// A status of the failure's code that FailureOf() recognises.
absl::Status MakeFailure(Failure failure, std::string_view message);

}  // namespace devicetrust::kerberos
