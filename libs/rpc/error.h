// Errors that carry why, about whom, and what helps: an absl::Status whose payload is a
// devicetrust.reason.v1.ErrorDetail. status.h takes them over gRPC and back.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "devicetrust/reason/v1/reason.pb.h"
#include "libs/base/status.h"

namespace devicetrust::rpc {

// `code` must not be kOk. `message` is for people and says what was refused; `subject`
// names the account, file or option; `remedy` is one sentence with the next step.
absl::Status MakeError(absl::StatusCode code, reason::v1::Reason reason, std::string message,
                       std::string subject = {}, std::string remedy = {},
                       std::optional<std::chrono::seconds> retry_after = {});

// Empty when `status` is OK or carries none.
std::optional<reason::v1::ErrorDetail> DetailOf(const absl::Status& status);

// The detail's reason or, without one, what the code alone tells (an unreachable server is
// DEPENDENCY_UNAVAILABLE). REASON_UNSPECIFIED only for OK.
reason::v1::Reason ReasonOf(const absl::Status& status);

// "TOKEN_EXPIRED": the short code that people and the System Log see. Empty for OK.
std::string ReasonName(const absl::Status& status);
std::string ReasonName(reason::v1::Reason reason);

// What a caller may learn of an error of libs/db: a full or failing store is UNAVAILABLE
// with STORE_FULL or STORE_UNAVAILABLE and a time to try again; a damaged one is DATA_LOSS with
// STORE_UNAVAILABLE. A status that has a detail already, and any other code, pass unchanged.
absl::Status StoreError(absl::Status status);

// UNAVAILABLE, DRAINING: what a server that is stopping answers to new calls, and how it ends
// its streams.
absl::Status DrainingError();

// Where the reader of a stream wants to go on: behind `after`, where `last` is the newest.
// kInvalidArgument, MALFORMED_REQUEST: negative. kOutOfRange: the store never came that far, so
// it was replaced by an older one, and the reader must begin anew.
absl::Status CheckPosition(std::int64_t after, std::int64_t last);

}  // namespace devicetrust::rpc
