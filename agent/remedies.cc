#include "agent/remedies.h"

#include "libs/kerberos/failure.h"
#include "libs/rpc/error.h"

namespace devicetrust::agent {

using namespace reason::v1;

std::string_view RemedyFor(Reason reason) {
  switch (reason) {
    case REASON_NOT_DOMAIN_JOINED:
      return "Join the computer to the domain; the agent tries again within 24 h.";
    case REASON_COMPUTER_DISABLED:
      return "Enable the computer in Active Directory; the agent tries again within 24 h.";
    case REASON_USER_DISABLED:
    case REASON_ACCOUNT_LOCKED:
      return "Enable or unlock the user in Active Directory.";
    case REASON_ACCOUNT_EXPIRED:
      return "Prolong the account in Active Directory.";
    case REASON_LOGON_NOT_PERMITTED:
      return "See in Active Directory whether the account is enabled, and when and where it may "
             "log "
             "on.";
    case REASON_USER_NOT_IN_DOMAIN:
    case REASON_NOT_A_USER:
      return "Log on with an account of the domain.";
    case REASON_SHARED_TERMINAL:
      return "Give each person a computer of their own; where this one changed hands, install the "
             "agent again.";
    case REASON_TICKET_EXPIRED:
      return "Log on again, or run kinit.";
    case REASON_UNTRUSTED_FOREST:
      return "Let an IWA of the org serve this forest, or trust it in Active Directory.";
    case REASON_CLOCK_SKEW:
      return "Set the clock: it may differ from the domain's by 5 minutes at most.";
    case REASON_PASSWORD_EXPIRED:
    case REASON_PASSWORD_MUST_CHANGE:
      return "Change the password, then log on again.";
    case REASON_DOMAIN_CONTROLLER_UNREACHABLE:
      return "Connect to the corporate network; the agent tries again within 24 h.";
    case REASON_TICKET_INVALID:
      return "Check the IWA's service principal and keytab.";
    case REASON_DEVICE_TRUST_OFF:
    case REASON_CAPABILITY_OFF:
      return "Enable Device Trust for the org.";
    case REASON_AD_INTEGRATION_INACTIVE:
      return "Activate the org's Active Directory integration.";
    case REASON_ORG_READ_ONLY:
      return "The org is read-only; the agent tries again by itself.";
    case REASON_IWA_DISABLED:
    case REASON_IWA_UNKNOWN:
    case REASON_IWA_TOO_OLD:
      return "Update the IWA and enable it in the org.";
    case REASON_USER_DEACTIVATED:
    case REASON_USER_UNKNOWN:
    case REASON_USER_NOT_FROM_AD:
      return "Import the user from Active Directory and activate them in the org.";
    case REASON_CERTIFICATE_REVOKED:
      return "Ask an administrator why; if it was a mistake, run the agent as that user with "
             "--forceRenewal.";
    case REASON_DEPENDENCY_UNAVAILABLE:
      return "See whether the server runs and is reachable; the agent tries again by itself.";
    default:
      return "See the log of the server that refused; its message is above.";
  }
}

absl::Status FromKerberos(const absl::Status& status, Account account) {
  const kerberos::Holder holder =
      account == Account::kComputer ? kerberos::Holder::kComputer : kerberos::Holder::kUser;
  const Reason reason = kerberos::ReasonOf(kerberos::FailureOf(status), holder);
  return rpc::MakeError(status.code(), reason, std::string(status.message()),
                        account == Account::kComputer ? "the computer's account" : "the user",
                        std::string(RemedyFor(reason)));
}

}  // namespace devicetrust::agent
