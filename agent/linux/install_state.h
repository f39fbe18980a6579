// What an installation left on the computer: lines of Name=Value, readable by everybody. The
// agent's registry, and what a management tool detects the installation by: the file is there, and
// its value Version says which.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "agent/install_options.h"
#include "agent/linux/paths.h"
#include "libs/base/clock.h"

namespace devicetrust::agent {

class InstallState {
 public:
  // kNotFound: the agent is not installed. kInvalidArgument: the file makes no sense; the message
  // has the line.
  static absl::StatusOr<InstallState> Read(const Paths& paths);
  // What a proxy is told lies apart (Paths::proxy_password()), since everybody reads this.
  static absl::Status Write(const Paths& paths, const InstallOptions& options, WallTime now);
  // OK when it is not there.
  static absl::Status Remove(const Paths& paths);

  std::optional<std::string> Value(const std::string& name) const;
  const InstallOptions& options() const { return options_; }
  const std::map<std::string, std::string>& values() const { return values_; }

 private:
  std::map<std::string, std::string> values_;
  InstallOptions options_;
};

// HttpProxy with the user information that the file at `path` has. kNotFound: there is none.
// kFailedPrecondition: others may read it too. kPermissionDenied: it is another account's.
// kInvalidArgument: it is no line of USER:PASSWORD. No message has the password.
absl::StatusOr<std::string> ProxyWithPassword(const std::string& http_proxy,
                                              const std::string& path);

}  // namespace devicetrust::agent
