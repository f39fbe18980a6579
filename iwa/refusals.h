// Errors of the libraries below, in the words of IWA-5: what is wrong, and what a
// person does about it.
#pragma once

#include <string>

#include "libs/base/status.h"

namespace devicetrust::iwa {

// Of a failed kerberos::Acceptor::Accept.
absl::Status TicketRefusal(const absl::Status& failure);

// Of a failed directory look-up, kNotFound aside: the caller knows what is missing then.
absl::Status DirectoryRefusal(const absl::Status& failure);

// Of a device token that VerifyDeviceToken refused.
absl::Status TokenRefusal(const absl::Status& failure);

}  // namespace devicetrust::iwa
