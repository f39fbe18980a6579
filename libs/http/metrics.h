// What libs/http measures of each listener, whose label is its option without "--" and "-listen":
// "org", "mtls". docs/metrics.md lists it.
#pragma once

#include "libs/metrics/metrics.h"

namespace devicetrust::http {

inline const metrics::Counters kConnections("dt_http_connections_total", "Connections accepted.",
                                            {"listener"});
inline const metrics::Counters kConnectionsRefused(
    "dt_http_connections_refused_total",
    "Connections closed at once, because too many were open, of all or of one address, and all of"
    " those were busy.",
    {"listener"});
inline const metrics::Counters kConnectionsEvicted(
    "dt_http_connections_evicted_total",
    "Connections closed to make room for others: without a request so far, or idle longest.",
    {"listener"});
inline const metrics::Counters kAcceptFailures(
    "dt_http_accept_failures_total",
    "Connections that could not be accepted yet, for want of descriptors or memory.", {"listener"});
inline const metrics::Gauges kConnectionsOpen("dt_http_connections_open",
                                              "Connections that are open now.", {"listener"});
inline const metrics::Counters kHandshakesFailed(
    "dt_http_handshakes_failed_total",
    "TLS handshakes that ended without a connection, clients that gave up among them.",
    {"listener"});
inline const metrics::Histograms kHandshakeSeconds("dt_http_handshake_seconds",
                                                   "Time from a connection to the end of its TLS"
                                                   " handshake, of those that succeeded.",
                                                   metrics::kLatencyBuckets, {"listener"});
inline const metrics::Counters kRequestsRefused(
    "dt_http_requests_refused_total",
    "Requests that break a rule or a limit of HTTP, and ended their connection.", {"listener"});
inline const metrics::Counters kResponses("dt_http_responses_total",
                                          "Answers to requests, by status code.",
                                          {"listener", "code"});
inline const metrics::Histograms kRequestSeconds(
    "dt_http_request_seconds", "Time from a request's last octet until its answer was made.",
    metrics::kLatencyBuckets, {"listener"});

}  // namespace devicetrust::http
