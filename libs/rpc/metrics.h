// What libs/rpc measures. docs/metrics.md lists it.
#pragma once

#include "libs/metrics/metrics.h"

namespace devicetrust::rpc {

inline const metrics::Counters kServerCalls(
    "dt_rpc_server_calls_total", "Calls that were answered, by method and gRPC status code.",
    {"service", "method", "code"});
inline const metrics::Histograms kServerSeconds("dt_rpc_server_call_seconds",
                                                "Time from a unary call's headers to its status.",
                                                metrics::kLatencyBuckets, {"service", "method"});
inline const metrics::Counters kServerRefused("dt_rpc_server_refused_total",
                                              "Calls refused before their method ran, by reason.",
                                              {"listener", "reason"});
inline const metrics::Gauges kServerInFlight(
    "dt_rpc_server_in_flight", "Unary calls under way; in_flight_max of the listener bounds them.",
    {"listener"});
inline const metrics::Gauges kServerStreams("dt_rpc_server_streams", "Open streams.", {"listener"});

}  // namespace devicetrust::rpc
