#include "libs/saml/error.h"

#include "libs/base/encoding.h"
#include "libs/rpc/error.h"

namespace devicetrust::saml {
namespace {

absl::StatusCode CodeOf(reason::v1::Reason reason) {
  switch (reason) {
    case reason::v1::REASON_SAML_UNKNOWN_SERVICE_PROVIDER:
      return absl::StatusCode::kNotFound;
    case reason::v1::REASON_SAML_ACS_NOT_REGISTERED:
      return absl::StatusCode::kFailedPrecondition;
    case reason::v1::REASON_SAML_SIGNATURE_INVALID:
      return absl::StatusCode::kPermissionDenied;
    case reason::v1::REASON_SAML_REQUEST_EXPIRED:
      return absl::StatusCode::kDeadlineExceeded;
    default:
      return absl::StatusCode::kInvalidArgument;
  }
}

}  // namespace

absl::Status Error(reason::v1::Reason reason, std::string message, std::string foreign) {
  return rpc::MakeError(CodeOf(reason), reason, std::move(message),
                        IsUtf8(foreign) ? CutText(foreign, kForeignBytesMax) : std::string());
}

absl::Status Typed(absl::Status status) {
  if (status.code() != absl::StatusCode::kInvalidArgument || rpc::DetailOf(status)) return status;
  return Error(reason::v1::REASON_SAML_REQUEST_MALFORMED, std::string(status.message()));
}

}  // namespace devicetrust::saml
