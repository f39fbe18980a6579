// What the configurations of services share: a service's Config derives from those it has, and its
// Describe() calls theirs. Names are those of the options, with underscores. Files are PEM where
// not said otherwise; addresses are host:port, and port 0 lets the system choose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace devicetrust::service {

class Options;  // libs/service/options.h
enum class Need : bool;

// Every service: which org, and who it is among the components.
struct ComponentConfig {
  std::string org = "acme";
  std::string internal_cert;  // urn:devicetrust:ORG:component:NAME
  std::string internal_key;   // Mode 0600.
  std::string deployment_ca;  // Signs all components.

  bool operator==(const ComponentConfig&) const = default;
};

struct InternalListenerConfig {  // For components and admins: mutual TLS.
  std::string internal_listen;
  std::size_t internal_connections_max = 1024;
  std::size_t internal_connections_per_address_max = 256;  // 0: no bound.
  std::size_t internal_memory_mib = 12;  // Of connections that have had no call yet.

  bool operator==(const InternalListenerConfig&) const = default;
};

struct EdgeListenerConfig {  // For agents: TLS with the server's certificate alone.
  std::string edge_listen;
  std::string edge_cert;
  std::string edge_key;      // Mode 0600.
  std::string edge_address;  // What agents are told; empty: as bound.
  std::size_t edge_connections_max = 1024;
  // Of one client address (an IPv6 /64 is one); 0: no bound, as behind a load balancer.
  std::size_t edge_connections_per_address_max = 256;
  std::size_t edge_memory_mib = 20;  // What connections may hold, in all.
  int edge_handshake_ms = 10'000;
  int edge_message_ms = 10'000;  // From a call's headers to the end of its message.
  int edge_idle_ms = 300'000;    // Without a call.

  bool operator==(const EdgeListenerConfig&) const = default;
};

struct StoreConfig {
  std::string database;  // sqlite:PATH
  std::string kek_file;  // Seals the store's secrets: 64 hex digits, mode 0600.

  bool operator==(const StoreConfig&) const = default;
};

// A store that grows, with events in it that wait for the System Log.
struct GrowingStoreConfig : StoreConfig {
  std::int64_t log_backlog_max = 100'000;  // Undelivered events.
  std::int64_t store_bytes_max = 0;        // Of each database; 0: as much as the disk holds.

  bool operator==(const GrowingStoreConfig&) const = default;
};

struct OrgPeerConfig {  // The policy engine's internal listener.
  std::string org_address = "127.0.0.1:7501";
  std::string org_server_name = "policy.devicetrust.internal";

  bool operator==(const OrgPeerConfig&) const = default;
};

struct CaPeerConfig {  // The CA's internal listener.
  std::string ca_address = "127.0.0.1:7402";
  std::string ca_server_name = "ca.devicetrust.internal";

  bool operator==(const CaPeerConfig&) const = default;
};

struct DirectoryConfig {                  // One domain of Active Directory.
  std::string domain;                     // DNS name; its Kerberos realm is this in capitals.
  std::string netbios_name;               // "CORP": people type CORP\ada.
  std::string domain_sid;                 // S-1-5-21-…
  std::string forest;                     // DNS name of the root domain; empty: `domain` itself.
  std::vector<std::string> upn_suffixes;  // What people have behind the '@', besides `domain`.
  std::string url;                        // ldaps://HOST:PORT
  std::string ca;                         // Signs the directory's certificate.
  std::string bind_dn;                    // The account that searches: UPN or DN.
  std::string password_file;              // Its password, mode 0600; a line end is cut off.
  std::size_t connections = 4;            // Searches at once, and as many password checks.

  bool operator==(const DirectoryConfig&) const = default;
};

struct DirectoriesConfig {
  std::vector<DirectoryConfig> directories;  // The first is that of names without a domain.

  bool operator==(const DirectoriesConfig&) const = default;
};

// `role` is the component's name in its certificate.
void DescribeComponent(ComponentConfig& config, std::string_view role, Options& options);
void DescribeInternalListener(InternalListenerConfig& config, Options& options);
void DescribeEdgeListener(EdgeListenerConfig& config, Options& options);
void DescribeStore(StoreConfig& config, Options& options);
void DescribeGrowingStore(GrowingStoreConfig& config, Options& options);  // Also its StoreConfig.
void DescribeOrgPeer(OrgPeerConfig& config, Options& options);
void DescribeCaPeer(CaPeerConfig& config, Options& options);
void Describe(DirectoryConfig& config, Options& options);
void DescribeDirectories(DirectoriesConfig& config, Need need, Options& options);

}  // namespace devicetrust::service
