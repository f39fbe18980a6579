// The listener that Prometheus scrapes: what libs/metrics counts, at GET /metrics.
#pragma once

#include <memory>
#include <string>

#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/http/server.h"

namespace devicetrust::service {

// Plain HTTP, GET and HEAD of /metrics alone, at most 16 connections at once. Who may connect
// sees names of methods, listeners and programs, never of people: keep it on loopback or on a
// network of administrators. `clock` outlives it.
//
// `address` is HOST:PORT with an IP address, port 0 lets the system choose; errors as of
// http::Server::Start() name --metrics-listen.
absl::StatusOr<std::unique_ptr<http::Server>> StartMetricsListener(const std::string& address,
                                                                   const Clock& clock);

}  // namespace devicetrust::service
