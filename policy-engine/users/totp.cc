#include "policy-engine/users/totp.h"

#include <fmt/format.h>

#include <array>

#include "libs/base/ascii.h"
#include "libs/base/encoding.h"
#include "libs/pki/digest.h"

namespace devicetrust::policy {
namespace {

// RFC 3986, section 2.3: what need not be escaped in a URI.
std::string PercentEncode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = IsBase64Url(c) || c == '.' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace

std::int64_t TotpStepOf(WallTime time) {
  return UnixSeconds(time) / std::int64_t{kTotpStep.count()};
}

std::string TotpCode(std::span<const std::uint8_t> secret, std::int64_t step) {
  std::array<std::uint8_t, 8> counter{};
  for (std::size_t i = 0; i < counter.size(); ++i) {
    counter[i] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(step) >> (56 - 8 * i));
  }
  const pki::Sha1Digest mac = pki::HmacSha1(secret, counter);
  const std::size_t offset = mac.back() & 0x0fU;  // RFC 4226, section 5.3.
  const std::uint32_t number = (mac[offset] & 0x7fU) << 24U | mac[offset + 1] << 16U |
                               mac[offset + 2] << 8U | mac[offset + 3];
  return fmt::format("{:0{}}", number % 1'000'000, kTotpDigits);
}

std::optional<std::int64_t> FindTotpStep(std::span<const std::uint8_t> secret,
                                         std::string_view code, WallTime now) {
  const std::int64_t current = TotpStepOf(now);
  std::optional<std::int64_t> found;
  for (std::int64_t step = current - kTotpWindow; step <= current + kTotpWindow; ++step) {
    const std::string expected = TotpCode(secret, step);
    if (pki::ConstantTimeEquals(std::string_view(expected), code)) found = step;
  }
  return found;
}

std::string TotpUri(std::span<const std::uint8_t> secret, std::string_view issuer,
                    std::string_view account) {
  return fmt::format(
      "otpauth://totp/{0}:{1}?secret={2}&issuer={0}&algorithm=SHA1&digits={3}"
      "&period={4}",
      PercentEncode(issuer), PercentEncode(account), Base32Encode(secret), kTotpDigits,
      kTotpStep.count());
}

}  // namespace devicetrust::policy
