// What an installation is told, under the names that administrators know (docs/behaviour.md,
// AGT-6): OrgURL=https://acme.example.com SkipBrowserSetup=true HttpProxy=http://proxy:3128
#pragma once

#include <span>
#include <string>

#include "agent/version.h"
#include "libs/base/status.h"

namespace devicetrust::agent {

struct InstallOptions {
  std::string org_url;              // OrgURL, "https://HOST[:PORT]"; without a slash at its end.
  bool skip_browser_setup = false;  // SkipBrowserSetup
  std::string http_proxy;           // HttpProxy, "http://[USER:PASSWORD@]HOST:PORT"; empty: none.
  bool skip_tpm = false;            // SkipTpm
  std::string trust_bundle;  // TrustBundle, file: who signs the org host; empty: the system's.
  std::string keytab;        // Keytab, file with the computer's keys; empty: the system's.
  std::string store;         // Store: "browsers" (also when empty) or a folder for PEM files.

  bool operator==(const InstallOptions&) const = default;
};

// Of NAME=VALUE words, names in any case. kInvalidArgument: a word that no agent knows, or that
// `version` does not know yet, a value that makes no sense, or no OrgURL; the message says which
// and what it must be.
absl::StatusOr<InstallOptions> ParseInstallOptions(std::span<const std::string> words,
                                                   const AgentVersion& version = kThisVersion);

// Whether the device task goes through HttpProxy as the user task does.
bool DeviceTaskUsesProxy(const InstallOptions& options, const AgentVersion& version);

// "HOST:PORT" of an http:// proxy, and its user information. kInvalidArgument: it is no such URL.
struct HttpProxy {
  std::string address;
  std::string user_and_password;  // Decoded, "USER:PASSWORD"; empty: none.
};
absl::StatusOr<HttpProxy> ParseHttpProxy(const std::string& url);

}  // namespace devicetrust::agent
