// Keeps OrgSnapshots and RevocationState up to date: one thread per stream, one for what is asked
// again every so often. While the other side is away they try again, with pauses that grow; what
// is known stays known, but RevocationState::IsFresh() turns false. Uses gRPC and this room alone.
#pragma once

#include <grpcpp/channel.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "libs/base/status.h"
#include "simulator/gateway/upstream/org_snapshots.h"
#include "simulator/gateway/upstream/revocation_state.h"

namespace devicetrust::gateway {

struct FeedsConfig {
  std::string org;
  std::function<std::string()> ca_bundle;  // PEM, for DiscoveryJson(), as the next.
  std::string mtls_host = {};
  std::shared_ptr<grpc::Channel> org_channel;
  std::shared_ptr<grpc::Channel> ca_channel;
  // Takes issuers that differ from those before, on a thread of the feeds; afterwards they are in
  // the snapshots. An error leaves those before in force, and the issuers are fetched again.
  std::function<absl::Status(const DeviceIssuers&)> use_issuers;
  std::chrono::milliseconds apps_every{500};
  std::chrono::milliseconds iwas_every{5000};  // While there is none: apps_every.
  std::chrono::milliseconds issuers_every{1000};
  std::chrono::milliseconds keys_every{10'000};
};

class Feeds {
 public:
  // Starts the threads. `snapshots` and `revocations` outlive this.
  Feeds(FeedsConfig config, OrgSnapshots& snapshots, RevocationState& revocations);
  ~Feeds();  // Ends the streams and joins.
  Feeds(const Feeds&) = delete;
  Feeds& operator=(const Feeds&) = delete;

  // True once keys, apps, issuers and discovery are there and both streams spoke; false after
  // `timeout`.
  bool WaitUntilReady(std::chrono::milliseconds timeout) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace devicetrust::gateway
