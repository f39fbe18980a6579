#include "simulator/verbs/up.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>

#include "libs/admin/app_file.h"
#include "libs/admin/environments.h"
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
#include "simulator/report/progress.h"
#include "simulator/scenario/enroll_phase.h"
#include "simulator/verbs/child_command.h"
#include "simulator/verbs/local_programs.h"

namespace devicetrust::simulator {
namespace {

constexpr std::chrono::milliseconds kCheckEvery{200};
constexpr std::chrono::milliseconds kCommandCheckEvery{20};
constexpr std::chrono::seconds kRefusedWithin{10};
constexpr std::size_t kKeytabsMax = 1000;
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

// What reads metadata, of either protocol.
using ReadApp = absl::StatusOr<org::v1::App>(const std::string&, std::string_view, WallTime);

absl::Status AddForeignApps(const char* flag, const std::vector<std::string>& files, ReadApp* read,
                            WallTime now, std::vector<org::v1::App>& apps) {
  for (const std::string& path : files) {
    const absl::StatusOr<std::string> xml = ReadFile(path);
    if (!xml.ok()) {
      return absl::InvalidArgumentError(
          fmt::format("{}: {}", flag, std::string(xml.status().message())));
    }
    DT_ASSIGN_OR_RETURN(org::v1::App app, read(path, *xml, now));
    apps.push_back(std::move(app));
  }
  return absl::OkStatus();
}

// Apps from outside, by their metadata or their realm.
absl::StatusOr<std::vector<org::v1::App>> ForeignApps(const UpOptions& options, WallTime now) {
  std::vector<org::v1::App> apps;
  DT_RETURN_IF_ERROR(
      AddForeignApps("--sp-metadata", options.sp_metadata, &admin::AppFromMetadata, now, apps));
  DT_RETURN_IF_ERROR(AddForeignApps("--wsfed-metadata", options.wsfed_metadata,
                                    &admin::AppFromFederationMetadata, now, apps));
  if (options.wsfed_realm.empty() != options.wsfed_reply.empty()) {
    return absl::InvalidArgumentError("--wsfed-realm and --wsfed-reply need one another");
  }
  if (!options.wsfed_realm.empty()) {
    apps.push_back(admin::AppOfRealm(options.wsfed_realm, options.wsfed_reply));
  }
  for (org::v1::App& app : apps) SetRules(app, TrustedOnly());
  return apps;
}

class Up {
 public:
  Up(const UpOptions& options, std::vector<org::v1::App> foreign, RunFolder& folder, std::FILE* out)
      : options_(options),
        folder_(folder),
        out_(out),
        style_(Style::Of(::fileno(out))),
        fleet_(MakeFleet({.seed = options.seed,
                          .devices = options.devices,
                          .forests = SomeForests(options.forests),
                          .trusts = TrustsOfTheFirst(SomeForests(options.forests)),
                          .one_without_factor = true})),
        foreign_(std::move(foreign)) {}

  // The exit code.
  absl::StatusOr<int> Go() {
    DT_RETURN_IF_ERROR(Start());
    DT_RETURN_IF_ERROR(EnrollDevices());
    DT_RETURN_IF_ERROR(DescribeDevices());
    DescribePeopleAndApps();
    endpoints_.admin.url = environment_->org_origin() + "/console";
    DT_RETURN_IF_ERROR(NameAdmin(environment_->admin(), endpoints_));
    DT_RETURN_IF_ERROR(WriteComputerKeytabs());
    DT_RETURN_IF_ERROR(Announce());
    if (!options_.command.empty()) return RunCommand();
    while (WaitForStopSignal(kCheckEvery) == 0) DT_RETURN_IF_ERROR(environment_->Check());
    return EXIT_SUCCESS;
  }

  // That came before all was ready, else 0.
  int early_signal() const { return early_signal_; }

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
    config.mtls_names = options_.mtls_names;
    config.ticket_sign_in = options_.ticket_sign_in;
    own_ = OwnApps();
    config.apps = own_;
    for (org::v1::App& app : foreign_) {
      MakeIdUnique(app, config.apps);
      config.apps.push_back(app);
    }
    absl::StatusOr<std::unique_ptr<Environment>> environment =
        Environment::Start(config, fleet_, clock_, random_);
    if (!environment.ok()) return InOurWords(environment.status());
    environment_ = *std::move(environment);
    const std::vector<pki::Certificate> trust = {environment_->pki().web_ca().certificate};
    DT_RETURN_IF_ERROR(
        suite_->Connect(environment_->org_origin(), environment_->metadata_url(), trust));
    DT_RETURN_IF_ERROR(suite_->ConnectOffice(environment_->federation_metadata_url(), trust));
    listener_->SetApps(suite_->pointers(), {&suite_->office()});
    DT_ASSIGN_OR_RETURN(endpoints_, environment_->DescribeEndpoints());
    endpoints_.version = options_.version;
    endpoints_.saml_metadata_file = folder_.File("idp-metadata.xml");
    DT_ASSIGN_OR_RETURN(const std::string metadata,
                        FetchText(environment_->metadata_url(), trust, clock_));
    DT_RETURN_IF_ERROR(WriteFileAtomically(endpoints_.saml_metadata_file, metadata, 0644));
    Print(fmt::format("start      forest {}, iwa, ca, policy, gateway{}\n",
                      fmt::join(environment_->forests().realms(), ", "),
                      options_.processes ? ", each a process" : ""));
    return absl::OkStatus();
  }

  void Print(const std::string& text) {
    std::fputs(text.c_str(), out_);
    std::fflush(out_);
  }

  absl::Status Watch() {
    early_signal_ = WaitForStopSignal(std::chrono::milliseconds(0));
    return early_signal_ == 0 ? environment_->Check()
                              : absl::CancelledError("interrupted before all was ready");
  }

  // The caller's command, for as long as it lasts.
  absl::StatusOr<int> RunCommand() {
    DT_ASSIGN_OR_RETURN(
        const std::unique_ptr<ChildCommand> command,
        ChildCommand::Start(options_.command, {"DT_ENDPOINTS=" + folder_.File("endpoints.json")}));
    while (true) {
      if (const std::optional<int> code = command->ExitCode()) return *code;
      // A Ctrl-C at the terminal has reached the command already.
      const int signal = WaitForStopSignal(kCommandCheckEvery);
      const bool from_terminal = signal == SIGINT && ::tcgetpgrp(STDIN_FILENO) == ::getpgrp();
      if (signal != 0 && !from_terminal) command->Signal(signal);
      DT_RETURN_IF_ERROR(environment_->Check());
    }
  }

  // One app for trusted devices alone, one for all, the others behind the example.
  std::vector<org::v1::App> OwnApps() const {
    std::vector<org::v1::App> apps = suite_->Registrations(FiveRuleExample());
    SetRules(apps.at(0), TrustedOnly());
    SetRules(apps.at(1), {});
    apps.push_back(suite_->OfficeRegistration(FiveRuleExample()));
    return apps;
  }

  static void MakeIdUnique(org::v1::App& added, const std::vector<org::v1::App>& others) {
    const auto taken = [&others](const std::string& name) {
      const auto same = [&name](const org::v1::App& app) { return app.id() == name; };
      return std::any_of(others.begin(), others.end(), same);
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
    config.watch = [this] { return Watch(); };
    enroll_.emplace(std::move(config), meter);
    {
      const Progress progress(out_, style_, {&meter});
      DT_RETURN_IF_ERROR(enroll_->Run(enroll_->AllOf(), meter));
    }
    const std::vector<std::string> problems = enroll_->Problems();
    if (problems.empty()) return absl::OkStatus();
    return absl::InternalError(fmt::format("{}", fmt::join(problems, "\n        ")));
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
      EndpointDevice& described = endpoints_.devices.back();
      described.principal = user.principal;
      described.computer = fleet_.devices[i].computer_name;
      described.kind = DeviceKindName(fleet_.devices[i].kind);
    }
    return last_revoked.has_value() ? WaitUntilRefused(*last_revoked) : absl::OkStatus();
  }

  // So that kinit can be a computer, and dt-agent run as on one.
  absl::Status WriteComputerKeytabs() {
    for (std::size_t i = 0; i < std::min(fleet_.domain_joined, kKeytabsMax); ++i) {
      const std::string principal = fleet_.PrincipalOf(fleet_.devices[i]);
      const std::string name = fleet_.users[fleet_.devices[i].user].account_name;
      const std::string path = folder_.File(fmt::format("devices/{}.keytab", name));
      DT_RETURN_IF_ERROR(environment_->forests().WriteKeytab(path, {&principal, 1}));
      endpoints_.keytabs[principal] = path;
    }
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
      early_signal_ = WaitForStopSignal(std::chrono::milliseconds(5));
      if (early_signal_ != 0) return absl::CancelledError("interrupted before all was ready");
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
          {app.id(), app.has_ws_fed() ? app.ws_fed().realm() : app.saml().entity_id(),
           app.has_ws_fed() ? "ws-federation" : "saml2", SignOnUrl(environment_->org_origin(), app),
           trust, std::move(home)});
    };
    for (const org::v1::App& app : own_) {
      add(app, app.rules().empty() ? "any" : "trusted",
          fmt::format("{}/{}/", listener_->origin(), app.id()));
    }
    for (const org::v1::App& app : foreign_) add(app, "trusted", "");
  }

  // Who gets in, and who does not.
  const FleetUser& Good() const {
    return fleet_.users.at(std::min<std::size_t>(9, fleet_.domain_joined - 3));
  }
  const FleetUser& Refused() const { return fleet_.users.at(fleet_.devices.back().user); }

  std::vector<AppListener::Note> FrontPageNotes() const {
    std::vector<AppListener::Note> notes;
    for (const org::v1::App& app : foreign_) {
      notes.push_back({fmt::format("{}, an app of yours", app.label()),
                       SignOnUrl(environment_->org_origin(), app)});
    }
    notes.push_back({fmt::format("Let in with a trusted computer's certificate: {}, password {}",
                                 Good().principal, Good().password),
                     ""});
    notes.push_back({fmt::format("Refused without one: {}, password {}", Refused().principal,
                                 Refused().password),
                     ""});
    return notes;
  }

  // What to try, as both.
  std::string SuggestionText() const {
    const FleetUser& good = Good();
    const FleetUser& refused = Refused();
    const std::string device = folder_.File("devices/" + good.account_name);
    const std::string open_browser = OpenBrowserPath(options_.bin_dir);
    const auto in_browser = [&](const FleetUser& user) {
      if (open_browser.empty()) return std::string();
      return Suggestion(fmt::format("{} --run-dir {} {}", ShellQuoted(open_browser),
                                    ShellQuoted(folder_.path()), user.account_name),
                        IsInstalled("chromium") && IsInstalled("certutil"),
                        "apt-get install chromium libnss3-tools");
    };
    std::string text =
        fmt::format("let in     {} / {} on a trusted computer\n", good.principal, good.password);
    text += Suggestion(fmt::format("curl --cacert {} --cert {} --key {} {}",
                                   ShellQuoted(endpoints_.ca_bundle), ShellQuoted(device + ".pem"),
                                   ShellQuoted(device + ".key"), endpoints_.mtls_check_url),
                       IsInstalled("curl"), "apt-get install curl");
    text += in_browser(good);
    const bool several = endpoints_.realms.size() > 1;
    text += Suggestion(fmt::format("KRB5_CONFIG={} kinit {}", ShellQuoted(endpoints_.krb5_conf),
                                   several ? "-E " + good.principal : good.account_name),
                       IsInstalled("kinit"), "apt-get install krb5-user");
    text += fmt::format("refused    {} / {} on a device without a certificate\n", refused.principal,
                        refused.password);
    text += in_browser(refused);
    const std::string dtctl = options_.bin_dir + "/dtctl";
    return text + "administer\n" +
           Suggestion(fmt::format("{} --run-dir {} log --follow", ShellQuoted(dtctl),
                                  ShellQuoted(folder_.path())),
                      IsProgram(dtctl), "cmake --build --preset release --target dtctl");
  }

  std::string AnnouncementText() const {
    std::string text = fmt::format(
        "org        {}\n"
        "mTLS host  {}   asks for a client certificate issued by \"MTLS Certificate Authority\"\n"
        "apps       {}   Mail: trusted devices only; Wiki: everybody; Payroll, Customers, Office: "
        "the five-rule example\n",
        environment_->org_origin(), environment_->mtls_origin(), listener_->origin());
    for (const org::v1::App& app : foreign_) {
      text += fmt::format(
          "{} registered, sign-on URL {}; a trusted device is let in, anything else is refused.\n"
          "           Its identity provider's metadata: {}\n",
          PadRight(app.id(), 10), SignOnUrl(environment_->org_origin(), app),
          app.has_ws_fed() ? endpoints_.wsfed_metadata_url : endpoints_.saml_metadata_file);
    }
    text += AdminText(endpoints_.admin);
    text += SuggestionText();
    text += fmt::format(
        "names      curl and browsers find *.localhost by themselves; other programs need the "
        "package "
        "libnss-myhostname,\n           or{} this line in /etc/hosts: 127.0.0.1 org.localhost "
        "mtls.localhost {}\n",
        options_.mtls_names == "fixed" ? "" : " --mtls-names fixed and", kAppsHost);
    const bool leaves = options_.keep || !options_.run_dir.empty();
    return text + fmt::format("Everything above, for programs: {}   Ctrl-C stops{}.\n",
                              folder_.File("endpoints.json"),
                              options_.keep ? " and leaves the folder as it is"
                              : leaves      ? " and leaves the logs there"
                                            : " and leaves nothing behind");
  }

  absl::Status Announce() {
    const std::string path = folder_.File("endpoints.json");
    DT_RETURN_IF_ERROR(WriteFileAtomically(path, ToJson(endpoints_)));
    absl::StatusOr<admin::Announcement> known = admin::Announcement::Make(path);
    if (known.ok()) {
      announcement_.emplace(*std::move(known));
    } else {
      std::fprintf(stderr, "dt-sim: dtctl and explain will need --run-dir: %s\n",
                   std::string(known.status().message()).c_str());
    }
    listener_->SetNotes(FrontPageNotes());
    Print(AnnouncementText());
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
  ~Up() {
    for (const auto& [path, content] : outside_) UnlinkIfHolds(path, content);
  }

 private:
  const UpOptions& options_;
  RunFolder& folder_;
  std::FILE* const out_;
  const Style style_;
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
  std::optional<admin::Announcement> announcement_;
  int early_signal_ = 0;
  std::vector<std::pair<std::string, std::string>> outside_;  // Path and content.
};

}  // namespace

absl::StatusOr<int> RunUp(const UpOptions& options, std::FILE* out) {
  DT_RETURN_IF_ERROR(CheckCommand(options.command));
  DT_RETURN_IF_ERROR(CheckWritable("--wait-file", options.wait_file, options.run_dir));
  RemoveStale(options.wait_file);
  DT_RETURN_IF_ERROR(CheckReadyFd(options.ready_fd));
  DT_ASSIGN_OR_RETURN(std::vector<org::v1::App> foreign, ForeignApps(options, SystemClock().Now()));
  DT_ASSIGN_OR_RETURN(RunFolder folder, RunFolder::Create(options.run_dir));
  if (!options.run_dir.empty()) folder.KeepEnding(".log");
  SetLogComponent("dt-sim");
  DT_RETURN_IF_ERROR(SetLogFile(folder.File("dt-sim.log")));
  // The command has standard output to itself.
  const auto up = std::make_unique<Up>(options, std::move(foreign), folder,
                                       options.command.empty() ? out : stderr);
  const absl::StatusOr<int> code = up->Go();
  if (options.keep) folder.KeepAll();
  if (code.ok()) return code;
  if (up->early_signal() != 0) return 128 + up->early_signal();
  folder.KeepEnding(".log");
  return absl::Status(code.status().code(),
                      fmt::format("{}\n        Logs are in {}",
                                  std::string(code.status().message()), folder.path()));
}

}  // namespace devicetrust::simulator
