#pragma once

#include <chrono>
#include <vector>

#include "libs/base/background_loop.h"
#include "libs/rpc/server.h"

namespace devicetrust::rpc {

inline constexpr std::chrono::milliseconds kSelfCheckPause{10'000};
inline constexpr std::chrono::milliseconds kSelfCheckAnswer{5'000};

// Calls the listeners of its own process over the network, again and again, as their clients do,
// and makes their health say what came of it: of the service "" (all) and of the listener's name,
// at each of the listeners, so that one that nobody reaches any more is seen at another. The metric
// dt_rpc_listener_answers tells it as well. A listener is well until it fails twice in a row.
class SelfCheck {
 public:
  // The servers outlive it. It first asks after `pause`, and waits `answer` for each.
  explicit SelfCheck(const std::vector<Server*>& servers,
                     std::chrono::milliseconds pause = kSelfCheckPause,
                     std::chrono::milliseconds answer = kSelfCheckAnswer);

 private:
  struct Checked {
    Checked(Server* one) : server(one) {}  // NOLINT(google-explicit-constructor)
    Server* server;
    int failures = 0;  // In a row.
  };
  void Check();

  const std::chrono::milliseconds pause_;
  const std::chrono::milliseconds answer_;
  std::vector<Checked> servers_;
  BackgroundLoop loop_;  // Last: it uses the others.
};

}  // namespace devicetrust::rpc
