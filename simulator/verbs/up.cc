#include "simulator/verbs/up.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "libs/admin/app_file.h"
#include "libs/base/encoding.h"
#include "libs/base/files.h"
#include "libs/base/log.h"
#include "libs/base/process.h"
#include "libs/base/random.h"
#include "libs/throwaway/throwaway_pki.h"
#include "simulator/apps/app_listener.h"
#include "simulator/deployment/app_suite.h"
#include "simulator/deployment/device_files.h"
#include "simulator/deployment/environment.h"
#include "simulator/deployment/org_setup.h"
#include "simulator/deployment/run_folder.h"
#include "simulator/scenario/enroll_phase.h"

namespace devicetrust::simulator {
namespace {

constexpr std::chrono::milliseconds kCheckEvery{200};
constexpr std::chrono::seconds kRefusedWithin{10};
constexpr const char* kAppsHost = "apps.localhost";

// Somebody else's may lie there by now.
void UnlinkIfHolds(const std::string& path, const std::string& content) {
  const absl::StatusOr<std::string> now = ReadFile(path);
  if (now.ok() && *now == content) ::unlink(path.c_str());
}

absl::Status NotWritable(int ready_fd) {
  return absl::InvalidArgumentError(
      fmt::format("--ready-fd {}: nothing can be written there", ready_fd));
}

absl::Status CheckReadyFd(int fd) {
  if (fd < 0) return absl::OkStatus();
  const int flags = ::fcntl(fd, F_GETFL);
  return flags < 0 || (flags & O_ACCMODE) == O_RDONLY ? NotWritable(fd) : absl::OkStatus();
}

class Up {
 public:
  Up(const UpOptions& options, RunFolder& folder, std::FILE* out)
      : options_(options),
        folder_(folder),
        out_(out),
        fleet_(MakeFleet(
            {.seed = options.seed, .devices = options.devices, .one_without_factor = true})) {}

  absl::Status Go() {
    DT_RETURN_IF_ERROR(Start());
    DT_RETURN_IF_ERROR(EnrollDevices());
    DT_RETURN_IF_ERROR(DescribeDevices());
    DescribePeopleAndApps();
    DT_RETURN_IF_ERROR(WriteComputerKeytab());
    DT_RETURN_IF_ERROR(Announce());
    while (WaitForStopSignal(kCheckEvery) == 0) DT_RETURN_IF_ERROR(environment_->Check());
    return absl::OkStatus();
  }

 private:
  absl::Status Start() {
    DT_ASSIGN_OR_RETURN(
        listener_, AppListener::Start("127.0.0.1:0", kAppsHost, pki_.Server("apps", {kAppsHost}),
                                      clock_, random_));
    suite_.emplace(listener_->origin(), clock_, random_);
    EnvironmentConfig config;
    config.run_dir = folder_.path();
    config.processes = options_.processes;
    config.bin_dir = options_.bin_dir;
    config.pki = &pki_;
    config.org_port = options_.org_port;
    config.mtls_port = options_.mtls_port;
    own_ = OwnApps();
    config.apps = own_;
    for (const std::string& path : options_.sp_metadata) {
      DT_ASSIGN_OR_RETURN(const std::string xml, ReadFile(path));
      DT_ASSIGN_OR_RETURN(org::v1::App app, admin::AppFromMetadata(path, xml, clock_.Now()));
      MakeIdUnique(app);
      SetRules(app, TrustedOnly());
      foreign_.push_back(app);
      config.apps.push_back(std::move(app));
    }
    absl::StatusOr<std::unique_ptr<Environment>> environment =
        Environment::Start(config, fleet_, clock_, random_);
    if (!environment.ok()) return InOurWords(environment.status());
    environment_ = *std::move(environment);
    const std::vector<pki::Certificate> trust = {environment_->pki().web_ca().certificate};
    DT_RETURN_IF_ERROR(
        suite_->Connect(environment_->org_origin(), environment_->metadata_url(), trust));
    listener_->SetApps(suite_->pointers());
    DT_ASSIGN_OR_RETURN(endpoints_, environment_->DescribeEndpoints());
    return absl::OkStatus();
  }

  // One app for trusted devices alone, one for all, the others behind the example.
  std::vector<org::v1::App> OwnApps() const {
    std::vector<org::v1::App> apps = suite_->Registrations(FiveRuleExample());
    SetRules(apps.at(0), TrustedOnly());
    SetRules(apps.at(1), {});
    return apps;
  }

  void MakeIdUnique(org::v1::App& added) const {
    const auto taken = [this](const std::string& name) {
      const auto same = [&name](const org::v1::App& app) { return app.id() == name; };
      return std::any_of(own_.begin(), own_.end(), same) ||
             std::any_of(foreign_.begin(), foreign_.end(), same);
    };
    const std::string base = added.id();
    for (int number = 2; taken(added.id()); ++number) {
      added.set_id(fmt::format("{}-{}", base, number));
    }
    added.set_label(added.id());
  }

  // The gateway knows its flags, the person knows ours.
  static absl::Status InOurWords(const absl::Status& status) {
    std::string message(status.message());
    for (const auto& [theirs, ours] :
         {std::pair{"--org-listen", "--org-port"}, std::pair{"--mtls-listen", "--mtls-port"}}) {
      const std::size_t at = message.find(theirs);
      if (at != std::string::npos) message.replace(at, std::string_view(theirs).size(), ours);
    }
    return absl::Status(status.code(), message);
  }

  absl::Status EnrollDevices() {
    Meter meter("enroll", fleet_.domain_joined);
    EnrollConfig config;
    config.fleet = &fleet_;
    config.forests = &environment_->forests();
    config.org_url = environment_->org_origin();
    config.org_trust_pem = environment_->pki().web_ca().certificate.Pem();
    config.clock = &clock_;
    config.random = &random_;
    config.watch = [this] {
      return WaitForStopSignal(std::chrono::milliseconds(0)) == 0
                 ? environment_->Check()
                 : absl::CancelledError("interrupted");
    };
    enroll_.emplace(std::move(config), meter);
    DT_RETURN_IF_ERROR(enroll_->Run());
    if (!enroll_->errors().empty()) return absl::InternalError(enroll_->errors().front());
    return absl::OkStatus();
  }

  // Of the domain's computers the last quarter, two at most, is revoked; the first one outside
  // it holds a certificate of a foreign CA, the others none.
  absl::Status DescribeDevices() {
    const std::string folder = folder_.File("devices");
    ::mkdir(folder.c_str(), 0700);
    const std::size_t joined = fleet_.domain_joined;
    const std::size_t revoked = std::clamp<std::size_t>(joined / 4, 1, 2);
    std::optional<pki::Identity> last_revoked;
    for (std::size_t i = 0; i < fleet_.devices.size(); ++i) {
      const FleetUser& user = fleet_.users[fleet_.devices[i].user];
      const std::string& name = user.account_name;
      if (i < joined) {
        const pki::ExportableIdentity identity = enroll_->IdentityOf(i).value();
        const bool good = i + revoked < joined;
        if (!good) {
          DT_RETURN_IF_ERROR(environment_->admin()
                                 .RevokeCertificate(identity.certificate.serial_hex(),
                                                    ca::v1::REVOCATION_REASON_KEY_COMPROMISE)
                                 .status());
          last_revoked = identity;
        }
        DT_ASSIGN_OR_RETURN(
            EndpointDevice device,
            WriteDevice(folder, name, user.display_name, good ? "enrolled" : "revoked", identity));
        endpoints_.devices.push_back(std::move(device));
      } else if (i == joined) {
        const pki::ExportableIdentity foreign = throwaway::NewDevice(
            "acme", "foreign-device", "foreign-enrollment",
            throwaway::NewCa("Another Certificate Authority", clock_.Now()), clock_.Now());
        DT_ASSIGN_OR_RETURN(EndpointDevice device,
                            WriteDevice(folder, name, user.display_name, "foreign_ca", foreign));
        endpoints_.devices.push_back(std::move(device));
      } else {
        endpoints_.devices.push_back({user.display_name, "none", "", "", "", ""});
      }
    }
    return last_revoked.has_value() ? WaitUntilRefused(*last_revoked) : absl::OkStatus();
  }

  // So that kinit can be a computer, too.
  absl::Status WriteComputerKeytab() {
    const std::string principal = fleet_.PrincipalOf(fleet_.devices.front());
    const std::string path = folder_.File("computer.keytab");
    DT_RETURN_IF_ERROR(environment_->forests().WriteKeytab(path, {&principal, 1}));
    endpoints_.keytabs[principal] = path;
    return absl::OkStatus();
  }

  // Ready means that the gateway knows of the revocations, too.
  absl::Status WaitUntilRefused(const pki::Identity& revoked) {
    const std::vector<pki::Certificate> trust = {environment_->pki().web_ca().certificate};
    const auto end = std::chrono::steady_clock::now() + kRefusedWithin;
    while (std::chrono::steady_clock::now() < end) {
      DT_ASSIGN_OR_RETURN(const std::string check,
                          FetchText(environment_->check_url(), trust, clock_, &revoked));
      if (check.find("CERTIFICATE_REVOKED") != std::string::npos) return absl::OkStatus();
      if (WaitForStopSignal(std::chrono::milliseconds(5)) != 0) {
        return absl::CancelledError("interrupted");
      }
    }
    return absl::DeadlineExceededError("the gateway did not learn of a revocation within 10 s");
  }

  void DescribePeopleAndApps() {
    for (const FleetUser& user : fleet_.users) {
      endpoints_.users.push_back({user.display_name, user.principal, user.password,
                                  user.totp_secret.empty() ? "" : Base32Encode(user.totp_secret),
                                  user.groups});
    }
    const auto add = [this](const org::v1::App& app, const char* trust, std::string home) {
      endpoints_.apps.push_back(
          {app.id(), app.saml().entity_id(), "saml2",
           fmt::format("{}/app/{}/sso/saml", environment_->org_origin(), app.id()), trust,
           std::move(home)});
    };
    for (const org::v1::App& app : own_) {
      add(app, app.rules().empty() ? "any" : "trusted",
          fmt::format("{}/{}/", listener_->origin(), app.id()));
    }
    for (const org::v1::App& app : foreign_) add(app, "trusted", "");
  }

  absl::Status Announce() {
    const std::string path = folder_.File("endpoints.json");
    DT_RETURN_IF_ERROR(WriteFileAtomically(path, ToJson(endpoints_)));
    const absl::StatusOr<std::string> live = LivePath();
    const absl::Status known = live.ok() ? WriteOutside(*live, path, 0600) : live.status();
    if (!known.ok()) {
      std::fprintf(stderr, "dt-sim: explain will need --run-dir: %s\n",
                   std::string(known.message()).c_str());
    }
    const FleetUser& user = fleet_.users.at(std::min<std::size_t>(9, fleet_.domain_joined - 3));
    const std::string device = folder_.File("devices/" + user.account_name);
    std::string text = fmt::format(
        "org        {}\n"
        "mTLS host  {}        asks for a certificate of \"MTLS Certificate Authority\"\n"
        "apps       {}        Mail for trusted devices alone, Wiki for all, two behind the "
        "five-rule example\n",
        environment_->org_origin(), environment_->mtls_origin(), listener_->origin());
    for (const org::v1::App& app : foreign_) {
      text += fmt::format("{} registered, sign-on URL {}/app/{}/sso/saml\n", PadRight(app.id(), 10),
                          environment_->org_origin(), app.id());
    }
    text += fmt::format(
        "try        {} / {} on a trusted computer:\n"
        "             curl --cacert {} --cert {} --key {} {}\n"
        "           In Chromium:\n"
        "             tools/open-browser --endpoints {} {}\n"
        "           Kerberos:\n"
        "             KRB5_CONFIG={} kinit {}\n"
        "           As an administrator:\n"
        "             {} --endpoints {} log --follow\n"
        "Everything above, for programs: {}   Ctrl-C stops and leaves nothing behind.\n",
        user.principal, user.password, ShellQuoted(endpoints_.ca_bundle),
        ShellQuoted(device + ".pem"), ShellQuoted(device + ".key"), endpoints_.mtls_check_url,
        ShellQuoted(path), user.account_name, ShellQuoted(endpoints_.krb5_conf), user.account_name,
        ShellQuoted(options_.bin_dir + "/dtctl"), ShellQuoted(path), path);
    std::fputs(text.c_str(), out_);
    std::fflush(out_);
    if (!options_.wait_file.empty()) {
      DT_RETURN_IF_ERROR(WriteOutside(options_.wait_file, path + "\n", 0644));
    }
    if (options_.ready_fd >= 0 && ::write(options_.ready_fd, "ready\n", 6) != 6) {
      return NotWritable(options_.ready_fd);
    }
    return absl::OkStatus();
  }

  // A file that is not in the run folder, so that ours alone is removed at the end.
  absl::Status WriteOutside(const std::string& path, const std::string& content, mode_t mode) {
    DT_RETURN_IF_ERROR(WriteFileAtomically(path, content, mode));
    outside_.emplace_back(path, content);
    return absl::OkStatus();
  }

 public:
  static absl::StatusOr<std::string> LivePath() {
    DT_ASSIGN_OR_RETURN(const std::string folder, StateFolder());
    return folder + "/live";
  }
  ~Up() {
    for (const auto& [path, content] : outside_) UnlinkIfHolds(path, content);
  }

 private:
  const UpOptions& options_;
  RunFolder& folder_;
  std::FILE* const out_;
  const SystemClock clock_;
  SystemRandom random_;
  const Fleet fleet_;
  throwaway::ThrowawayPki pki_{"acme", clock_.Now()};
  std::optional<AppSuite> suite_;
  std::unique_ptr<AppListener> listener_;
  std::vector<org::v1::App> own_;
  std::vector<org::v1::App> foreign_;
  std::unique_ptr<Environment> environment_;
  std::optional<EnrollPhase> enroll_;
  Endpoints endpoints_;
  std::vector<std::pair<std::string, std::string>> outside_;  // Path and content.
};

}  // namespace

absl::StatusOr<std::string> LiveEndpointsPath() {
  DT_ASSIGN_OR_RETURN(const std::string live, Up::LivePath());
  const absl::StatusOr<std::string> path = ReadFile(live);
  return path.ok() ? *path : std::string();
}

absl::Status RunUp(const UpOptions& options, std::FILE* out) {
  DT_RETURN_IF_ERROR(CheckWritable("--wait-file", options.wait_file, options.run_dir));
  DT_RETURN_IF_ERROR(CheckReadyFd(options.ready_fd));
  DT_ASSIGN_OR_RETURN(RunFolder folder, RunFolder::Create(options.run_dir));
  SetLogComponent("dt-sim");
  DT_RETURN_IF_ERROR(SetLogFile(folder.File("dt-sim.log")));
  const auto up = std::make_unique<Up>(options, folder, out);
  const absl::Status status = up->Go();
  if (status.ok() || absl::IsCancelled(status)) return absl::OkStatus();
  folder.KeepEnding(".log");
  return absl::Status(status.code(), fmt::format("{}\n        Logs are in {}",
                                                 std::string(status.message()), folder.path()));
}

}  // namespace devicetrust::simulator
