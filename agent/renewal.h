// When a certificate is renewed (docs/behaviour.md, AGT-5).
#pragma once

#include <chrono>
#include <optional>

#include "libs/base/clock.h"
#include "libs/pki/certificate.h"

namespace devicetrust::agent {

// When the CA would like to be asked again, as in RFC 9773, section 4.2.
struct RenewalWindow {
  WallTime from;
  WallTime until;
};

// Before this, no certificate is renewed by itself: its last 30 days; of one that lives less than
// 90 days, the last third of its life.
WallTime RenewableFrom(const pki::Certificate& certificate);

// The moment from which a run of the task renews `certificate`: in the window, or, without a
// usable one, in the first two thirds of its last 30 days, so that some days are left for a
// computer that is away. Where in there is told by the certificate's fingerprint: the same each
// time, and spread among many certificates of one day. Never before RenewableFrom().
WallTime RenewalMoment(const pki::Certificate& certificate,
                       const std::optional<RenewalWindow>& window = std::nullopt);

}  // namespace devicetrust::agent
