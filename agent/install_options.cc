#include "agent/install_options.h"

#include <fmt/format.h>

#include "libs/base/ascii.h"

namespace devicetrust::agent {
namespace {

absl::Status Wrong(std::string_view name, std::string_view value, std::string_view must_be) {
  return absl::InvalidArgumentError(fmt::format("{} is \"{}\", not {}", name, value, must_be));
}

absl::Status SetFlag(std::string_view name, const std::string& value, bool& flag) {
  if (!EqualIgnoringCase(value, "true") && !EqualIgnoringCase(value, "false")) {
    return Wrong(name, value, "true or false");
  }
  flag = EqualIgnoringCase(value, "true");
  return absl::OkStatus();
}

absl::Status SetOrgUrl(std::string value, std::string& url) {
  while (value.ends_with('/')) value.pop_back();
  const bool host_follows = value.starts_with("https://") && value.size() > 8;
  if (!host_follows || value.find_first_of("/?#@ ", 8) != std::string::npos || HasControl(value)) {
    return Wrong("OrgURL", value, "https://HOST or https://HOST:PORT");
  }
  url = std::move(value);
  return absl::OkStatus();
}

absl::Status SetFile(std::string_view name, const std::string& value, std::string& path) {
  if (!value.starts_with('/') || HasControl(value)) return Wrong(name, value, "an absolute path");
  path = value;
  return absl::OkStatus();
}

absl::Status Set(InstallOptions& options, const std::string& name, const std::string& value,
                 const AgentVersion& version) {
  const auto is = [&](std::string_view known) { return EqualIgnoringCase(name, known); };
  if (is("OrgURL")) return SetOrgUrl(value, options.org_url);
  if (is("SkipBrowserSetup")) return SetFlag("SkipBrowserSetup", value, options.skip_browser_setup);
  if (is("SkipTpm")) return SetFlag("SkipTpm", value, options.skip_tpm);
  if (is("TrustBundle")) return SetFile("TrustBundle", value, options.trust_bundle);
  if (is("Keytab")) return SetFile("Keytab", value, options.keytab);
  if (is("Store")) {
    if (value == "browsers") return absl::OkStatus();
    return SetFile("Store", value, options.store);
  }
  if (is("HttpProxy")) {
    if (version < kTakesProxyFrom) {
      return absl::InvalidArgumentError(fmt::format("HttpProxy needs agent {} or later, this is {}",
                                                    kTakesProxyFrom.Text(), version.Text()));
    }
    DT_RETURN_IF_ERROR(ParseHttpProxy(value).status());
    options.http_proxy = value;
    return absl::OkStatus();
  }
  if (is("HttpProxyPacLocation")) {
    return absl::InvalidArgumentError(
        "HttpProxyPacLocation is not supported by this agent; name the proxy with HttpProxy");
  }
  return absl::InvalidArgumentError(
      fmt::format("{} is no option of the agent; there are OrgURL, SkipBrowserSetup, HttpProxy, "
                  "SkipTpm, TrustBundle, Keytab and Store",
                  name));
}

}  // namespace

absl::StatusOr<HttpProxy> ParseHttpProxy(const std::string& url) {
  constexpr std::string_view kScheme = "http://";
  const auto wrong = [&] { return Wrong("HttpProxy", url, "http://[USER:PASSWORD@]HOST:PORT"); };
  std::string rest = url;
  if (!rest.starts_with(kScheme) || HasControl(rest)) return wrong();
  rest.erase(0, kScheme.size());
  if (rest.ends_with('/')) rest.pop_back();
  HttpProxy proxy;
  if (const std::size_t at = rest.rfind('@'); at != std::string::npos) {
    const std::string info = rest.substr(0, at);
    for (std::size_t i = 0; i < info.size(); ++i) {
      if (info[i] != '%') {
        proxy.user_and_password += info[i];
        continue;
      }
      if (i + 2 >= info.size() || HexValue(info[i + 1]) < 0 || HexValue(info[i + 2]) < 0) {
        return wrong();
      }
      proxy.user_and_password +=
          static_cast<char>(HexValue(info[i + 1]) * 16 + HexValue(info[i + 2]));
      i += 2;
    }
    rest.erase(0, at + 1);
  }
  const std::size_t colon = rest.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == rest.size()) return wrong();
  int port = 0;
  for (const char c : rest.substr(colon + 1)) {
    if (!IsDigit(c) || port > 6'553) return wrong();
    port = port * 10 + (c - '0');
  }
  if (port == 0 || port > 65'535 || rest.find_first_of("/?# ") != std::string::npos) return wrong();
  proxy.address = std::move(rest);
  return proxy;
}

absl::StatusOr<InstallOptions> ParseInstallOptions(std::span<const std::string> words,
                                                   const AgentVersion& version) {
  InstallOptions options;
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) {
      return absl::InvalidArgumentError(fmt::format(
          "\"{}\" is no option: write NAME=VALUE, as OrgURL=https://acme.example.com", word));
    }
    DT_RETURN_IF_ERROR(Set(options, word.substr(0, equals), word.substr(equals + 1), version));
  }
  if (options.org_url.empty()) {
    return absl::InvalidArgumentError("OrgURL is missing: OrgURL=https://acme.example.com");
  }
  return options;
}

bool DeviceTaskUsesProxy(const InstallOptions& options, const AgentVersion& version) {
  return !options.http_proxy.empty() && version >= kDeviceTaskProxyFrom;
}

}  // namespace devicetrust::agent
