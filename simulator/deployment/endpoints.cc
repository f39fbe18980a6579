#include "simulator/deployment/endpoints.h"

#include <nlohmann/json.hpp>

namespace devicetrust::simulator {
namespace {

using Json = nlohmann::ordered_json;

Json ToJsonValue(const GrpcEndpoint& endpoint) {
  Json value{{"address", endpoint.address},
             {"server_name", endpoint.server_name},
             {"ca_pem", endpoint.ca_pem}};
  if (!endpoint.cert_pem.empty()) value["cert_pem"] = endpoint.cert_pem;
  if (!endpoint.key_pem.empty()) value["key_pem"] = endpoint.key_pem;
  return value;
}

Json ToJsonValue(const EndpointDevice& device) {
  Json value{{"user", device.user}, {"principal", device.principal}, {"kind", device.kind}};
  if (!device.computer.empty()) value["computer"] = device.computer;
  value["state"] = device.state;
  if (device.cert_pem.empty()) return value;
  value["cert_pem"] = device.cert_pem;
  value["key_pem"] = device.key_pem;
  value["p12"] = device.p12;
  value["p12_password"] = device.p12_password;
  return value;
}

// "policy.internal" lies at grpc.policy.internal.
Json GrpcJson(const std::map<std::string, GrpcEndpoint>& all) {
  Json grpc = Json::object();
  for (const auto& [name, endpoint] : all) {
    const std::size_t dot = name.find('.');
    grpc[name.substr(0, dot)][name.substr(dot + 1)] = ToJsonValue(endpoint);
  }
  return grpc;
}

}  // namespace

std::string ToJson(const Endpoints& endpoints) {
  Json users = Json::array();
  for (const EndpointUser& user : endpoints.users) {
    users.push_back({{"name", user.name},
                     {"principal", user.principal},
                     {"password", user.password},
                     {"totp_secret", user.totp_secret},
                     {"groups", user.groups}});
  }
  Json devices = Json::array();
  for (const EndpointDevice& device : endpoints.devices) devices.push_back(ToJsonValue(device));
  Json apps = Json::array();
  for (const EndpointApp& app : endpoints.apps) {
    apps.push_back({{"id", app.id},
                    {"entity_id", app.entity_id},
                    {"protocol", app.protocol},
                    {"sign_on_url", app.sign_on_url},
                    {"device_trust", app.device_trust},
                    {"home_url", app.home_url}});
  }
  const Json root{{"version", endpoints.version},
                  {"org_url", endpoints.org_url},
                  {"mtls_url", endpoints.mtls_url},
                  {"mtls_check_url", endpoints.mtls_check_url},
                  {"mtls_host_pattern", endpoints.mtls_host_pattern},
                  {"ca_bundle", endpoints.ca_bundle},
                  {"device_ca_chain", endpoints.device_ca_chain},
                  {"crl_url", endpoints.crl_url},
                  {"root_crl_url", endpoints.root_crl_url},
                  {"ocsp_url", endpoints.ocsp_url},
                  {"saml_metadata_url", endpoints.saml_metadata_url},
                  {"saml_metadata_file", endpoints.saml_metadata_file},
                  {"wsfed_metadata_url", endpoints.wsfed_metadata_url},
                  {"sign_out_url", endpoints.sign_out_url},
                  {"learn_more_url", endpoints.learn_more_url},
                  {"browser_policy", Json::parse(endpoints.browser_policy, nullptr, false)},
                  {"admin",
                   {{"url", endpoints.admin.url},
                    {"user", endpoints.admin.user.principal},
                    {"password", endpoints.admin.user.password},
                    {"totp_secret", endpoints.admin.user.totp_secret}}},
                  {"users", std::move(users)},
                  {"devices", std::move(devices)},
                  {"apps", std::move(apps)},
                  {"grpc", GrpcJson(endpoints.grpc)},
                  {"test_keys", endpoints.test_keys},
                  {"kerberos",
                   {{"krb5_conf", endpoints.krb5_conf},
                    {"realms", endpoints.realms},
                    {"iwa_spn", endpoints.iwa_spn},
                    {"keytabs", endpoints.keytabs}}},
                  {"ldap",
                   {{"url", endpoints.ldap_url},
                    {"base_dn", endpoints.ldap_base_dn},
                    {"ca_pem", endpoints.ldap_ca_pem}}}};
  return root.dump(2) + "\n";
}

}  // namespace devicetrust::simulator
