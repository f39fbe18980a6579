// A load's result: for people as text, for programs as JSON.
#pragma once

#include <string>
#include <vector>

#include "simulator/handshake/load.h"

namespace devicetrust::simulator {

// Ends with a line end.
std::string LoadSummary(const LoadPlan& plan, const LoadResult& result,
                        const std::vector<std::string>& limits);

// One object: `target`, `mode` ("open" or "closed"), `rate` or `concurrency`, `threads`,
// `certificates`, `seconds`, `begun`, `done`, `errors`, `first_error`, `failures`, `per_second`,
// `resumed`, `revoked`, `outcomes`, `agreed`, `latency` and `handshake` and `late` (each `mean_ms`,
// `p50_ms`, `p90_ms`, `p99_ms`, `p999_ms`, `max_ms`), `client` and, when it is on this machine,
// `server` (each `cpu_seconds`, `cpu_us` per connection; the server with `name` and `pids`),
// `limited_by`. Ends with a line end.
std::string LoadJson(const LoadPlan& plan, const LoadResult& result,
                     const std::vector<std::string>& limits);

}  // namespace devicetrust::simulator
