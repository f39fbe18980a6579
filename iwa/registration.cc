#include "iwa/registration.h"

#include <algorithm>

#include "libs/base/log.h"

namespace devicetrust::iwa {

Registration::Registration(OrgRegistry& org, org::v1::Iwa iwa, std::chrono::milliseconds interval)
    : org_(org), iwa_(std::move(iwa)), interval_(interval), pause_(interval) {
  Step();
  loop_.emplace(pause_, [this] {
    Step();
    return pause_;
  });
}

void Registration::Step() {
  const bool was_registered = registered_;
  // Now and then in full: an org that was restored from a backup knows other keys of ours.
  const bool in_full = !was_registered || ++heartbeats_ % kHeartbeatsPerRegistration == 0;
  const absl::Status status = in_full ? org_.Register(iwa_) : org_.Heartbeat(iwa_.name());
  if (status.ok()) {
    if (!was_registered) Log(LogLevel::kInfo, "iwa.registered", {{"iwa", iwa_.name()}});
    registered_ = true;
    pause_ = interval_;
    return;
  }
  Log(LogLevel::kWarning, was_registered ? "iwa.heartbeat.failed" : "iwa.register.failed",
      {{"iwa", iwa_.name()}, {"error", status.ToString()}});
  if (was_registered && absl::IsNotFound(status)) {
    registered_ = false;
    pause_ = std::chrono::milliseconds(0);  // Register at once.
    return;
  }
  pause_ = std::clamp(pause_ * 2, interval_, std::max(interval_, kPauseMax));
}

}  // namespace devicetrust::iwa
