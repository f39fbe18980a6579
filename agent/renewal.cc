#include "agent/renewal.h"

#include <algorithm>
#include <cstdint>

namespace devicetrust::agent {
namespace {

using std::chrono::seconds;

constexpr std::chrono::days kLast{30};

seconds Between(WallTime from, WallTime until) {
  return std::chrono::duration_cast<seconds>(until - from);
}

// 0 to `whole`, the same for the same certificate.
seconds Share(const pki::Certificate& certificate, seconds whole) {
  const pki::Sha256Digest digest = certificate.Fingerprint();
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < sizeof(number); ++i) number = number << 8U | digest[i];
  return seconds(static_cast<std::int64_t>(
      number % (static_cast<std::uint64_t>(std::max<std::int64_t>(whole.count(), 0)) + 1)));
}

}  // namespace

WallTime RenewableFrom(const pki::Certificate& certificate) {
  const seconds life = Between(certificate.not_before(), certificate.not_after());
  return certificate.not_after() - std::min<seconds>(kLast, life / 3);
}

WallTime RenewalMoment(const pki::Certificate& certificate,
                       const std::optional<RenewalWindow>& window) {
  const WallTime first = RenewableFrom(certificate);
  const WallTime end = certificate.not_after();
  WallTime from = first;
  WallTime until = first + Between(first, end) * 2 / 3;
  // A window that reaches into the time before, or beyond the end, counts as far as it can be kept.
  if (window && window->from < window->until && window->until > first && window->from < end) {
    from = std::max(window->from, first);
    until = std::min(window->until, end);
  }
  return from + Share(certificate, Between(from, until));
}

}  // namespace devicetrust::agent
