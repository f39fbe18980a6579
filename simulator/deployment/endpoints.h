// What programs need to know of a running environment: `endpoints.json`.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace devicetrust::simulator {

struct GrpcEndpoint {
  std::string address;      // host:port
  std::string server_name;  // In the server's certificate.
  std::string ca_pem;       // Path: who signed that.
  std::string cert_pem;     // Path of a client identity; empty where none is asked for.
  std::string key_pem;
};

struct EndpointUser {
  std::string name;
  std::string principal;
  std::string password;
  std::string totp_secret;  // Base32; empty: no second factor.
  std::vector<std::string> groups;
};

struct EndpointDevice {
  std::string user;                                  // EndpointUser::name of whoever uses it.
  std::string state;                                 // "enrolled", "revoked", "foreign_ca", "none".
  std::string cert_pem, key_pem, p12, p12_password;  // Empty with "none"; the first three: paths.
  std::string principal = {};                        // EndpointUser::principal of the same.
  std::string computer = {};                         // "PC0001$"; empty outside of the domain.
  std::string kind = {};                             // "domain-joined Windows"
};

struct EndpointApp {
  std::string id;
  std::string entity_id;  // Or the realm.
  std::string protocol;   // "saml2" or "ws-federation".
  std::string sign_on_url;
  std::string device_trust;  // "trusted" or "any".
  std::string home_url;      // The app's own page, where a browser begins; empty: not ours.
};

// Who administers the org in the console.
struct EndpointAdmin {
  std::string url;
  EndpointUser user;
};

struct Endpoints {
  std::string version;  // Of dt-sim.
  std::string org_url, mtls_url, mtls_check_url, mtls_host_pattern;
  std::string ca_bundle;        // Path: who signs the TLS certificates of all hosts.
  std::string device_ca_chain;  // Path.
  std::string crl_url, root_crl_url, ocsp_url;
  std::string saml_metadata_url;
  std::string wsfed_metadata_url;
  std::string saml_metadata_file;  // Path: the same, for programs that do not resolve *.localhost.
  std::string sign_out_url;        // A page that asks; its form signs out.
  std::string learn_more_url;
  // Chromium's managed policy that makes it choose the device certificate by itself, JSON.
  std::string browser_policy;
  EndpointAdmin admin;
  std::vector<EndpointUser> users;
  std::vector<EndpointDevice> devices;
  std::vector<EndpointApp> apps;
  std::map<std::string, GrpcEndpoint> grpc;  // "policy.internal", "ca.edge", …
  std::string test_keys;                     // Path of a folder.
  std::string krb5_conf;                     // Path.
  std::vector<std::string> realms;
  std::string iwa_spn;
  std::map<std::string, std::string> keytabs;  // Principal to path.
  std::string ldap_url, ldap_base_dn;
  std::string ldap_ca_pem;  // Path.
};

std::string ToJson(const Endpoints& endpoints);

}  // namespace devicetrust::simulator
