// What every service measures of itself. docs/metrics.md lists it.
#pragma once

#include "libs/metrics/metrics.h"

namespace devicetrust::service {

inline const metrics::Gauges kCertificateExpiry(
    "dt_certificate_expiry_timestamp_seconds",
    "When a certificate of this service's own ends, Unix time, by the option that names it.",
    {"option"}, metrics::Merge::kLeast);

inline const metrics::Gauges kListenerAnswers(
    "dt_listener_answers",
    "1 when the service reached its own listener over the network a moment ago, 0 when it did not.",
    {"listener"});

}  // namespace devicetrust::service
