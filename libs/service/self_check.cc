#include "libs/service/self_check.h"

#include <algorithm>

#include "libs/base/log.h"
#include "libs/service/metrics.h"

namespace devicetrust::service {
namespace {

constexpr int kFailuresMax = 2;

}  // namespace

bool SelfCheck::Listener::well() const { return failures < kFailuresMax; }

SelfCheck::SelfCheck(const std::vector<rpc::Server*>& rpc_servers,
                     const std::vector<const http::Server*>& http_servers,
                     std::chrono::milliseconds pause, std::chrono::milliseconds answer)
    : answer_(answer),
      rpc_servers_(rpc_servers),
      listeners_([&] {
        std::vector<Listener> listeners;
        for (const rpc::Server* server : rpc_servers) {
          listeners.push_back({server->name(), [server](std::chrono::milliseconds timeout) {
                                 return server->AskOverNetwork(timeout);
                               }});
        }
        for (const http::Server* server : http_servers) {
          for (std::size_t i = 0; i < server->listeners(); ++i) {
            listeners.push_back({server->name(i), [server, i](std::chrono::milliseconds timeout) {
                                   return server->AskOverNetwork(i, timeout);
                                 }});
          }
        }
        return listeners;
      }()),
      loop_(pause, [this, pause] {
        Check();
        return pause;
      }) {}

void SelfCheck::Check() {
  for (Listener& listener : listeners_) {
    if (loop_.stopping()) return;
    const bool was_well = listener.well();
    const absl::Status status = listener.ask(answer_);
    listener.failures = status.ok() ? 0 : std::min(listener.failures + 1, kFailuresMax);
    kListenerAnswers.With({listener.name}).Set(status.ok() ? 1 : 0);
    if (listener.well() == was_well) continue;
    Log(listener.well() ? LogLevel::kInfo : LogLevel::kWarning, "service.listener.answers",
        {{"listener", listener.name},
         {"answers", listener.well()},
         {"error", std::string(status.message())}});
  }
  const bool all = std::ranges::all_of(listeners_, &Listener::well);
  for (rpc::Server* server : rpc_servers_) {
    for (const Listener& listener : listeners_) server->SetHealth(listener.name, listener.well());
    server->SetHealth("", all);
  }
}

}  // namespace devicetrust::service
