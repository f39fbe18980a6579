#pragma once

#include <atomic>
#include <chrono>
#include <optional>
#include <string>

#include "devicetrust/org/v1/iwa_registry.pb.h"
#include "libs/base/background_loop.h"
#include "libs/base/status.h"

namespace devicetrust::iwa {

// What the IWA tells the org. Calls block for two seconds at most. Thread-safe.
class OrgRegistry {
 public:
  virtual ~OrgRegistry() = default;
  virtual absl::Status Register(const org::v1::Iwa& iwa) = 0;
  virtual absl::Status Heartbeat(const std::string& name) = 0;  // kNotFound: register first.
};

// Keeps this IWA known to the org: registers, then a heartbeat each second, and registers
// again twice a minute and when the org has forgotten it. While the org does not answer, it tries
// on with growing pauses; services start in any order.
class Registration {
 public:
  static constexpr std::chrono::milliseconds kInterval{1000};
  static constexpr std::chrono::milliseconds kPauseMax{8000};
  static constexpr int kHeartbeatsPerRegistration = 30;

  // `org` outlives it. Tries once before it returns, so that in the ordinary case the org
  // knows this IWA when its server is ready.
  Registration(OrgRegistry& org, org::v1::Iwa iwa, std::chrono::milliseconds interval = kInterval);
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

  bool registered() const { return registered_; }

 private:
  void Step();

  OrgRegistry& org_;
  const org::v1::Iwa iwa_;
  const std::chrono::milliseconds interval_;
  std::chrono::milliseconds pause_;  // Of the loop alone, as heartbeats_ is.
  int heartbeats_ = 0;
  std::atomic<bool> registered_{false};

  std::optional<BackgroundLoop> loop_;  // Last: it uses all the others.
};

}  // namespace devicetrust::iwa
