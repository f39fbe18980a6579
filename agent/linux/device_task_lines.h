// The two lines of JSON that user task and device task say to each other (device_task.h), without
// the newlines that end them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "libs/base/status.h"

namespace devicetrust::agent {

struct DeviceTokenRequest {
  std::string iwa_name;
  std::string key_thumbprint;
  std::string user;

  bool operator==(const DeviceTokenRequest&) const = default;
};

std::string FormatDeviceRequest(const DeviceTokenRequest& request);
// kInvalidArgument: no request; the message says what is wrong. A user that it names has the form
// name@REALM, and nothing more is known of them.
absl::StatusOr<DeviceTokenRequest> ParseDeviceRequest(std::string_view line);

std::string FormatDeviceAnswer(const absl::StatusOr<std::string>& token);
// A token, or why there is none. Nothing: `line` is no answer.
std::optional<absl::StatusOr<std::string>> ParseDeviceAnswer(std::string_view line);

}  // namespace devicetrust::agent
