#include "libs/rpc/error.h"

#include <fmt/format.h>

#include <utility>

#include "absl/strings/cord.h"
#include "libs/base/check.h"
#include "libs/base/encoding.h"
#include "libs/base/printable.h"
#include "libs/rpc/detail_url.h"
#include "libs/rpc/enum_name.h"

namespace devicetrust::rpc {

using reason::v1::ErrorDetail;
using reason::v1::Reason;

namespace {

// Protobuf writes other octets, and then does not read what it wrote: the reason would be lost.
std::string AsUtf8(std::string text) { return IsUtf8(text) ? std::move(text) : Printable(text); }

}  // namespace

absl::Status MakeError(absl::StatusCode code, Reason reason, std::string message,
                       std::string subject, std::string remedy,
                       std::optional<std::chrono::seconds> retry_after) {
  DT_CHECK(code != absl::StatusCode::kOk);
  absl::Status status(code, AsUtf8(std::move(message)));
  ErrorDetail detail;
  detail.set_reason(reason);
  detail.set_subject(AsUtf8(std::move(subject)));
  detail.set_remedy(AsUtf8(std::move(remedy)));
  if (retry_after) detail.mutable_retry_after()->set_seconds(retry_after->count());
  status.SetPayload(kErrorDetailUrl, absl::Cord(detail.SerializeAsString()));
  return status;
}

std::optional<ErrorDetail> DetailOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kErrorDetailUrl);
  ErrorDetail detail;
  if (!payload || !detail.ParseFromString(std::string(*payload))) return std::nullopt;
  return detail;
}

Reason ReasonOf(const absl::Status& status) {
  if (const auto detail = DetailOf(status)) return detail->reason();
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return reason::v1::REASON_UNSPECIFIED;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return reason::v1::REASON_MALFORMED_REQUEST;
    case absl::StatusCode::kNotFound:
      return reason::v1::REASON_UNKNOWN_SUBJECT;
    case absl::StatusCode::kAlreadyExists:
      return reason::v1::REASON_ALREADY_EXISTS;
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAborted:
      return reason::v1::REASON_CONFLICTING_STATE;
    case absl::StatusCode::kUnauthenticated:
      return reason::v1::REASON_CALLER_NOT_AUTHENTICATED;
    case absl::StatusCode::kPermissionDenied:
      return reason::v1::REASON_CALLER_NOT_ALLOWED;
    case absl::StatusCode::kResourceExhausted:
      return reason::v1::REASON_TOO_MANY_REQUESTS;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
      return reason::v1::REASON_DEPENDENCY_UNAVAILABLE;
    default:
      return reason::v1::REASON_INTERNAL_ERROR;
  }
}

std::string ReasonName(Reason reason) {
  return reason == reason::v1::REASON_UNSPECIFIED ? std::string() : EnumName(reason);
}

std::string ReasonName(const absl::Status& status) { return ReasonName(ReasonOf(status)); }

absl::Status StoreError(absl::Status status) {
  if (status.ok() || DetailOf(status)) return status;
  constexpr std::chrono::seconds kRetryAfter{5};
  switch (status.code()) {
    case absl::StatusCode::kResourceExhausted:
      return MakeError(absl::StatusCode::kUnavailable, reason::v1::REASON_STORE_FULL,
                       std::string(status.message()), {},
                       "Free disk space on the server, or raise its store's size limit.",
                       kRetryAfter);
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kAborted:
      return MakeError(absl::StatusCode::kUnavailable, reason::v1::REASON_STORE_UNAVAILABLE,
                       std::string(status.message()), {},
                       "Try again; if it stays, check the server's disk.", kRetryAfter);
    case absl::StatusCode::kDataLoss:
      return MakeError(
          absl::StatusCode::kDataLoss, reason::v1::REASON_STORE_UNAVAILABLE,
          std::string(status.message()), {},
          "The server's store is damaged: stop the server, keep the file, and restore a"
          " backup.");
    default:
      return status;
  }
}

absl::Status DrainingError() {
  return MakeError(absl::StatusCode::kUnavailable, reason::v1::REASON_DRAINING,
                   "the server is stopping: try another one, or again in a moment");
}

absl::Status CheckPosition(std::int64_t after, std::int64_t last) {
  if (after < 0) {
    return MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                     "after_sequence is negative", "after_sequence");
  }
  if (after <= last) return absl::OkStatus();
  return absl::OutOfRangeError(fmt::format(
      "the last one is number {}, not {} or later: the store was replaced, read again from 0", last,
      after));
}

}  // namespace devicetrust::rpc
