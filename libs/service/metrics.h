// What every service measures of itself. docs/metrics.md lists it.
#pragma once

#include "libs/metrics/metrics.h"

namespace devicetrust::service {

inline const metrics::Gauges kCertificateExpiry(
    "dt_certificate_expiry_timestamp_seconds",
    "When a certificate of this service's own ends, Unix time, by the option that names it.",
    {"option"}, metrics::Merge::kLeast);

}  // namespace devicetrust::service
