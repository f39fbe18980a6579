#pragma once

#include "devicetrust/org/v1/users.pb.h"
#include "libs/base/status.h"

namespace devicetrust::policy {

inline constexpr int kUsersPerImportMax = 5'000;

// Checks a whole import before anything is written: kInvalidArgument, MALFORMED_REQUEST, naming
// the first user that is incomplete, too long, or shares SID or principal with another one of the
// call.
absl::Status ValidateImport(const org::v1::ImportUsersRequest& request);

}  // namespace devicetrust::policy
