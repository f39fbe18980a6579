#include "agent/remedies.h"

#include "libs/kerberos/failure.h"
#include "libs/rpc/error.h"

namespace devicetrust::agent {
namespace {

using namespace reason::v1;

Reason ReasonFor(kerberos::Failure failure, Account account) {
  const bool computer = account == Account::kComputer;
  switch (failure) {
    case kerberos::Failure::kClockSkew:
      return CLOCK_SKEW;
    case kerberos::Failure::kTicketExpired:
      return TICKET_EXPIRED;
    case kerberos::Failure::kReplayed:
      return TICKET_REPLAYED;
    case kerberos::Failure::kNotBound:
      return TICKET_NOT_BOUND;
    case kerberos::Failure::kTicketInvalid:
    case kerberos::Failure::kUnknownService:
    case kerberos::Failure::kMalformed:
      return TICKET_INVALID;
    case kerberos::Failure::kWrongPassword:
      return computer ? NOT_DOMAIN_JOINED : PASSWORD_WRONG;
    case kerberos::Failure::kAccountRevoked:
    case kerberos::Failure::kAccountExpired:
      return computer ? COMPUTER_DISABLED : USER_DISABLED;
    case kerberos::Failure::kPasswordExpired:
      return PASSWORD_EXPIRED;
    case kerberos::Failure::kUnknownAccount:
      return computer ? NOT_DOMAIN_JOINED : USER_NOT_IN_DOMAIN;
    case kerberos::Failure::kUntrustedRealm:
      return UNTRUSTED_FOREST;
    case kerberos::Failure::kUnreachable:
      return DOMAIN_CONTROLLER_UNREACHABLE;
    case kerberos::Failure::kNone:
    case kerberos::Failure::kMisconfigured:
      break;
  }
  return INTERNAL_ERROR;
}

}  // namespace

std::string_view RemedyFor(Reason reason) {
  switch (reason) {
    case NOT_DOMAIN_JOINED:
      return "Join the computer to the domain; the agent tries again within 24 h.";
    case COMPUTER_DISABLED:
      return "Enable the computer in Active Directory; the agent tries again within 24 h.";
    case USER_DISABLED:
    case ACCOUNT_LOCKED:
      return "Enable or unlock the user in Active Directory.";
    case USER_NOT_IN_DOMAIN:
    case NOT_A_USER:
      return "Log on with an account of the domain.";
    case UNTRUSTED_FOREST:
      return "Let an IWA of the org serve this forest, or trust it in Active Directory.";
    case CLOCK_SKEW:
      return "Set the clock: it may differ from the domain's by 5 minutes at most.";
    case PASSWORD_EXPIRED:
    case PASSWORD_MUST_CHANGE:
      return "Change the password, then log on again.";
    case DOMAIN_CONTROLLER_UNREACHABLE:
      return "Connect to the corporate network; the agent tries again within 24 h.";
    case TICKET_INVALID:
      return "Check the IWA's service principal and keytab.";
    case DEVICE_TRUST_OFF:
    case CAPABILITY_OFF:
      return "Enable Device Trust for the org.";
    case AD_INTEGRATION_INACTIVE:
      return "Activate the org's Active Directory integration.";
    case ORG_READ_ONLY:
      return "The org is read-only; the agent tries again by itself.";
    case IWA_DISABLED:
    case IWA_UNKNOWN:
    case IWA_TOO_OLD:
      return "Enable the IWA in the org, in a version that knows Device Trust.";
    case USER_DEACTIVATED:
    case USER_UNKNOWN:
    case USER_NOT_FROM_AD:
      return "Import the user from Active Directory and activate them in the org.";
    case DEPENDENCY_UNAVAILABLE:
      return "See whether the server runs and is reachable; the agent tries again by itself.";
    default:
      return "See the log of the server that refused; its message is above.";
  }
}

absl::Status FromKerberos(const absl::Status& status, Account account) {
  const Reason reason = ReasonFor(kerberos::FailureOf(status), account);
  return rpc::MakeError(status.code(), reason, std::string(status.message()),
                        account == Account::kComputer ? "the computer's account" : "the user",
                        std::string(RemedyFor(reason)));
}

}  // namespace devicetrust::agent
