// What the gateway measures beside its listeners. docs/metrics.md lists it.
#pragma once

#include "libs/metrics/metrics.h"

namespace devicetrust::gateway {

inline const metrics::Counters kDeviceVerdicts(
    "dt_gateway_device_verdicts_total",
    "Requests at the mTLS hosts by what became of the device: OK for a trusted one, or the reason"
    " why it is not.",
    {"result"});
inline const metrics::Gauges kFeedAge(
    "dt_gateway_feed_age_seconds",
    "Time since a stream last said that this is all; above --revocation-age-max-ms no device is"
    " trusted. NaN: it has not spoken yet.",
    {"feed"}, metrics::Merge::kGreatest);
inline const metrics::Counters kFeedFailures(
    "dt_gateway_feed_failures_total",
    "Streams that ended and answers that did not come; both are asked for again.", {"feed"});
inline const metrics::Counters kConsoleCalls(
    "dt_gateway_console_calls_total",
    "Calls of the console by what came of them: OK, or the reason why not.", {"result"});
inline const metrics::Counters kTicketsShown(
    "dt_gateway_tickets_total",
    "Kerberos tickets that browsers have shown, by what came of them: OK or REFUSED.", {"result"});
inline const metrics::Gauges kRevokedKept("dt_gateway_revoked_certificates",
                                          "Revoked certificates that the gateway knows.");
inline const metrics::Gauges kSessionsEnded("dt_gateway_ended_sessions",
                                            "Ended sessions that the gateway knows.");

}  // namespace devicetrust::gateway
