// What Active Directory's answer to a password means.
#pragma once

#include <string_view>

#include "libs/base/status.h"
#include "libs/directory/directory.h"

namespace devicetrust::directory {

// Reads result code and diagnostic message of a simple bind. AD answers
// invalidCredentials (49) to every refusal and puts the reason into the message as
// "data XXX" (hexadecimal Windows error); directories without it give kWrong.
//
// Errors: kFailedPrecondition  the server wants another kind of bind (8, 48, 53);
//         kUnavailable         any other code: it says nothing about the password.
absl::StatusOr<PasswordVerdict> VerdictOfBind(int result_code, std::string_view diagnostic);

}  // namespace devicetrust::directory
