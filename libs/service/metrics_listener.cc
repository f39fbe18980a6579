#include "libs/service/metrics_listener.h"

#include <utility>

#include "libs/metrics/metrics.h"

namespace devicetrust::service {
namespace {

constexpr char kPath[] = "/metrics";
constexpr std::size_t kConnectionsMax = 16;
constexpr std::size_t kMemoryBytesMax = std::size_t{4} << 20;

Task<http::Response> Answer(const http::Request& request) {
  if (request.path != kPath) co_return http::Text(404, "the metrics are at /metrics\n");
  if (request.method == "POST") {
    http::Response refused = http::Text(405, "only GET is served here\n");
    refused.fields.Set("Allow", "GET, HEAD");
    co_return refused;
  }
  http::Response response;
  response.fields.Set("Content-Type", metrics::kContentType);
  response.body = metrics::Exposition();
  co_return response;
}

}  // namespace

absl::StatusOr<std::unique_ptr<http::Server>> StartMetricsListener(const std::string& address,
                                                                   const Clock& clock) {
  http::ListenerConfig listener;
  listener.address = address;
  listener.flag = "--metrics-listen";
  listener.handler = [](const http::Request& request) { return Answer(request); };
  listener.limits.connections_max = kConnectionsMax;
  listener.limits.memory_bytes_max = kMemoryBytesMax;
  listener.limits.parser.body_bytes_max = 0;
  listener.limits.parser.host_optional = true;
  http::ServerConfig config;
  config.listeners.push_back(std::move(listener));
  config.clock = &clock;
  return http::Server::Start(std::move(config));
}

}  // namespace devicetrust::service
