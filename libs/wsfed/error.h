// Refusals of WS-Federation requests: absl::Status values with a reason of reason/v1
// (libs/rpc/error.h).
#pragma once

#include <string>
#include <utility>

#include "devicetrust/reason/v1/reason.pb.h"
#include "libs/base/status.h"

namespace devicetrust::wsfed {

// `reason` is one of the WSFED_* reasons; `message` says what is wrong, for the app's
// administrator, in our words alone. `foreign` is what the app sent and the message speaks of: the
// error's subject, cut, none when it is not UTF-8. Codes:
//   WSFED_REQUEST_MALFORMED            kInvalidArgument
//   WSFED_UNKNOWN_REALM                kNotFound
//   WSFED_REPLY_NOT_REGISTERED         kFailedPrecondition
//   WSFED_AUTHENTICATION_NOT_POSSIBLE  kFailedPrecondition
absl::Status Error(reason::v1::Reason reason, std::string message, std::string foreign = {});

// For what parsers below know nothing of WS-Federation report: kInvalidArgument without a reason
// gets WSFED_REQUEST_MALFORMED. All else passes unchanged.
absl::Status Typed(absl::Status status);

template <typename T>
absl::StatusOr<T> Typed(absl::StatusOr<T> result) {
  if (!result.ok()) return Typed(std::move(result).status());
  return result;
}

}  // namespace devicetrust::wsfed
