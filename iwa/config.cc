#include "iwa/config.h"

#include "libs/service/options.h"

namespace devicetrust::iwa {
namespace {

void DescribeKerberos(Config& config, service::Options& options) {
  options.Heading("Kerberos");
  options.Text("spn", config.spn, "HTTP/HOST", "Service principal that agents ask a ticket for",
               service::Need::kRequired);
  options.Text("keytab", config.keytab, "FILE", "Keytab with its keys, mode 0600",
               service::Need::kRequired);
  options.Text("replay-cache", config.replay_cache, "PREFIX",
               "Prefix of the replay cache's files; not shared between IWAs",
               service::Need::kRequired);
  options.Text("krb5-config", config.krb5_config, "FILE",
               "krb5.conf (default: what KRB5_CONFIG names)");
  options.Text("forest", config.forest, "NAME",
               "Forest that the IWA is a member of (default: that of the first --directory)");
  options.Switch("primary", "backup", config.primary, "Primary IWA of its domains, or backup");
}

void DescribeWeb(Config& config, service::Options& options) {
  options.Heading(
      "Web face: GET /iwa/whoami, which tells administrators what their ticket is worth");
  options.Text("web-listen", config.web_listen, "HOST:PORT",
               "Where it is served (default: nowhere)");
  options.Choice("web-binding", config.web_binding, {"https", "http"},
                 "How: with the edge listener's certificate, or without TLS");
  options.Text("web-config", config.web_config, "FILE",
               "A web.config of the site beside, which check-config checks, too");
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
  service::DescribeDirectories(config, service::Need::kRequired, options);
  DescribeWeb(config, options);
  options.Heading("Signing key");
  options.Number("signing-key-days", config.signing_key_days, 1, 3650,
                 "Days for which a key signs before the next one does");
  options.Heading("Limits");
  options.Number("account-calls-per-minute", config.account_calls_per_minute, 1, 1'000'000,
                 "Calls of one account in a minute");
  options.Number("in-flight-max", config.in_flight_max, 1, 100'000, "Calls of agents at once");
}

}  // namespace devicetrust::iwa
