#include "libs/rpc/status.h"

#include <string>
#include <string_view>

#include "absl/strings/cord.h"
#include "google/rpc/status.pb.h"
#include "libs/base/encoding.h"
#include "libs/base/log_sparsely.h"
#include "libs/rpc/detail_url.h"
#include "libs/rpc/error.h"

namespace devicetrust::rpc {

namespace {

// Trailers hold 8 KiB at most receivers, the message goes into them twice, once with each byte
// beyond ASCII as three, and either may quote what a caller sent.
constexpr std::size_t kMessageBytesMax = 1024;
constexpr std::size_t kSubjectBytesMax = 256;
constexpr std::size_t kRemedyBytesMax = 512;

// Not longer than `bytes`, and visibly cut.
std::string Cut(std::string_view text, std::size_t bytes) {
  constexpr std::string_view kMore = "…";
  if (text.size() <= bytes) return std::string(text);
  return CutText(text, bytes - kMore.size()) + std::string(kMore);
}

}  // namespace

google::rpc::Status ToMessage(const absl::Status& status) {
  google::rpc::Status message;
  message.set_code(static_cast<int>(status.code()));
  if (status.ok()) return message;
  const bool hide = absl::IsInternal(status) || absl::IsUnknown(status);
  reason::v1::ErrorDetail detail;
  if (hide) {
    LogSparsely(LogLevel::kError, "rpc.internal_error", {}, {{"status", status.ToString()}});
    detail.set_reason(reason::v1::REASON_INTERNAL_ERROR);
  } else {
    detail = DetailOf(status).value_or(reason::v1::ErrorDetail());
    detail.set_reason(ReasonOf(status));
  }
  detail.set_subject(Cut(detail.subject(), kSubjectBytesMax));
  detail.set_remedy(Cut(detail.remedy(), kRemedyBytesMax));
  message.set_message(
      hide ? std::string("internal error")
           : Cut({status.message().data(), status.message().size()}, kMessageBytesMax));
  google::protobuf::Any& any = *message.add_details();
  any.set_type_url(kErrorDetailUrl);
  any.set_value(detail.SerializeAsString());
  return message;
}

absl::Status FromMessage(const google::rpc::Status& message) {
  absl::Status status(static_cast<absl::StatusCode>(message.code()), message.message());
  for (const google::protobuf::Any& any : message.details()) {
    if (any.type_url() == kErrorDetailUrl) {
      status.SetPayload(kErrorDetailUrl, absl::Cord(any.value()));
    }
  }
  return status;
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const google::rpc::Status message = ToMessage(status);
  return {static_cast<grpc::StatusCode>(message.code()), message.message(),
          message.SerializeAsString()};
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  google::rpc::Status message;
  if (!message.ParseFromString(status.error_details())) message.clear_details();
  // What gRPC itself says counts.
  message.set_code(static_cast<int>(status.error_code()));
  message.set_message(status.error_message());
  return FromMessage(message);
}

}  // namespace devicetrust::rpc
