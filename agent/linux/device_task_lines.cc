#include "agent/linux/device_task_lines.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>

#include "libs/base/ascii.h"
#include "libs/rpc/error.h"

namespace devicetrust::agent {
namespace {

using nlohmann::json;

constexpr std::size_t kThumbprintLength = 43;  // RFC 7638 with SHA-256, base64url.
constexpr std::size_t kUserLengthMax = 512;
constexpr int kStatusCodeMax = 16;

std::string LineOf(const json& object) {
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string Member(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// 0: it is none, or too large.
int Number(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_unsigned()) return 0;
  const auto number = found->get<std::uint64_t>();
  return std::in_range<int>(number) ? static_cast<int>(number) : 0;
}

}  // namespace

std::string FormatDeviceRequest(const DeviceTokenRequest& request) {
  return LineOf(
      {{"iwa", request.iwa_name}, {"key", request.key_thumbprint}, {"user", request.user}});
}

absl::StatusOr<DeviceTokenRequest> ParseDeviceRequest(std::string_view line) {
  const json object = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return absl::InvalidArgumentError("the request is no JSON object");
  DeviceTokenRequest request{Member(object, "iwa"), Member(object, "key"), Member(object, "user")};
  if (request.key_thumbprint.size() != kThumbprintLength ||
      !std::ranges::all_of(request.key_thumbprint, IsBase64Url)) {
    return absl::InvalidArgumentError("\"key\" is no thumbprint");
  }
  if (request.user.empty() || request.user.size() > kUserLengthMax || HasControl(request.user) ||
      request.user.find('@') == std::string::npos) {
    return absl::InvalidArgumentError("\"user\" is no name@REALM");
  }
  return request;
}

std::string FormatDeviceAnswer(const absl::StatusOr<std::string>& token) {
  if (token.ok()) return LineOf({{"token", *token}});
  const auto detail = rpc::DetailOf(token.status());
  return LineOf({{"code", static_cast<int>(token.status().code())},
                 {"reason", static_cast<int>(rpc::ReasonOf(token.status()))},
                 {"message", std::string(token.status().message())},
                 {"remedy", detail ? detail->remedy() : ""}});
}

std::optional<absl::StatusOr<std::string>> ParseDeviceAnswer(std::string_view line) {
  const json answer = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!answer.is_object()) return std::nullopt;
  if (std::string token = Member(answer, "token"); !token.empty()) return token;
  const int code = Number(answer, "code");
  const int reason = Number(answer, "reason");
  if (code == 0 || code > kStatusCodeMax) return std::nullopt;
  return rpc::MakeError(static_cast<absl::StatusCode>(code),
                        reason::v1::Reason_IsValid(reason) ? static_cast<reason::v1::Reason>(reason)
                                                           : reason::v1::REASON_UNSPECIFIED,
                        Member(answer, "message"), {}, Member(answer, "remedy"));
}

}  // namespace devicetrust::agent
