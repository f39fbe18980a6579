#include "simulator/devices/windows.h"

#include <fmt/format.h>

#include <array>
#include <vector>

namespace devicetrust::simulator {
namespace {

using std::chrono::minutes;

constexpr const char* kChromeKey =
    "HKLM\\SOFTWARE\\Policies\\Google\\Chrome\\AutoSelectCertificateForUrls\\1";
constexpr const char* kEdgeKey =
    "HKLM\\SOFTWARE\\Policies\\Microsoft\\Edge\\AutoSelectCertificateForUrls\\1";
constexpr const char* kInternetSettings =
    "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\CurrentVersion\\Internet Settings\\";
// URLACTION_CLIENT_CERT_PROMPT: 0 is "don't prompt when no certificates or only one exists".
constexpr const char* kCertificatePrompt = "Zones\\2\\1A04";
constexpr const char* kTrustedSites = "2";

std::string ZoneName(const std::string& mtls_host) {
  return fmt::format("{}ZoneMapKey\\https://*.{}", kInternetSettings, mtls_host);
}

std::string AutoSelect(const std::string& mtls_host) {
  return fmt::format(
      R"({{"pattern":"https://[*.]{}","filter":{{"ISSUER":{{"CN":"MTLS Certificate Authority"}}}}}})",
      mtls_host);
}

// The values that make browsers choose.
std::vector<std::pair<std::string, std::string>> BrowserValues(const std::string& mtls_host) {
  return {{kChromeKey, AutoSelect(mtls_host)},
          {kEdgeKey, AutoSelect(mtls_host)},
          {ZoneName(mtls_host), kTrustedSites},
          {std::string(kInternetSettings) + kCertificatePrompt, "0"}};
}

bool IsBelow(std::string_view host, std::string_view domain) {
  return host.size() > domain.size() && host.ends_with(domain) &&
         host[host.size() - domain.size() - 1] == '.';
}

bool InTrustedZone(const Registry& registry, std::string_view host) {
  for (std::size_t dot = host.find('.'); dot != std::string_view::npos;
       dot = host.find('.', dot + 1)) {
    if (registry.Value(ZoneName(std::string(host.substr(dot + 1)))) == kTrustedSites) return true;
  }
  return false;
}

}  // namespace

std::string_view WindowsName(WindowsRelease release) {
  constexpr std::array<std::string_view, 5> kNames = {"Windows 7", "Windows 8", "Windows 8.1",
                                                      "Windows 10", "Windows Server 2012"};
  return kNames[static_cast<std::size_t>(release)];
}

absl::Status CheckPrerequisites(const WindowsSpec& spec, int& dot_net, bool& installed) {
  installed = false;
  if (spec.release == WindowsRelease::k8 || spec.release == WindowsRelease::kServer2012) {
    return absl::FailedPreconditionError(
        fmt::format("{} is not supported: Windows 7, 8.1 and 10 are", WindowsName(spec.release)));
  }
  if (dot_net >= kDotNetNeeded) return absl::OkStatus();
  if (!spec.may_install_dot_net) {
    return absl::FailedPreconditionError(
        ".NET Framework 4.5.2 is missing, and Windows refuses to install it");
  }
  dot_net = kDotNetNeeded;
  installed = true;
  return absl::OkStatus();
}

std::optional<std::string> Registry::Value(const std::string& name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return std::nullopt;
  return found->second.value;
}

void Registry::Set(const std::string& name, const std::string& value, Writer writer) {
  const auto found = values_.find(name);
  // Group Policy has the last word; the agent leaves alone what is not its own.
  const bool of_another = found != values_.end() && found->second.writer != writer;
  if (of_another && writer == Writer::kAgent) return;
  values_[name] = {value, writer};
}

void Registry::RemoveAllOf(Writer writer) {
  std::erase_if(values_, [&](const auto& entry) { return entry.second.writer == writer; });
}

void InstallInto(Registry& registry, const agent::InstallOptions& options,
                 const agent::AgentVersion& version, const std::string& mtls_host) {
  constexpr auto kAgent = Registry::Writer::kAgent;
  registry.RemoveAllOf(kAgent);
  registry.Set(std::string(kAgentKey) + "OrgUrl", options.org_url, kAgent);
  registry.Set(std::string(kAgentKey) + "Version", version.Text(), kAgent);
  if (!options.http_proxy.empty()) {
    registry.Set(std::string(kAgentKey) + "HttpProxy", options.http_proxy, kAgent);
  }
  if (options.skip_browser_setup) return;
  for (const auto& [name, value] : BrowserValues(mtls_host)) registry.Set(name, value, kAgent);
}

void UninstallFrom(Registry& registry) { registry.RemoveAllOf(Registry::Writer::kAgent); }

bool ChoosesCertificate(const Registry& registry, WindowsBrowser browser, std::string_view host) {
  if (browser == WindowsBrowser::kInternetExplorer) {
    return InTrustedZone(registry, host) &&
           registry.Value(std::string(kInternetSettings) + kCertificatePrompt) == "0";
  }
  const auto value = registry.Value(browser == WindowsBrowser::kChrome ? kChromeKey : kEdgeKey);
  if (!value) return false;
  constexpr std::string_view kBegin = "https://[*.]";
  const std::size_t begin = value->find(kBegin);
  if (begin == std::string::npos) return false;
  const std::size_t from = begin + kBegin.size();
  const std::string domain = value->substr(from, value->find('"', from) - from);
  return host == domain || IsBelow(host, domain);
}

minutes RefreshInterval(std::uint32_t computer) { return minutes(90 + computer % 31); }

bool RefreshGroupPolicy(Registry& registry, const GroupPolicy& policy, std::uint32_t computer,
                        WallTime started_at, WallTime now) {
  if (now < started_at) return false;
  const auto interval = RefreshInterval(computer);
  const auto looks = (now - started_at) / interval;
  const WallTime last_look = started_at + interval * looks;
  if (last_look < policy.changed_at) return false;
  registry.RemoveAllOf(Registry::Writer::kGroupPolicy);
  for (const auto& [name, value] : BrowserValues(policy.mtls_host)) {
    registry.Set(name, value, Registry::Writer::kGroupPolicy);
  }
  return true;
}

}  // namespace devicetrust::simulator
