#include "libs/rpc/status.h"

#include <string>

#include "absl/strings/cord.h"
#include "google/rpc/status.pb.h"
#include "libs/base/log.h"
#include "libs/rpc/detail_url.h"
#include "libs/rpc/error.h"

namespace devicetrust::rpc {

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto code = static_cast<grpc::StatusCode>(status.code());
  const bool hide = code == grpc::StatusCode::INTERNAL || code == grpc::StatusCode::UNKNOWN;
  reason::v1::ErrorDetail detail;
  if (hide) {
    Log(LogLevel::kError, "rpc.internal_error", {{"status", status.ToString()}});
    detail.set_reason(reason::v1::INTERNAL_ERROR);
  } else {
    detail = DetailOf(status).value_or(reason::v1::ErrorDetail());
    detail.set_reason(ReasonOf(status));
  }

  google::rpc::Status envelope;
  envelope.set_code(static_cast<int>(code));
  envelope.set_message(hide ? std::string("internal error") : std::string(status.message()));
  google::protobuf::Any& any = *envelope.add_details();
  any.set_type_url(kErrorDetailUrl);
  any.set_value(detail.SerializeAsString());
  return {code, envelope.message(), envelope.SerializeAsString()};
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  google::rpc::Status envelope;
  if (status.error_details().empty() || !envelope.ParseFromString(status.error_details())) {
    return result;
  }
  for (const google::protobuf::Any& any : envelope.details()) {
    if (any.type_url() == kErrorDetailUrl) {
      result.SetPayload(kErrorDetailUrl, absl::Cord(any.value()));
    }
  }
  return result;
}

}  // namespace devicetrust::rpc
