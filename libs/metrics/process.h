// What a scraper wants to know of any process, under the names that Prometheus' own clients use:
// https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics
#pragma once

#include <string_view>

namespace devicetrust::metrics {

// Adds process_start_time_seconds, process_cpu_seconds_total, process_resident_memory_bytes,
// process_virtual_memory_bytes, process_open_fds, process_max_fds and process_threads, read from
// /proc at each scrape; and dt_build_info, whose labels say which program and version it is.
// A later call adds another dt_build_info alone.
void AddProcessMetrics(std::string_view program, std::string_view version);

}  // namespace devicetrust::metrics
