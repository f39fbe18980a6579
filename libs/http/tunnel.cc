#include "libs/http/tunnel.h"

#include <fmt/format.h>

#include <string>

#include "libs/base/ascii.h"

namespace devicetrust::http {
namespace {

constexpr std::string_view kVersion = "HTTP/1.";
constexpr std::size_t kStatusAt = 9;  // Behind "HTTP/1.1 ".
constexpr std::size_t kShownMax = 80;

// 0: `line` is no status line (RFC 9112, section 4; the space behind the status may be missing).
int StatusOf(std::string_view line) {
  if (!line.starts_with(kVersion) || line.size() < kStatusAt + 3) return 0;
  const std::string_view digits = line.substr(kStatusAt, 3);
  if (!IsDigit(line[7]) || line[8] != ' ' || !IsDigit(digits[0]) || !IsDigit(digits[1]) ||
      !IsDigit(digits[2]) || (line.size() > kStatusAt + 3 && line[kStatusAt + 3] != ' ')) {
    return 0;
  }
  return (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
}

// It goes to terminals and logs.
std::string Shown(std::string_view text) {
  std::string shown(text.substr(0, kShownMax));
  for (char& c : shown) {
    if (c < ' ' || c > '~') c = '?';
  }
  return shown;
}

bool IsOfTheMoment(int status) { return status == 408 || status == 425 || status == 429; }

}  // namespace

absl::Status CheckTunnelAnswer(std::string_view head) {
  const std::string_view line = head.substr(0, head.find("\r\n"));
  const int status = StatusOf(line);
  if (status == 0) return absl::UnavailableError("it answers no HTTP");
  if (!head.ends_with("\r\n\r\n")) return absl::UnavailableError("its answer has no end");
  if (status / 100 == 2) return absl::OkStatus();
  const std::string shown = Shown(line.substr(kStatusAt));
  if (status == 407) {
    return absl::PermissionDeniedError(
        fmt::format("{}: it wants a user and a password that it knows, as in "
                    "HttpProxy=http://USER:PASSWORD@HOST:PORT",
                    shown));
  }
  if (status / 100 == 4 && !IsOfTheMoment(status)) return absl::PermissionDeniedError(shown);
  return absl::UnavailableError(shown);
}

}  // namespace devicetrust::http
