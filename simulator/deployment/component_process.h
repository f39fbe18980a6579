// A shipped program (dt-ca, …) run beside the simulator for `--processes`.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "libs/base/status.h"
#include "simulator/forest/child_process.h"

namespace devicetrust::simulator {

struct ComponentProcessConfig {
  std::string name;               // "dt-ca", or "dt-gateway-2" for a second one.
  std::string program;            // Path.
  std::vector<std::string> args;  // Its flags, without --ready-file.
  std::string run_dir;            // For NAME.log and NAME.ready.
  // "NAME=value", in addition to what this process has.
  std::vector<std::string> environment;
};

class ComponentProcess {
 public:
  // Starts the program and waits until its ready file is there.
  // Errors: kNotFound no such program (says how to build it); kUnavailable it ended first;
  // kDeadlineExceeded. The last two show the last lines of its log.
  static absl::StatusOr<std::unique_ptr<ComponentProcess>> Start(
      const ComponentProcessConfig& config, std::chrono::milliseconds within);

  // As its ready file has it: listener name to host:port. Empty for a name that is not there.
  std::string Address(const std::string& listener) const;

  // OK while it runs; else kUnavailable with how it ended and the last lines of its log.
  absl::Status Check() const;

  ChildProcess& child() { return *child_; }
  const std::string& name() const { return name_; }

 private:
  ComponentProcess(std::string name, std::string log, std::unique_ptr<ChildProcess> child)
      : name_(std::move(name)), log_(std::move(log)), child_(std::move(child)) {}
  absl::Status WaitReady(const std::string& ready_path, std::chrono::milliseconds within);

  const std::string name_;
  const std::string log_;
  std::unique_ptr<ChildProcess> child_;
  std::map<std::string, std::string> addresses_;
};

}  // namespace devicetrust::simulator
