// What a person can do about a refusal, and Kerberos failures in the words of the contract.
#pragma once

#include <string_view>

#include "agent/computer.h"
#include "devicetrust/reason/v1/reason.pb.h"
#include "libs/base/status.h"

namespace devicetrust::agent {

// One sentence; for a reason without an own one, where to look.
std::string_view RemedyFor(reason::v1::Reason reason);

// A status of libs/kerberos, met when authenticating as `account`, with reason and remedy.
absl::Status FromKerberos(const absl::Status& status, Account account);

}  // namespace devicetrust::agent
