#include "simulator/gateway/config.h"

#include "libs/service/options.h"

namespace devicetrust::gateway {
namespace {

void DescribeOrgHost(Config& config, service::Options& options) {
  options.Heading("Org host: sign-in and SAML");
  options.Text("org-listen", config.org_listen, "HOST:PORT", "Where it listens");
  options.Text("org-host", config.org_host, "NAME", "Its host name");
  options.Text("org-cert", config.org_cert, "FILE", "Certificate for --org-host, PEM",
               service::Need::kRequired);
  options.Text("org-key", config.org_key, "FILE", "Its private key, PEM, mode 0600",
               service::Need::kRequired);
  options.Text("org-url", config.org_url, "URL",
               "What browsers see, e.g. https://sso.example.com (default: https://, --org-host and "
               "the port as bound)");
  options.Text("org-name", config.org_name, "NAME",
               "Name of the organization on its pages (default: --org)");
  options.Text("org-mark", config.org_mark, "FILE",
               "Image beside that name, PNG or SVG of at most 64 KiB (default: a letter)");
  options.Text("downloads", config.downloads, "FOLDER",
               "Packages that it serves: agents/iwa/NAME-x.y.z.EXT and devicetrust/NAME-x.y.z.EXT "
               "in it (default: none)");
  options.Number("downloads-mib", config.downloads_mib, 1, 1 << 14,
                 "What packages may take in all, in memory, MiB");
}

void DescribeTickets(Config& config, service::Options& options) {
  options.Heading(
      "Sign-in by Kerberos tickets, also to be allowed by dt-policy's --ticket-sign-in");
  options.Text("ticket-keytab", config.ticket_keytab, "FILE",
               "Keys of HTTP/ORG-HOST (default: nobody is asked for a ticket)");
  options.Text("ticket-replay-cache", config.ticket_replay_cache, "FILE",
               "Beginning of the names of files that keep which tickets were shown");
  options.Texts("ticket-from", config.ticket_from, "NETWORK",
                "Whose browsers are asked for one (default: everybody's)");
  options.Text("krb5-config", config.krb5_config, "FILE",
               "krb5.conf (default: what KRB5_CONFIG names)");
}

void DescribeMtlsHost(Config& config, service::Options& options) {
  options.Heading("mTLS host: device challenge");
  options.Text("mtls-listen", config.mtls_listen, "HOST:PORT", "Where it listens");
  options.Text("mtls-host", config.mtls_host, "NAME", "Its host name");
  options.Text("mtls-cert", config.mtls_cert, "FILE",
               "Certificate for --mtls-host and *.MTLS-HOST, not for --org-host, PEM",
               service::Need::kRequired);
  options.Text("mtls-key", config.mtls_key, "FILE", "Its private key, PEM, mode 0600",
               service::Need::kRequired);
  options.Texts("mtls-also", config.mtls_also, "NAME=CERT,KEY",
                "Further names that are served like --mtls-host, which challenges go to, each with "
                "files of its own");
  options.Number("mtls-public-port", config.mtls_public_port, 0, 65535,
                 "Port that browsers see, 0: as bound");
  options.Choice("mtls-names", config.mtls_names, {"fresh", "fixed"},
                 "A host name for each challenge, or one for all");
}

void DescribeProxies(Config& config, service::Options& options) {
  options.Heading("Load balancers in front");
  options.Texts("proxy-protocol-from", config.proxy_protocol_from, "NETWORK",
                "They pass TCP on to any listener, each connection with a PROXY header, version 2");
  options.Texts("client-address-from", config.client_address_from, "NETWORK",
                "They speak HTTPS to the org host and name their client by the next option");
  options.Text("client-address-field", config.client_address_field, "NAME",
               "Header field whose last address is the client's; from others it is ignored");
  options.Texts("mail-hosts-from", config.mail_hosts_from, "NETWORK",
                "Mail services that ask with their clients' names and passwords, and name the "
                "client's address in X-MS-Forwarded-Client-IP");
}

void DescribeLimits(Config& config, service::Options& options) {
  options.Heading("Limits");
  options.Choice(
      "tls", config.tls, {"quick", "shared", "plain"},
      "Way through OpenSSL: quick; without what holds for the whole process; as it comes");
  options.Number("threads", config.threads, 0, 256,
                 "Serving threads of each listener, 0: one per core");
  options.Number("revocation-age-max-ms", config.revocation_age_max_ms, 1000, 600'000,
                 "Grant no trust when the last word from the CA is older, milliseconds");
  options.Number("connections-max", config.connections_max, 1, 1'000'000, "Of each listener");
  options.Number("connections-per-address-max", config.connections_per_address_max, 0, 1'000'000,
                 "Of each listener and client address, 0: no bound");
  options.Number("memory-mib", config.memory_mib, 4, 1 << 20,
                 "Memory for the connections of each listener, MiB; beyond it, some make room");
}

}  // namespace

void Describe(Config& config, service::Options& options) {
  service::DescribeComponent(config, "gateway", options);
  DescribeOrgHost(config, options);
  DescribeTickets(config, options);
  DescribeMtlsHost(config, options);
  service::DescribeOrgPeer(config, options);
  service::DescribeCaPeer(config, options);
  options.Text("edge-ca-bundle", config.edge_ca_bundle, "FILE",
               "Who signs the servers that agents call, PEM; told to agents",
               service::Need::kRequired);
  DescribeProxies(config, options);
  DescribeLimits(config, options);
}

}  // namespace devicetrust::gateway
