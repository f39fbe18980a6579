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

inline const metrics::Counters kConnections("dt_rpc_connections_total", "Connections accepted.",
                                            {"listener"});
inline const metrics::Counters kConnectionsRefused(
    "dt_rpc_connections_refused_total",
    "Connections closed at once, because too many were open, of all or of one address, and all of"
    " those were busy.",
    {"listener"});
inline const metrics::Counters kConnectionsEvicted(
    "dt_rpc_connections_evicted_total",
    "Connections closed to make room for others: without a call so far, or idle longest.",
    {"listener"});
inline const metrics::Counters kConnectionsCut(
    "dt_rpc_connections_cut_total",
    "Connections of agents that were ended: what they sent broke a rule or a limit of HTTP/2, or"
    " did not come in time.",
    {"listener", "reason"});
inline const metrics::Gauges kConnectionsOpen("dt_rpc_connections_open",
                                              "Connections that are open now.", {"listener"});
inline const metrics::Counters kHandshakesFailed(
    "dt_rpc_handshakes_failed_total",
    "TLS handshakes of agents that ended without a connection, clients that gave up among them.",
    {"listener"});
inline const metrics::Counters kAcceptFailures(
    "dt_rpc_accept_failures_total",
    "Connections that could not be accepted yet, for want of descriptors or memory.", {"listener"});

}  // namespace devicetrust::rpc
