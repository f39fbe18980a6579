#include "simulator/deployment/component_process.h"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "libs/base/files.h"

namespace devicetrust::simulator {
namespace {

constexpr std::chrono::milliseconds kPoll{5};

std::vector<std::string> InheritedEnvironment(const std::vector<std::string>& more) {
  std::vector<std::string> all = more;
  const auto replaced = [&more](const std::string& entry) {
    const std::string name = entry.substr(0, entry.find('=') + 1);
    for (const std::string& other : more) {
      if (other.starts_with(name)) return true;
    }
    return false;
  };
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!replaced(*entry)) all.emplace_back(*entry);
  }
  return all;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ComponentProcess>> ComponentProcess::Start(
    const ComponentProcessConfig& config, std::chrono::milliseconds within) {
  const std::string log = fmt::format("{}/{}.log", config.run_dir, config.name);
  const std::string ready = fmt::format("{}/{}.ready", config.run_dir, config.name);
  ::unlink(ready.c_str());
  ChildConfig child_config;
  child_config.arguments = {config.program};
  child_config.arguments.insert(child_config.arguments.end(), config.args.begin(),
                                config.args.end());
  child_config.arguments.insert(child_config.arguments.end(), {"--ready-file", ready});
  child_config.environment = InheritedEnvironment(config.environment);
  child_config.output = log;
  absl::StatusOr<std::unique_ptr<ChildProcess>> child = ChildProcess::Start(child_config);
  if (absl::IsNotFound(child.status())) {
    return absl::NotFoundError(fmt::format("{}\n        Build it: cmake --build --preset release",
                                           std::string(child.status().message())));
  }
  if (!child.ok()) return child.status();
  std::unique_ptr<ComponentProcess> component(
      new ComponentProcess(config.name, log, *std::move(child)));
  DT_RETURN_IF_ERROR(component->WaitReady(ready, within));
  return component;
}

std::string ComponentProcess::Address(const std::string& listener) const {
  const auto found = addresses_.find(listener);
  return found == addresses_.end() ? "" : found->second;
}

absl::Status ComponentProcess::Check() const {
  const std::optional<std::string> ending = child_->ending();
  if (!ending.has_value()) return absl::OkStatus();
  return absl::UnavailableError(fmt::format("{} ended by itself ({}). The last lines of {}:\n{}",
                                            name_, *ending, log_, child_->LastOutput()));
}

absl::Status ComponentProcess::WaitReady(const std::string& ready_path,
                                         std::chrono::milliseconds within) {
  const auto end = std::chrono::steady_clock::now() + within;
  while (true) {
    if (const absl::StatusOr<std::string> text = ReadFile(ready_path); text.ok()) {
      const auto json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
      if (!json.is_object()) return absl::DataLossError(ready_path + " is not a JSON object");
      for (const auto& item : json.items()) {
        if (item.value().is_string()) addresses_[item.key()] = item.value();
      }
      return absl::OkStatus();
    }
    if (child_->WaitForEnd(kPoll)) return Check();
    if (std::chrono::steady_clock::now() >= end) {
      return absl::DeadlineExceededError(
          fmt::format("{} was not ready within {} ms. The last lines of {}:\n{}", name_,
                      within.count(), log_, child_->LastOutput()));
    }
  }
}

}  // namespace devicetrust::simulator
