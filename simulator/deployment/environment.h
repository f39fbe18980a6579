// A whole deployment on this machine, with its domain: throw-away certificates, a forest with
// Kerberos and LDAP, the org, the CA, an IWA and a gateway, on loopback.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "libs/admin/admin_client.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/pki/certificate.h"
#include "libs/throwaway/throwaway_pki.h"
#include "simulator/deployment/component_launcher.h"
#include "simulator/deployment/endpoints.h"
#include "simulator/devices/fleet.h"
#include "simulator/forest/forests.h"
#include "simulator/forest/ldap/server.h"

namespace devicetrust::simulator {

struct EnvironmentConfig {
  std::string run_dir;  // Existing, private folder, by absolute path.
  std::string org = "acme";
  std::string org_name = "Acme Corporation";  // On pages, as gateway::Config::org_name.
  bool processes = false;  // Components as programs of their own, from `bin_dir`.
  std::string bin_dir;
  std::uint16_t org_port = 0;  // 0: any free one.
  std::uint16_t mtls_port = 0;
  std::string mtls_names = "fresh";  // Or "fixed", as gateway::Config::mtls_names.
  bool ticket_sign_in = false;       // The org host takes Kerberos tickets.
  std::vector<org::v1::App> apps;    // With their rules.
  // Makes the certificates, for who needs more of the same CAs; outlives the environment.
  // Null: it has one of its own.
  throwaway::ThrowawayPki* pki = nullptr;
  std::string learn_more_url = "https://help.example.com/device-trust";
};

class Environment {
 public:
  // Everything answers once it returns, people are imported and apps registered. `clock`,
  // `random` (thread-safe) and `fleet` outlive it.
  //
  // Sets KRB5_CONFIG for the process: one environment at a time.
  //
  // Errors name the component, and in another process show the last lines of its log.
  static absl::StatusOr<std::unique_ptr<Environment>> Start(const EnvironmentConfig& config,
                                                            const Fleet& fleet, const Clock& clock,
                                                            Random& random);
  ~Environment();

  // kUnavailable, with the last lines of its log, when a part has ended by itself.
  absl::Status Check() const;

  Forests& forests() { return *forests_; }
  admin::AdminClient& admin() { return *admin_; }
  throwaway::ThrowawayPki& pki() { return pki_; }

  const std::string& org_origin() const { return org_origin_; }    // https://org.localhost:8443
  const std::string& mtls_origin() const { return mtls_origin_; }  // https://mtls.localhost:8444
  std::string metadata_url() const { return org_origin_ + "/saml/metadata"; }
  std::string federation_metadata_url() const {
    return org_origin_ + "/FederationMetadata/2007-06/FederationMetadata.xml";
  }
  std::string check_url() const { return mtls_origin_ + "/check"; }
  // How people came to be known: by user index.
  const std::vector<std::string>& sids() const { return sids_; }
  // The issuing certificate of device certificates, then its root.
  std::string iwa_keytab() const { return Path("iwa.keytab"); }
  std::string org_keytab() const { return Path("org.keytab"); }
  const std::string& iwa_spn() const { return iwa_spn_; }  // "HTTP/iwa.corp.test", in each realm.
  const std::string& kek_file() const { return kek_file_; }

  // All but users, devices and apps. Writes the test keys, so nobody should enroll meanwhile.
  absl::StatusOr<Endpoints> DescribeEndpoints();

 private:
  Environment(const EnvironmentConfig& config, const Clock& clock, Random& random);

  absl::Status MakeCertificates(const Fleet& fleet);
  absl::Status StartForests(const Fleet& fleet);
  // Of a service with an account in each realm.
  absl::Status WriteKeytab(const std::string& spn, const std::string& path);
  absl::Status StartDirectories(const Fleet& fleet);
  absl::Status StartPolicy(const std::string& ca_address);
  absl::Status StartCa(const std::string& ca_address);
  absl::Status StartIwa();
  absl::Status StartGateway();
  absl::Status ConnectAdmin();
  // Who signs device certificates, as a file and an address for programs of others.
  absl::Status DescribeIssuers(Endpoints& endpoints);
  absl::Status WaitForIwa();
  std::string Path(const std::string& name) const { return config_.run_dir + "/" + name; }
  std::string Pem(const std::string& name) const { return Path("pki/" + name + ".pem"); }
  std::string Key(const std::string& name) const { return Path("pki/" + name + ".key"); }
  template <typename Config>
  void SetIdentity(Config& config, const std::string& name) const;

  const EnvironmentConfig config_;
  const Clock& clock_;
  Random& random_;
  std::unique_ptr<throwaway::ThrowawayPki> own_pki_;
  throwaway::ThrowawayPki& pki_;
  std::string kek_file_;
  std::unique_ptr<Forests> forests_;
  std::vector<std::unique_ptr<LdapServer>> domain_controllers_;  // One of each forest.
  std::string iwa_spn_;
  std::string ldap_password_file_;
  std::vector<service::DirectoryConfig> directories_;  // What services are told of each domain.
  std::vector<std::string> sids_;
  std::unique_ptr<admin::AdminClient> admin_;
  std::string org_origin_;
  std::string mtls_origin_;
  // Stopped in the reverse order.
  std::unique_ptr<RunningComponent> policy_;
  std::unique_ptr<RunningComponent> ca_;
  std::unique_ptr<RunningComponent> iwa_;
  std::unique_ptr<RunningComponent> gateway_;
};

}  // namespace devicetrust::simulator
