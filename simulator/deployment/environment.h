// A whole deployment on this machine, with its domain: throw-away certificates, a forest with
// Kerberos and LDAP, the org, the CA, an IWA and a gateway, on loopback.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/admin/admin_client.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/pki/certificate.h"
#include "libs/throwaway/throwaway_pki.h"
#include "simulator/deployment/component_launcher.h"
#include "simulator/deployment/endpoints.h"
#include "simulator/deployment/tcp_relay.h"
#include "simulator/devices/fleet.h"
#include "simulator/forest/forests.h"
#include "simulator/forest/ldap/server.h"

namespace devicetrust::simulator {

// What can go away, and come back.
enum class Part { kKdc, kIwa, kCa, kPolicy, kGateway };
inline constexpr std::size_t kParts = 5;
std::string_view PartName(Part part);  // "kdc", "iwa", …
std::optional<Part> FindPart(std::string_view name);

// Ways to a part that can be made slow, or cut: to the directory, from whoever asks it; to the
// internal listeners of the org and of the CA.
enum class Link { kDirectory, kPolicy, kCa };
inline constexpr std::size_t kLinks = 3;
std::optional<Link> FindLink(std::string_view name);  // "directory", "policy", "ca".

// A clock that may be wrong by some time. Thread-safe.
class ShiftedClock final : public Clock {
 public:
  explicit ShiftedClock(const Clock& clock) : clock_(clock) {}
  WallTime Now() const override {
    return clock_.Now() + std::chrono::duration_cast<WallTime::duration>(
                              std::chrono::nanoseconds(by_.load(std::memory_order_relaxed)));
  }
  void Set(std::chrono::nanoseconds by) { by_ = by.count(); }

 private:
  const Clock& clock_;
  std::atomic<std::int64_t> by_{0};
};

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
  std::vector<org::v1::Zone> zones;  // That the rules name.
  std::vector<org::v1::App> apps;    // With their rules.
  std::vector<Link> links;           // That SetLink() will be called for.
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

  // Faults; from one thread at a time. A part that was stopped comes back with the same addresses
  // and the same store. Errors: as of Start().
  absl::Status StopPart(Part part);
  absl::Status StartPart(Part part);
  // A part that hangs. kFailedPrecondition: it runs inside this process; all but the KDC do without
  // `processes`.
  absl::Status SetPaused(Part part, bool paused);
  // kFailedPrecondition: it was not in `links`.
  absl::Status SetLink(Link link, std::chrono::nanoseconds delay, bool cut);
  // kFailedPrecondition: it is a process, whose clock is the machine's.
  absl::Status SetClock(Part part, std::chrono::nanoseconds by);
  // Of the time that the org took to evaluate a sign-on since the start; nothing: it is a process,
  // or there was none. An upper bound: the end of a bucket.
  std::optional<double> EvaluationSeconds(double percent) const;

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
  absl::Status LaunchPolicy();
  absl::Status LaunchCa();
  absl::Status LaunchIwa();
  absl::Status LaunchGateway();
  // The address that others use for a link: of its relay, if it has one.
  absl::StatusOr<std::string> By(Link link, const std::string& address);
  std::unique_ptr<RunningComponent>& ComponentOf(Part part);
  ComponentLauncher LauncherFor(Part part) const;
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
  std::string org_address_;  // For the other services.
  // With the addresses of the first start, so that a later one has them too.
  policy::Config policy_config_;
  ca::Config ca_config_;
  iwa::Config iwa_config_;
  gateway::Config gateway_config_;
  std::array<ShiftedClock, kParts> clocks_;
  std::vector<std::pair<Link, std::unique_ptr<TcpRelay>>> relays_;
  std::vector<std::uint64_t> evaluations_before_;  // By bucket.
  std::array<bool, kParts> paused_{};
  bool kdc_stopped_ = false;
  // Stopped in the reverse order.
  std::unique_ptr<RunningComponent> policy_;
  std::unique_ptr<RunningComponent> ca_;
  std::unique_ptr<RunningComponent> iwa_;
  std::unique_ptr<RunningComponent> gateway_;
};

}  // namespace devicetrust::simulator
