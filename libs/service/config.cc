#include "libs/service/config.h"

#include <fmt/format.h>

#include "libs/service/options.h"

namespace devicetrust::service {
namespace {

constexpr std::int64_t kLogBacklogMax = 100'000'000;
constexpr std::int64_t kConnectionLimitMax = 1'000'000;
constexpr std::int64_t kMemoryMibMin = 4;
constexpr std::int64_t kMemoryMibMax = 1 << 20;
constexpr std::int64_t kPatienceMsMax = 600'000;
constexpr std::int64_t kStoreBytesMax = std::int64_t{1} << 50;

}  // namespace

void DescribeComponent(ComponentConfig& config, std::string_view role, Options& options) {
  options.Heading("Identity");
  options.Text("org", config.org, "NAME", "Id of the org");
  options.Text("internal-cert", config.internal_cert, "FILE",
               fmt::format("Certificate of this service, for mutual TLS with the others, "
                           "urn:devicetrust:ORG:component:{}, PEM",
                           role),
               Need::kRequired);
  options.Text("internal-key", config.internal_key, "FILE", "Its private key, PEM, mode 0600",
               Need::kRequired);
  options.Text("deployment-ca", config.deployment_ca, "FILE",
               "CA certificates of all components, PEM", Need::kRequired);
}

void DescribeInternalListener(InternalListenerConfig& config, Options& options) {
  options.Heading("Listeners");
  options.Text("internal-listen", config.internal_listen, "HOST:PORT", "For components and admins");
  options.Number("internal-connections-max", config.internal_connections_max, 1,
                 kConnectionLimitMax, "Connections of that listener");
  options.Number("internal-connections-per-address-max",
                 config.internal_connections_per_address_max, 0, kConnectionLimitMax,
                 "Of those, of one client address, 0: no bound");
  options.Number("internal-memory-mib", config.internal_memory_mib, kMemoryMibMin, kMemoryMibMax,
                 "Memory for those that have had no call yet, MiB");
}

void DescribeEdgeListener(EdgeListenerConfig& config, Options& options) {
  options.Heading("Listeners");
  options.Text("edge-listen", config.edge_listen, "HOST:PORT", "For agents");
  options.Text("edge-cert", config.edge_cert, "FILE", "Certificate chain of that listener, PEM",
               Need::kRequired);
  options.Text("edge-key", config.edge_key, "FILE", "Its private key, PEM, mode 0600",
               Need::kRequired);
  options.Text("edge-address", config.edge_address, "HOST:PORT",
               "Address that agents are given (default: as bound)");
  options.Number("edge-connections-max", config.edge_connections_max, 1, kConnectionLimitMax,
                 "Connections of that listener; beyond it, those without a call make room");
  options.Number("edge-connections-per-address-max", config.edge_connections_per_address_max, 0,
                 kConnectionLimitMax,
                 "Of those, of one client address (an IPv6 /64 is one), 0: no bound");
  options.Number("edge-memory-mib", config.edge_memory_mib, kMemoryMibMin, kMemoryMibMax,
                 "Memory for all of them, MiB; beyond it too, some make room");
  options.Number("edge-handshake-ms", config.edge_handshake_ms, 100, kPatienceMsMax,
                 "Time for a TLS handshake, milliseconds");
  options.Number(
      "edge-message-ms", config.edge_message_ms, 100, kPatienceMsMax,
      "Time for a call to send its message, and for its answer to be taken, milliseconds");
  options.Number("edge-idle-ms", config.edge_idle_ms, 1000, 86'400'000,
                 "A connection without a call ends after that, milliseconds");
}

void DescribeStore(StoreConfig& config, Options& options) {
  options.Heading("Store");
  options.Text("database", config.database, "URL", "sqlite:PATH");
  options.Text("kek-file", config.kek_file, "FILE",
               "Key-encryption key of the store's secrets, 64 hex digits, mode 0600",
               Need::kRequired);
}

void DescribeGrowingStore(GrowingStoreConfig& config, Options& options) {
  DescribeStore(config, options);
  options.Number("log-backlog-max", config.log_backlog_max, 1, kLogBacklogMax,
                 "Events that may wait for the System Log; beyond it, enrollment says UNAVAILABLE");
  options.Number("store-bytes-max", config.store_bytes_max, 0, kStoreBytesMax,
                 "Size limit of each database, 0: none");
}

void DescribeOrgPeer(OrgPeerConfig& config, Options& options) {
  options.Heading("Peers");
  options.Text("org-address", config.org_address, "HOST:PORT", "Internal listener of dt-policy");
  options.Text("org-server-name", config.org_server_name, "NAME", "Name in its certificate");
}

void DescribeCaPeer(CaPeerConfig& config, Options& options) {
  options.Heading("Peers");
  options.Text("ca-address", config.ca_address, "HOST:PORT", "Internal listener of dt-ca");
  options.Text("ca-server-name", config.ca_server_name, "NAME", "Name in its certificate");
}

void Describe(DirectoryConfig& config, Options& options) {
  options.Text("domain", config.domain, "NAME", "DNS name, lower case", Need::kRequired);
  options.Text("netbios-name", config.netbios_name, "NAME", "NetBIOS name, in capitals",
               Need::kRequired);
  options.Text("domain-sid", config.domain_sid, "SID", "SID of the domain, S-1-5-21-…",
               Need::kRequired);
  options.Text("forest", config.forest, "NAME",
               "DNS name of its forest's root domain (default: the domain itself)");
  options.Texts("upn-suffix", config.upn_suffixes, "NAME",
                "What its users have behind the @, besides the domain");
  options.Text("url", config.url, "URL",
               "Its directory, ldaps://HOST:PORT; ldap:// too, always with StartTLS",
               Need::kRequired);
  options.Text("ca", config.ca, "FILE", "CA of the directory's certificate, PEM", Need::kRequired);
  options.Text("bind-dn", config.bind_dn, "NAME", "Account that searches: UPN or DN",
               Need::kRequired);
  options.Text("password-file", config.password_file, "FILE", "Its password, mode 0600",
               Need::kRequired);
  options.Number("connections", config.connections, 1, 256, "Searches at once");
}

void DescribeDirectories(DirectoriesConfig& config, Need need, Options& options) {
  options.Heading("Directories");
  options.Groups("directory", config.directories, "A domain of Active Directory", need);
}

}  // namespace devicetrust::service
