#include "iwa/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "libs/base/files.h"
#include "libs/base/process.h"
#include "libs/db/open.h"
#include "libs/rpc/caller.h"
#include "libs/service/component.h"
#include "libs/service/options.h"

namespace devicetrust::iwa {
namespace {

absl::Status Named(const absl::Status& status, std::string_view flag) {
  if (status.ok()) return status;
  return absl::Status(status.code(), fmt::format("{}: {}", flag, std::string(status.message())));
}

bool IsRealm(std::string_view realm) {
  const auto fits = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
  };
  return !realm.empty() && realm.size() <= 255 && std::ranges::all_of(realm, fits);
}

absl::Status CheckRequired(const Config& config) {
  const std::pair<const char*, const std::string*> required[] = {
      {"--keytab", &config.keytab},
      {"--replay-cache", &config.replay_cache},
      {"--ldap-url", &config.ldap_url},
      {"--ldap-ca", &config.ldap_ca},
      {"--ldap-bind-dn", &config.ldap_bind_dn},
      {"--ldap-password-file", &config.ldap_password_file},
  };
  for (const auto& [flag, value] : required) {
    if (value->empty()) return absl::InvalidArgumentError(fmt::format("{} is missing", flag));
  }
  return absl::OkStatus();
}

absl::Status CheckFiles(const Config& config) {
  DT_RETURN_IF_ERROR(service::LoadKek(config).status());
  DT_RETURN_IF_ERROR(service::EdgeListener(config.org, config).status());
  DT_RETURN_IF_ERROR(service::Component::Load(config, config.name).status());
  DT_RETURN_IF_ERROR(Named(ReadFile(config.ldap_ca).status(), "--ldap-ca"));
  DT_RETURN_IF_ERROR(Named(RefuseIfShared(config.keytab), "--keytab"));
  return Named(RefuseIfShared(config.ldap_password_file), "--ldap-password-file");
}

void DescribeKerberos(Config& config, service::Options& options) {
  options.Heading("Kerberos");
  options.Text("spn", config.spn, "HTTP/HOST", "Service principal that agents ask a ticket for");
  options.Text("keytab", config.keytab, "FILE", "Keytab with its keys, mode 0600",
               service::Need::kRequired);
  options.Text("replay-cache", config.replay_cache, "PREFIX",
               "Files of spent tickets; of this IWA alone");
  options.Text("krb5-config", config.krb5_config, "FILE",
               "krb5.conf (default: what KRB5_CONFIG names)");
  options.Texts("realm", config.realms, "REALM", "Served realms, in capitals");
  options.Switch("primary", "backup", config.primary, "Primary IWA of its forests, or backup");
}

}  // namespace

void Describe(Config& config, service::Options& options) {
  service::DescribeComponent(config, "NAME", options);
  options.Text("name", config.name, "NAME", "Name of this IWA");
  service::DescribeEdgeListener(config, options);
  service::DescribeInternalListener(config, options);
  service::DescribeOrgPeer(config, options);
  service::DescribeStore(config, options);
  DescribeKerberos(config, options);
  service::DescribeDirectory(config, service::Need::kRequired, options);
  options.Text("ldap-domain", config.ldap_domain, "NAME", "DNS name where searches begin");
  options.Number("ldap-connections", config.ldap_connections, 1, 256, "Searches at once");
  options.Heading("Limits");
  options.Number("account-calls-per-minute", config.account_calls_per_minute, 1, 1'000'000,
                 "Calls of one account in a minute");
  options.Number("in-flight-max", config.in_flight_max, 1, 100'000, "Calls of agents at once");
}

absl::Status CheckConfig(const Config& config) {
  DT_RETURN_IF_ERROR(CheckRequired(config));
  if (!rpc::IsName(config.name)) {
    return absl::InvalidArgumentError("--name must be 1 to 64 of a-z 0-9 . _ -");
  }
  if (!config.spn.starts_with("HTTP/")) {
    return absl::InvalidArgumentError("--spn must be HTTP/host.domain, as agents ask for it");
  }
  if (config.realms.empty() || !std::ranges::all_of(config.realms, IsRealm)) {
    return absl::InvalidArgumentError("--realm must be a realm in capitals, such as CORP.TEST");
  }
  DT_RETURN_IF_ERROR(db::CheckUrl(config.database));
  DT_RETURN_IF_ERROR(ParseHostPort(config.edge_listen, "--edge-listen").status());
  DT_RETURN_IF_ERROR(ParseHostPort(config.internal_listen, "--internal-listen").status());
  DT_RETURN_IF_ERROR(ParseHostPort(config.org_address, "--org-address").status());
  return CheckFiles(config);
}

}  // namespace devicetrust::iwa
