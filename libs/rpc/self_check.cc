#include "libs/rpc/self_check.h"

#include <algorithm>

#include "libs/base/log.h"
#include "libs/rpc/metrics.h"

namespace devicetrust::rpc {
namespace {

constexpr int kFailuresMax = 2;

}  // namespace

SelfCheck::SelfCheck(const std::vector<Server*>& servers, std::chrono::milliseconds pause,
                     std::chrono::milliseconds answer)
    : pause_(pause),
      answer_(answer),
      servers_(servers.begin(), servers.end()),
      loop_(pause, [this] {
        Check();
        return pause_;
      }) {}

void SelfCheck::Check() {
  for (Checked& checked : servers_) {
    if (loop_.stopping()) return;
    const bool was_well = checked.failures < kFailuresMax;
    const absl::Status status = checked.server->AskOverNetwork(answer_);
    checked.failures = status.ok() ? 0 : std::min(checked.failures + 1, kFailuresMax);
    const bool well = checked.failures < kFailuresMax;
    kListenerAnswers.With({checked.server->name()}).Set(status.ok() ? 1 : 0);
    if (well == was_well) continue;
    Log(well ? LogLevel::kInfo : LogLevel::kWarning, "rpc.listener.answers",
        {{"listener", checked.server->name()},
         {"answers", well},
         {"error", std::string(status.message())}});
  }
  const bool all = std::ranges::all_of(
      servers_, [](const Checked& checked) { return checked.failures < kFailuresMax; });
  for (const Checked& at : servers_) {
    for (const Checked& of : servers_) {
      at.server->SetHealth(of.server->name(), of.failures < kFailuresMax);
    }
    at.server->SetHealth("", all);
  }
}

}  // namespace devicetrust::rpc
