#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "libs/base/background_loop.h"
#include "libs/base/status.h"
#include "libs/http/server.h"
#include "libs/rpc/server.h"

namespace devicetrust::service {

inline constexpr std::chrono::milliseconds kSelfCheckPause{10'000};
inline constexpr std::chrono::milliseconds kSelfCheckAnswer{5'000};

// Calls the listeners of its own process over the network, again and again, as their clients do.
// A listener is well until it fails twice in a row. What came of it the metric dt_listener_answers
// tells, the log when it changes, and the health of the gRPC servers: of the service "" (all) and
// of each listener's name, at each of the servers, so that one that nobody reaches any more is seen
// at another.
class SelfCheck {
 public:
  // All servers outlive it. It first asks after `pause`, and waits `answer` for each listener.
  explicit SelfCheck(const std::vector<rpc::Server*>& rpc_servers,
                     const std::vector<const http::Server*>& http_servers = {},
                     std::chrono::milliseconds pause = kSelfCheckPause,
                     std::chrono::milliseconds answer = kSelfCheckAnswer);

 private:
  struct Listener {
    std::string name;
    std::function<absl::Status(std::chrono::milliseconds answer)> ask;
    int failures = 0;  // In a row.

    bool well() const;
  };
  void Check();

  const std::chrono::milliseconds answer_;
  const std::vector<rpc::Server*> rpc_servers_;
  std::vector<Listener> listeners_;
  BackgroundLoop loop_;  // Last: it uses the others.
};

}  // namespace devicetrust::service
