#include "simulator/browser/totp.h"

#include <fmt/format.h>

#include <array>

#include "libs/pki/digest.h"

namespace devicetrust::simulator {

std::string TotpCode(std::span<const std::uint8_t> secret, WallTime now) {
  const auto step = static_cast<std::uint64_t>(UnixSeconds(now)) / 30;
  std::array<std::uint8_t, 8> counter{};
  for (std::size_t i = 0; i < counter.size(); ++i) {
    counter[i] = static_cast<std::uint8_t>(step >> (56 - 8 * i));
  }
  const pki::Sha1Digest mac = pki::HmacSha1(secret, counter);
  const std::size_t at = mac.back() & 0x0F;  // RFC 4226, section 5.3.
  const std::uint32_t number = (std::uint32_t{mac[at]} & 0x7F) << 24 |
                               std::uint32_t{mac[at + 1]} << 16 | std::uint32_t{mac[at + 2]} << 8 |
                               std::uint32_t{mac[at + 3]};
  return fmt::format("{:06}", number % 1'000'000);
}

}  // namespace devicetrust::simulator
