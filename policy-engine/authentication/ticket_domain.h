// Whose Kerberos ticket a sign-in without a password rests on.
#pragma once

#include "devicetrust/org/v1/authentication.pb.h"
#include "libs/base/status.h"
#include "libs/directory/registry.h"

namespace devicetrust::policy {

// That the account, the ticket's realm and the KDC that made the ticket are of one forest that is
// known here. kPermissionDenied UNTRUSTED_FOREST; kInvalidArgument: no SID.
absl::Status CheckTicketDomain(const directory::Registry& directories,
                               const org::v1::StartTicketSessionRequest& request);

}  // namespace devicetrust::policy
