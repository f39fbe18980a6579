#include "policy-engine/authentication/ticket_domain.h"

#include "libs/rpc/error.h"

namespace devicetrust::policy {

absl::Status CheckTicketDomain(const directory::Registry& directories,
                               const org::v1::StartTicketSessionRequest& request) {
  DT_ASSIGN_OR_RETURN(const directory::Domain* const domain,
                      directories.FindBySid(request.account_sid()));
  DT_ASSIGN_OR_RETURN(const directory::Domain* const realm,
                      directories.FindByRealm(request.realm()));
  if (realm != domain) {
    return rpc::MakeError(absl::StatusCode::kPermissionDenied, reason::v1::REASON_UNTRUSTED_FOREST,
                          "the ticket's realm is not that of its account", request.realm());
  }
  // A KDC can name any account in its tickets. That of another forest speaks for none of this one,
  // and by a trust a ticket may outlive the trust by hours.
  DT_ASSIGN_OR_RETURN(const directory::Domain* const maker,
                      directories.FindByRealm(request.service_realm()));
  if (maker->forest != domain->forest) {
    return rpc::MakeError(absl::StatusCode::kPermissionDenied, reason::v1::REASON_UNTRUSTED_FOREST,
                          "the ticket was made by the KDC of another forest than its account's",
                          request.service_realm(),
                          "Sign in with the password, or at an org host of that forest.");
  }
  return absl::OkStatus();
}

}  // namespace devicetrust::policy
