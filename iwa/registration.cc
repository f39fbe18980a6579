#include "iwa/registration.h"

#include <algorithm>

#include "libs/base/log.h"

namespace devicetrust::iwa {

Registration::Registration(OrgRegistry& org, IwaReport& report, std::chrono::milliseconds interval)
    : org_(org), report_(report), interval_(interval), pause_(interval) {
  Step();
  loop_.emplace(pause_, [this] {
    Step();
    return pause_;
  });
}

// Now and then in full: an org that was restored from a backup knows other keys of ours.
absl::Status Registration::Tell() {
  DT_ASSIGN_OR_RETURN(const org::v1::Iwa iwa, report_.Describe());
  std::string description = iwa.SerializeAsString();
  const bool in_full =
      !registered_ || description != told_ || ++heartbeats_ % kHeartbeatsPerRegistration == 0;
  if (!in_full) {
    org::v1::HeartbeatRequest heartbeat;
    heartbeat.set_name(iwa.name());
    heartbeat.set_process_id(iwa.process_id());
    heartbeat.set_problem(report_.Problem());
    return org_.Heartbeat(heartbeat);
  }
  DT_RETURN_IF_ERROR(org_.Register(iwa));
  told_ = std::move(description);
  report_.NoteRegistered(iwa);
  if (!registered_) Log(LogLevel::kInfo, "iwa.registered", {{"iwa", iwa.name()}});
  registered_ = true;
  return absl::OkStatus();
}

void Registration::Step() {
  const bool was_registered = registered_;
  const absl::Status status = Tell();
  heard_ = status.ok();
  if (status.ok()) {
    pause_ = interval_;
    return;
  }
  Log(LogLevel::kWarning, was_registered ? "iwa.heartbeat.failed" : "iwa.register.failed",
      {{"error", status.ToString()}});
  if (absl::IsAlreadyExists(status)) {
    registered_ = false;
    report_.NoteNameTaken(status);
  }
  if (was_registered && absl::IsNotFound(status)) {
    registered_ = false;
    pause_ = std::chrono::milliseconds(0);  // Register at once.
    return;
  }
  pause_ = std::clamp(pause_ * 2, interval_, std::max(interval_, kPauseMax));
}

}  // namespace devicetrust::iwa
