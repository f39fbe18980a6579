// Keeps OrgView and LiveState up to date: one thread for each stream, one for what is asked
// again every so often. While the other side is away they try again, with pauses that grow;
// what is known stays known, but LiveState::IsFresh() turns false.
#pragma once

#include <grpcpp/channel.h>

#include <chrono>
#include <memory>
#include <string>

#include "libs/base/clock.h"
#include "simulator/gateway/live_state.h"
#include "simulator/gateway/org_view.h"

namespace devicetrust::gateway {

struct FeedsConfig {
  std::string org;
  std::string ca_bundle;  // PEM, for DiscoveryJson().
  std::shared_ptr<grpc::Channel> org_channel;
  std::shared_ptr<grpc::Channel> ca_channel;
  std::chrono::milliseconds apps_every{500};
  std::chrono::milliseconds discovery_every{5000};
  std::chrono::milliseconds keys_every{60'000};
};

class Feeds {
 public:
  // Starts the threads. `view`, `live` and `clock` outlive this.
  Feeds(FeedsConfig config, OrgView& view, LiveState& live, const Clock& clock);
  ~Feeds();  // Ends the streams and joins.
  Feeds(const Feeds&) = delete;
  Feeds& operator=(const Feeds&) = delete;

  // True once keys, apps and discovery are there and both streams spoke; false after `timeout`.
  bool WaitUntilReady(std::chrono::milliseconds timeout) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace devicetrust::gateway
