// What Windows has around the agent: releases, .NET, the registry with browsers' policies in it,
// and Group Policy, which writes there, too, and later.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "agent/install_options.h"
#include "agent/version.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"

namespace devicetrust::simulator {

enum class WindowsRelease { k7, k8, k8_1, k10, kServer2012 };
std::string_view WindowsName(WindowsRelease release);  // "Windows 8.1"

// As releases of the .NET Framework compare: 40502 is 4.5.2.
inline constexpr int kNoDotNet = 0;
inline constexpr int kDotNetNeeded = 40502;

// One for any number of computers that are alike.
struct WindowsSpec {
  WindowsRelease release = WindowsRelease::k10;
  int dot_net = 40800;
  bool may_install_dot_net = true;  // Windows 7 without its updates cannot.
  agent::AgentVersion agent = agent::kThisVersion;
};

// Looks whether the agent runs there, and installs .NET 4.5.2 where it is missing, which the user
// sees: `installed` says whether. kFailedPrecondition: an unsupported release, or no .NET to be
// had.
absl::Status CheckPrerequisites(const WindowsSpec& spec, int& dot_net, bool& installed);

// Values by key and name: "HKLM\SOFTWARE\Policies\Google\Chrome\AutoSelectCertificateForUrls\1".
// Each remembers who wrote it, so that nobody removes another's.
class Registry {
 public:
  enum class Writer { kAgent, kGroupPolicy, kAdministrator };
  std::optional<std::string> Value(const std::string& name) const;
  void Set(const std::string& name, const std::string& value, Writer writer);
  void RemoveAllOf(Writer writer);
  std::size_t size() const { return values_.size(); }

 private:
  struct Entry {
    std::string value;
    Writer writer;
  };
  std::map<std::string, Entry> values_;
};

inline constexpr const char* kAgentKey = "HKLM\\SOFTWARE\\Device Trust\\";

// What the installer writes for `options`, as an agent of `version` does: its own key, and, unless
// they are skipped, the values by which Chrome, Edge and Internet Explorer choose the certificate
// for hosts below `mtls_host`. A value that somebody else wrote stays.
void InstallInto(Registry& registry, const agent::InstallOptions& options,
                 const agent::AgentVersion& version, const std::string& mtls_host);
// Takes back what InstallInto() wrote.
void UninstallFrom(Registry& registry);

// Whether a browser of that computer chooses the certificate by itself at `host`. Else the user is
// asked, and sees this certificate alone.
enum class WindowsBrowser { kChrome, kEdge, kInternetExplorer };
bool ChoosesCertificate(const Registry& registry, WindowsBrowser browser, std::string_view host);

// A Group Policy Object that says the same; for installations with SkipBrowserSetup.
struct GroupPolicy {
  std::string mtls_host;
  WallTime changed_at;
};

// Computers look every 90 minutes and up to 30 more, by chance, which here is the computer's
// number.
std::chrono::minutes RefreshInterval(std::uint32_t computer);
// Brings what the policy says into the registry when the computer has looked since it was changed;
// `started_at` is when its first look was. True when it did.
bool RefreshGroupPolicy(Registry& registry, const GroupPolicy& policy, std::uint32_t computer,
                        WallTime started_at, WallTime now);

}  // namespace devicetrust::simulator
