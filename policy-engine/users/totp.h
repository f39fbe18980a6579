// Time-based one-time passwords (RFC 6238): SHA-1, six digits, steps of 30 seconds, which
// is what authenticator apps do.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "libs/base/clock.h"

namespace devicetrust::policy {

inline constexpr std::size_t kTotpSecretBytesMin = 16;  // RFC 4226, requirement R6.
inline constexpr std::size_t kTotpSecretBytesMax = 64;
inline constexpr int kTotpDigits = 6;
inline constexpr std::chrono::seconds kTotpStep{30};
// Steps before and after the current one whose codes are taken: clocks differ, people type.
inline constexpr std::int64_t kTotpWindow = 1;

std::int64_t TotpStepOf(WallTime time);

// The six digits of one step.
std::string TotpCode(std::span<const std::uint8_t> secret, std::int64_t step);

// The step within the window around `now` that `code` belongs to; nothing when it is of
// none. The same time whichever matches. `code` is compared as text: anything but the
// six digits fails.
std::optional<std::int64_t> FindTotpStep(std::span<const std::uint8_t> secret,
                                         std::string_view code, WallTime now);

// For authenticator apps: otpauth://totp/ISSUER:ACCOUNT?secret=…
std::string TotpUri(std::span<const std::uint8_t> secret, std::string_view issuer,
                    std::string_view account);

}  // namespace devicetrust::policy
