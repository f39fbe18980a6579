#include "ca-service/renewal_window.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "libs/pki/digest.h"

namespace devicetrust::ca {
namespace {

using std::chrono::seconds;

constexpr std::chrono::days kLast{30};

}  // namespace

RenewalWindow RenewalWindowOf(const std::string& serial, WallTime issued_at, WallTime not_after) {
  const auto life = std::chrono::duration_cast<seconds>(not_after - issued_at);
  const seconds last = std::clamp<seconds>(life / 3, seconds(0), kLast);
  const seconds width = last / 30;
  const seconds spread = last * 2 / 3 - width;
  const pki::Sha256Digest digest = pki::Sha256("renewal/" + serial);
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < sizeof(number); ++i) number = number << 8U | digest[i];
  const auto share = static_cast<std::int64_t>(
      number % (static_cast<std::uint64_t>(std::max<std::int64_t>(spread.count(), 0)) + 1));
  const WallTime from = not_after - last + seconds(share);
  return {from, from + width};
}

}  // namespace devicetrust::ca
