#include "iwa/refusals.h"

#include <fmt/format.h>

#include <chrono>

#include "libs/base/log_sparsely.h"
#include "libs/kerberos/failure.h"
#include "libs/rpc/error.h"

namespace devicetrust::iwa {
namespace {

using absl::StatusCode;
using kerberos::Failure;

constexpr std::chrono::seconds kRetryAfter{5};

std::string TextOf(const absl::Status& status) { return std::string(status.message()); }

}  // namespace

absl::Status TicketRefusal(const absl::Status& failure) {
  const Failure why = kerberos::FailureOf(failure);
  const auto refuse = [&](StatusCode code, std::string remedy) {
    // Whose ticket it was, nobody knows: none of these is another reason of a computer.
    return rpc::MakeError(code, kerberos::ReasonOf(why, kerberos::Holder::kUser), TextOf(failure),
                          {}, std::move(remedy));
  };
  switch (why) {
    case Failure::kClockSkew:
      return refuse(
          StatusCode::kUnauthenticated,
          "Set the computer's clock from the domain: w32tm /resync, or chronyc makestep.");
    case Failure::kTicketExpired:
      return refuse(StatusCode::kUnauthenticated,
                    "Lock and unlock the computer, or run kinit, for a new ticket.");
    case Failure::kTicketInvalid:
      return refuse(
          StatusCode::kUnauthenticated,
          "Run klist purge and try again; if it stays, export the service's keytab anew.");
    case Failure::kReplayed:
      return refuse(StatusCode::kUnauthenticated, "Make a new Negotiate exchange for each call.");
    case Failure::kNotBound:
      return refuse(StatusCode::kUnauthenticated,
                    "Update the agent: the exchange must be bound to this very request.");
    case Failure::kMalformed:
      return refuse(StatusCode::kInvalidArgument,
                    "Use Kerberos: the computer must reach a domain controller and know the IWA's "
                    "service principal; NTLM is not accepted.");
    case Failure::kMisconfigured:  // Its text names files of ours.
      LogSparsely(LogLevel::kError, "iwa.kerberos.fault", {}, {{"error", TextOf(failure)}});
      return rpc::MakeError(StatusCode::kUnavailable, reason::v1::REASON_STORE_UNAVAILABLE,
                            "the IWA can't check tickets now", {},
                            "Try again; if it stays, look for iwa.kerberos.fault in its log.",
                            kRetryAfter);
    default:
      LogSparsely(LogLevel::kError, "iwa.kerberos.fault", {}, {{"error", TextOf(failure)}});
      return rpc::MakeError(StatusCode::kInternal, reason::v1::REASON_INTERNAL_ERROR,
                            TextOf(failure));
  }
}

absl::Status DirectoryRefusal(const absl::Status& failure) {
  LogSparsely(LogLevel::kWarning, "iwa.directory.fault", {}, {{"error", failure.ToString()}});
  if (failure.code() == StatusCode::kInternal) return failure;
  return rpc::MakeError(
      StatusCode::kUnavailable, reason::v1::REASON_DOMAIN_CONTROLLER_UNREACHABLE,
      "the directory does not answer", {},
      "Try again; if it stays, check the URL of its --directory and the service account.",
      kRetryAfter);
}

absl::Status TokenRefusal(const absl::Status& failure) {
  return rpc::MakeError(failure.code(), rpc::ReasonOf(failure), TextOf(failure), {},
                        "Get a new device token from this IWA, then try again.");
}

}  // namespace devicetrust::iwa
