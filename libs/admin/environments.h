// The environments that `dt-sim up` keeps running for this user, and how a tool chooses one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libs/base/status.h"

namespace devicetrust::admin {

// The folder for temporary files: TMPDIR, else /tmp. kInvalidArgument names it when it is none.
absl::StatusOr<std::string> TemporaryFolder();

// This user's private folder below it for what outlives a run. Made when missing;
// kFailedPrecondition when somebody else has it.
absl::StatusOr<std::string> StateFolder();

// Makes an environment known to this user's tools while it lives. A process that is killed is
// forgotten, too: the system drops its lock.
class Announcement {
 public:
  // `endpoints_file`: the absolute path of its endpoints.json. Errors: those of StateFolder();
  // kInternal when nothing can be written there.
  static absl::StatusOr<Announcement> Make(const std::string& endpoints_file);
  ~Announcement();
  Announcement(Announcement&& other) noexcept;
  Announcement& operator=(Announcement&&) = delete;

 private:
  Announcement(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}

  std::string path_;  // Empty: moved from.
  int lock_ = -1;
};

// The endpoints.json of each that runs, sorted. Errors: those of StateFolder().
absl::StatusOr<std::vector<std::string>> RunningEnvironments();

// The endpoints.json that a tool goes by: that of the folder `run_dir`, else what the environment
// variable DT_ENDPOINTS names, else that of the only environment that runs. Empty when none is
// named and none runs. kFailedPrecondition when several run, which the message lists.
absl::StatusOr<std::string> FindEndpointsFile(const std::string& run_dir);

}  // namespace devicetrust::admin
