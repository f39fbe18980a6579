#include "libs/wsfed/error.h"

#include "libs/base/encoding.h"
#include "libs/rpc/error.h"

namespace devicetrust::wsfed {
namespace {

constexpr std::size_t kForeignBytesMax = 256;

absl::StatusCode CodeOf(reason::v1::Reason reason) {
  switch (reason) {
    case reason::v1::REASON_WSFED_UNKNOWN_REALM:
      return absl::StatusCode::kNotFound;
    case reason::v1::REASON_WSFED_REPLY_NOT_REGISTERED:
    case reason::v1::REASON_WSFED_AUTHENTICATION_NOT_POSSIBLE:
      return absl::StatusCode::kFailedPrecondition;
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
  return Error(reason::v1::REASON_WSFED_REQUEST_MALFORMED, std::string(status.message()));
}

}  // namespace devicetrust::wsfed
