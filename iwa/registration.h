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
  // kAlreadyExists: another process has the name.
  virtual absl::Status Register(const org::v1::Iwa& iwa) = 0;
  // kNotFound: register first. kAlreadyExists: another process has registered since.
  virtual absl::Status Heartbeat(const org::v1::HeartbeatRequest& heartbeat) = 0;
};

// What there is to tell, and who is told what became of it.
class IwaReport {
 public:
  virtual ~IwaReport() = default;
  virtual absl::StatusOr<org::v1::Iwa> Describe() = 0;
  virtual std::string Problem() = 0;  // HeartbeatRequest::problem.
  virtual void NoteRegistered(const org::v1::Iwa& iwa) = 0;
  virtual void NoteNameTaken(const absl::Status& refusal) = 0;
};

// Keeps this IWA known to the org: registers, then a heartbeat each second, and registers
// again twice a minute, when there is something else to tell, and when the org has forgotten it.
// While the org does not answer, it tries on with growing pauses; services start in any order.
class Registration {
 public:
  static constexpr std::chrono::milliseconds kInterval{1000};
  static constexpr std::chrono::milliseconds kPauseMax{8000};
  static constexpr int kHeartbeatsPerRegistration = 30;

  // `org` and `report` outlive it. Tries once before it returns, so that in the ordinary case the
  // org knows this IWA when its server is ready.
  Registration(OrgRegistry& org, IwaReport& report, std::chrono::milliseconds interval = kInterval);
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

  bool registered() const { return registered_; }
  // And the org answered the last time.
  bool heard() const { return registered_ && heard_; }

 private:
  void Step();
  absl::Status Tell();

  OrgRegistry& org_;
  IwaReport& report_;
  const std::chrono::milliseconds interval_;
  std::chrono::milliseconds pause_;  // Of the loop alone, as the next two are.
  int heartbeats_ = 0;
  std::string told_;  // What was registered, serialized.
  std::atomic<bool> registered_{false};
  std::atomic<bool> heard_{false};

  std::optional<BackgroundLoop> loop_;  // Last: it uses all the others.
};

}  // namespace devicetrust::iwa
