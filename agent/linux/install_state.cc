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
constexpr std::string_view kProxyScheme = "http://";
constexpr const char* kNotOptions[] = {"Version", "InstalledAt"};

// Where HttpProxy's host begins.
std::size_t ProxyHostAt(const std::string& http_proxy) {
  const std::size_t at = http_proxy.rfind('@');
  return at == std::string::npos ? kProxyScheme.size() : at + 1;
}

absl::Status Delete(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return absl::PermissionDeniedError(fmt::format("{}: cannot be deleted", path));
}

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
  std::string proxy = options.http_proxy;
  if (const std::size_t host = ProxyHostAt(proxy); host > kProxyScheme.size()) {
    const std::size_t size = host - 1 - kProxyScheme.size();
    DT_RETURN_IF_ERROR(WriteFileAtomically(paths.proxy_password(),
                                           proxy.substr(kProxyScheme.size(), size) + "\n", 0600));
    proxy.erase(kProxyScheme.size(), size + 1);
  } else {
    DT_RETURN_IF_ERROR(Delete(paths.proxy_password()));
  }
  std::string text = kHead;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) text += fmt::format("{}={}\n", name, value);
  };
  add("Version", kThisVersion.Text());
  add("InstalledAt", FormatUtc(now));
  add("OrgURL", options.org_url);
  add("SkipBrowserSetup", options.skip_browser_setup ? "true" : "false");
  add("SkipTpm", options.skip_tpm ? "true" : "");
  add("HttpProxy", proxy);
  add("TrustBundle", options.trust_bundle);
  add("Keytab", options.keytab);
  add("Store", options.store);
  return WriteFileAtomically(paths.config(), text, 0644);
}

absl::Status InstallState::Remove(const Paths& paths) {
  DT_RETURN_IF_ERROR(Delete(paths.proxy_password()));
  return Delete(paths.config());
}

std::optional<std::string> InstallState::Value(const std::string& name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return std::nullopt;
  return found->second;
}

absl::StatusOr<std::string> ProxyWithPassword(const std::string& http_proxy,
                                              const std::string& path) {
  DT_RETURN_IF_ERROR(RefuseIfShared(path));
  DT_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const std::string line = text.substr(0, text.find('\n'));
  const std::string proxy =
      fmt::format("{}{}@{}", kProxyScheme, line, http_proxy.substr(ProxyHostAt(http_proxy)));
  if (line.empty() || !ParseHttpProxy(proxy).ok()) {
    return absl::InvalidArgumentError(
        fmt::format("{}: no line of USER:PASSWORD, as in a URL", path));
  }
  return proxy;
}

}  // namespace devicetrust::agent
