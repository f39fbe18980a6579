// Refusals of SAML messages: absl::Status values with a reason of reason/v1 (libs/rpc/error.h).
#pragma once

#include <string>
#include <utility>

#include "devicetrust/reason/v1/reason.pb.h"
#include "libs/base/status.h"

namespace devicetrust::saml {

// `reason` is one of the SAML_* reasons; `message` says what is wrong, for the app's administrator,
// in our words alone. `foreign` is what the app sent and the message speaks of: the error's
// subject, cut to kForeignBytesMax, none when it is not UTF-8. Codes:
//   SAML_REQUEST_MALFORMED         kInvalidArgument
//   SAML_UNKNOWN_SERVICE_PROVIDER  kNotFound
//   SAML_ACS_NOT_REGISTERED        kFailedPrecondition
//   SAML_SIGNATURE_INVALID         kPermissionDenied
//   SAML_REQUEST_EXPIRED           kDeadlineExceeded
absl::Status Error(reason::v1::Reason reason, std::string message, std::string foreign = {});
inline constexpr std::size_t kForeignBytesMax = 256;

// For what parsers below know nothing of SAML report: kInvalidArgument without a reason gets
// SAML_REQUEST_MALFORMED. All else passes unchanged.
absl::Status Typed(absl::Status status);

template <typename T>
absl::StatusOr<T> Typed(absl::StatusOr<T> result) {
  if (!result.ok()) return Typed(std::move(result).status());
  return result;
}

}  // namespace devicetrust::saml
