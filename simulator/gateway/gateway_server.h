// The gateway's composition: listeners, hosts, feeds. It may touch every room; nothing but main and
// tests may touch it.
#pragma once

#include <memory>
#include <string>

#include "libs/base/clock.h"
#include "libs/base/process.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "simulator/gateway/config.h"

namespace devicetrust::gateway {

// The org's HTTPS front: an org host and mTLS hosts. Keeps no state: any number of them serve one
// org behind any load balancer. Starts before, after or without the org and the CA: until the org
// spoke, the org host answers 503; until the CA named its issuers, and while either is silent, no
// device is trusted. Issuers come from the CA and change without a restart.
class GatewayServer {
 public:
  // Bound and serving; waits up to a few seconds for the org and the CA. `clock` and
  // `random` (thread-safe) outlive it.
  //
  // Errors:
  //   kInvalidArgument, kNotFound  an option or file; the message names it.
  //   kFailedPrecondition          a port is taken, a key file is readable by others, or the
  //                                mTLS certificate covers the org host.
  static absl::StatusOr<std::unique_ptr<GatewayServer>> Create(const Config& config,
                                                               const Clock& clock, Random& random);
  ~GatewayServer();
  GatewayServer(const GatewayServer&) = delete;
  GatewayServer& operator=(const GatewayServer&) = delete;

  // "org" and "mtls".
  Addresses addresses() const;
  // Org, CA and both streams have spoken.
  bool WaitUntilReady(std::chrono::milliseconds timeout) const;
  // Reads certificates and keys of the listeners again, as a change of their files makes it do by
  // itself: connections from now on use them, those that are open go on. Bad ones are logged, and
  // change nothing.
  void Reload();
  // Drains. Idempotent.
  void Stop();

 private:
  struct Parts;
  explicit GatewayServer(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

// Checks options and files without binding anything (check-config). As Create().
absl::Status CheckConfig(const Config& config);

// Whom a gateway that is not ready yet waits for: a phrase for its log.
std::string WaitsFor(const Config& config);

}  // namespace devicetrust::gateway
