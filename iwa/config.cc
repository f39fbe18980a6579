#include "iwa/config.h"

#include <fmt/format.h>

#include <utility>

#include "libs/base/files.h"
#include "libs/base/process.h"
#include "libs/db/open.h"
#include "libs/rpc/caller.h"
#include "libs/service/component.h"
#include "libs/service/directories.h"
#include "libs/service/options.h"

namespace devicetrust::iwa {
namespace {

absl::Status CheckRequired(const Config& config) {
  const std::pair<const char*, bool> missing[] = {{"--keytab", config.keytab.empty()},
                                                  {"--replay-cache", config.replay_cache.empty()},
                                                  {"--directory", config.directories.empty()}};
  for (const auto& [flag, is_missing] : missing) {
    if (is_missing) return absl::InvalidArgumentError(fmt::format("{} is missing", flag));
  }
  return absl::OkStatus();
}

absl::Status CheckFiles(const Config& config) {
  DT_RETURN_IF_ERROR(service::LoadKek(config).status());
  DT_RETURN_IF_ERROR(service::EdgeListener(config.org, config).status());
  DT_RETURN_IF_ERROR(service::Component::Load(config, config.name).status());
  DT_RETURN_IF_ERROR(Annotate(RefuseIfShared(config.keytab), "--keytab"));
  return service::LoadDirectories(config).status();
}

void DescribeKerberos(Config& config, service::Options& options) {
  options.Heading("Kerberos");
  options.Text("spn", config.spn, "HTTP/HOST", "Service principal that agents ask a ticket for",
               service::Need::kRequired);
  options.Text("keytab", config.keytab, "FILE", "Keytab with its keys, mode 0600",
               service::Need::kRequired);
  options.Text("replay-cache", config.replay_cache, "PREFIX",
               "Files of spent tickets; of this IWA alone");
  options.Text("krb5-config", config.krb5_config, "FILE",
               "krb5.conf (default: what KRB5_CONFIG names)");
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
  service::DescribeDirectories(config, options);
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
  DT_RETURN_IF_ERROR(db::CheckUrl(config.database));
  DT_RETURN_IF_ERROR(ParseHostPort(config.edge_listen, "--edge-listen").status());
  DT_RETURN_IF_ERROR(ParseHostPort(config.internal_listen, "--internal-listen").status());
  DT_RETURN_IF_ERROR(ParseHostPort(config.org_address, "--org-address").status());
  return CheckFiles(config);
}

}  // namespace devicetrust::iwa
