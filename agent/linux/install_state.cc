#include "agent/linux/install_state.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <sstream>
#include <vector>

#include "libs/base/files.h"
#include "libs/base/utc_time.h"

namespace devicetrust::agent {
namespace {

constexpr const char* kHead =
    "# Written by `dt-agent install`, which takes these options; do not edit.\n";
constexpr const char* kNotOptions[] = {"Version", "InstalledAt"};

bool IsOption(const std::string& name) {
  for (const char* other : kNotOptions) {
    if (name == other) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<InstallState> InstallState::Read(const Paths& paths) {
  auto text = ReadFile(paths.config());
  if (absl::IsNotFound(text.status())) {
    return absl::NotFoundError(
        fmt::format("the agent is not installed: there is no {}", paths.config()));
  }
  if (!text.ok()) return text.status();
  InstallState state;
  std::vector<std::string> words;
  std::istringstream lines(*text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    if (line.empty() || line.starts_with('#')) continue;
    const std::size_t equals = line.find('=');
    if (equals == std::string::npos) {
      return absl::InvalidArgumentError(
          fmt::format("{}:{}: no line of Name=Value", paths.config(), number));
    }
    const std::string name = line.substr(0, equals);
    state.values_[name] = line.substr(equals + 1);
    if (IsOption(name)) words.push_back(line);
  }
  auto options = ParseInstallOptions(words);
  if (!options.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("{}: {}", paths.config(), std::string(options.status().message())));
  }
  state.options_ = *std::move(options);
  return state;
}

absl::Status InstallState::Write(const Paths& paths, const InstallOptions& options, WallTime now) {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(paths.config()).parent_path(), error);
  std::string text = kHead;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) text += fmt::format("{}={}\n", name, value);
  };
  add("Version", kThisVersion.Text());
  add("InstalledAt", FormatUtc(now));
  add("OrgURL", options.org_url);
  add("SkipBrowserSetup", options.skip_browser_setup ? "true" : "false");
  add("SkipTpm", options.skip_tpm ? "true" : "");
  add("HttpProxy", options.http_proxy);
  add("TrustBundle", options.trust_bundle);
  add("Keytab", options.keytab);
  add("Store", options.store);
  return WriteFileAtomically(paths.config(), text, 0644);
}

absl::Status InstallState::Remove(const Paths& paths) {
  if (::unlink(paths.config().c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return absl::PermissionDeniedError(fmt::format("{}: cannot be deleted", paths.config()));
}

std::optional<std::string> InstallState::Value(const std::string& name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return std::nullopt;
  return found->second;
}

}  // namespace devicetrust::agent
