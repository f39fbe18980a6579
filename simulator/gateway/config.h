#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "libs/service/config.h"

namespace devicetrust::gateway {

inline constexpr std::size_t kMarkBytesMax = 64 * 1024;

// Every field but the keys and certificates has a working default. Files are PEM.
struct Config : service::ComponentConfig, service::OrgPeerConfig, service::CaPeerConfig {
  // Sign-in, SAML, discovery.
  std::string org_listen = "127.0.0.1:8443";
  std::string org_host = "org.localhost";
  std::string org_cert;
  std::string org_key;
  // What browsers see when something stands before us; empty: https://, org_host and the
  // port as bound.
  std::string org_url;
  std::string org_name;  // On pages: "Acme". Empty: as `org`.
  std::string org_mark;  // On pages: a PNG or SVG file of at most kMarkBytesMax; empty: a letter.

  // Packages for computers and IWA servers (downloads/package_folder.h); empty: none.
  std::string downloads;
  std::size_t downloads_mib = 512;  // What they may take, in memory.

  // Sign-in by the Kerberos tickets of domain computers; without a keytab nobody is asked for one.
  std::string ticket_keytab;  // Of HTTP/org_host.
  std::string ticket_replay_cache = "dt-gateway.rcache";
  std::vector<std::string> ticket_from;  // Networks that are asked; none: all.
  std::string krb5_config;               // Empty: what KRB5_CONFIG names.

  // Device challenge. The certificate is for `mtls_host` and, with fresh names, *.mtls_host,
  // and must not cover org_host.
  std::string mtls_listen = "127.0.0.1:8444";
  std::string mtls_host = "mtls.localhost";
  std::string mtls_cert;
  std::string mtls_key;
  // Further names, "NAME=CERT,KEY", each served as mtls_host is; challenges go to mtls_host.
  std::vector<std::string> mtls_also;
  int mtls_public_port = 0;  // 0: as bound.
  // "fresh": each challenge at a name of its own, so that a browser's remembered choice of
  // certificate (also "none") never sticks. "fixed": always at mtls_host.
  std::string mtls_names = "fresh";

  std::string edge_ca_bundle;  // Who signs the edge listeners of CA and IWA: for agents.

  // How TLS goes through OpenSSL. "quick": the short way, where EC keys of the whole process take
  // it too (libs/pki/quick_ec.h). "shared": without that, for a process that is not the gateway's
  // alone. "plain": OpenSSL as it comes. What is accepted and refused is the same.
  std::string tls = "quick";

  // Networks of load balancers. Those of the first pass TCP on and say by the PROXY protocol whose
  // it is, to each listener; those of the second speak HTTPS to the org host and write the client's
  // address into a field.
  std::vector<std::string> proxy_protocol_from;
  std::vector<std::string> client_address_from;
  std::string client_address_field = "X-Forwarded-For";

  // Networks of mail services, such as Exchange Online: what they say of whose name and password
  // they bring (X-MS-Forwarded-Client-IP) is believed.
  std::vector<std::string> mail_hosts_from;

  std::size_t threads = 0;             // Of each listener. 0: one per core.
  int revocation_age_max_ms = 5000;    // Older: nobody is trusted until news arrive.
  std::size_t connections_max = 4096;  // Of each listener.
  // Of one client address on each listener, so that a flood from one leaves others served; 0: no
  // bound, as behind a load balancer. Large, because many people share the address of a NAT.
  std::size_t connections_per_address_max = 3072;
  std::size_t memory_mib = 48;  // What connections may hold, of each listener.

  bool operator==(const Config&) const = default;
};

// Declares every option of dt-gateway (libs/service/options.h).
void Describe(Config& config, service::Options& options);

}  // namespace devicetrust::gateway
