#include "policy-engine/policy_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "libs/base/background_loop.h"
#include "libs/base/files.h"
#include "libs/base/log.h"
#include "libs/db/database.h"
#include "libs/db/open.h"
#include "libs/db/outbox.h"
#include "libs/rpc/server.h"
#include "libs/service/component.h"
#include "libs/service/directories.h"
#include "libs/service/self_check.h"
#include "policy-engine/apps/app_service.h"
#include "policy-engine/apps/history_service.h"
#include "policy-engine/apps/policy_document_service.h"
#include "policy-engine/apps/zone_service.h"
#include "policy-engine/authentication/authentication_service.h"
#include "policy-engine/ca_link.h"
#include "policy-engine/console/console_service.h"
#include "policy-engine/decisions/dashboard_service.h"
#include "policy-engine/decisions/decision_service.h"
#include "policy-engine/decisions/decision_store.h"
#include "policy-engine/decisions/factor_service.h"
#include "policy-engine/decisions/policy_analysis_service.h"
#include "policy-engine/decisions/session_service.h"
#include "policy-engine/diagnostics/diagnostics_service.h"
#include "policy-engine/enrollment/enrollment_service.h"
#include "policy-engine/enrollment/iwa_registry_service.h"
#include "policy-engine/gateway_keys/gateway_key_service.h"
#include "policy-engine/gateway_keys/saml_key_service.h"
#include "policy-engine/log/event_hook_service.h"
#include "policy-engine/log/system_log_service.h"
#include "policy-engine/method_access.h"
#include "policy-engine/migrations.h"
#include "policy-engine/org/settings_service.h"
#include "policy-engine/people_sync/people_sync_service.h"
#include "policy-engine/sessions/session_feed_service.h"
#include "policy-engine/sessions/session_limits.h"
#include "policy-engine/users/admin_store.h"
#include "policy-engine/users/pending_factor.h"
#include "policy-engine/users/user_service.h"

namespace devicetrust::policy {

// What the files of a Config hold.
struct Files {
  service::Component component;
  std::vector<pki::Certificate> hook_cas;
  pki::AeadKey kek;
  std::unique_ptr<directory::Registry> directories;
  std::vector<PeopleSync::Domain> people;
};

namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr std::chrono::seconds kPruneEvery{60};
constexpr std::chrono::milliseconds kRefusalsToldEvery = std::chrono::minutes{10};
constexpr std::chrono::milliseconds kPauseBetweenPrunes{50};  // While there is more to delete.
constexpr std::chrono::milliseconds kHeadSignedEvery = std::chrono::minutes{10};
constexpr std::chrono::milliseconds kLastEventsWait{2000};

absl::StatusOr<PeopleSync::Domain> LoadPeople(const PeopleConfig& people, const Config& config) {
  const auto found =
      std::ranges::find(config.directories, people.domain, &service::DirectoryConfig::domain);
  if (found == config.directories.end()) {
    return absl::InvalidArgumentError(
        fmt::format("--people {}: no --directory has that domain; add one, or correct the name",
                    people.domain));
  }
  PeopleSync::Domain domain;
  domain.scope.domain = people.domain;
  domain.scope.domain_sid = found->domain_sid;
  // Names without a domain are of the first one.
  if (found != config.directories.begin()) domain.scope.prefix = found->netbios_name + "\\";
  domain.scope.base = people.base;
  domain.scope.group = people.group;
  domain.limits.every = std::chrono::minutes(people.minutes);
  domain.limits.deactivate_percent = people.deactivate_percent;
  domain.limits.deactivate_least = people.deactivate_least;
  DT_ASSIGN_OR_RETURN(domain.listing, service::LoadListing(*found));
  return domain;
}

absl::StatusOr<std::vector<PeopleSync::Domain>> LoadPeople(const Config& config) {
  std::vector<PeopleSync::Domain> domains;
  for (const PeopleConfig& people : config.people) {
    const auto same = [&people](const PeopleSync::Domain& domain) {
      return domain.scope.domain == people.domain;
    };
    if (std::ranges::any_of(domains, same)) {
      return absl::InvalidArgumentError(
          fmt::format("--people {}: it is there twice; leave one", people.domain));
    }
    DT_ASSIGN_OR_RETURN(PeopleSync::Domain domain, LoadPeople(people, config));
    domains.push_back(std::move(domain));
  }
  return domains;
}

constexpr char kSystemCas[] = "/etc/ssl/certs/ca-certificates.crt";
constexpr std::size_t kHookCasMax = 1000;
constexpr std::size_t kHookCaBytesMax = 4 << 20;

absl::StatusOr<std::vector<pki::Certificate>> LoadHookCas(const Config& config) {
  if (config.hook_ca.empty()) {
    return pki::CasFromPem(ReadFile(kSystemCas, kHookCaBytesMax).value_or(""));
  }
  const auto pem = ReadFile(config.hook_ca, kHookCaBytesMax);
  DT_RETURN_IF_ERROR(Annotate(pem.status(), "--hook-ca"));
  auto certificates = pki::CertificatesFromPem(*pem, kHookCasMax);
  DT_RETURN_IF_ERROR(Annotate(certificates.status(), "--hook-ca " + config.hook_ca));
  return certificates;
}

absl::StatusOr<Files> LoadFiles(const Config& config) {
  DT_ASSIGN_OR_RETURN(auto component, service::Component::Load(config, "policy"));
  DT_ASSIGN_OR_RETURN(auto kek, service::LoadKek(config));
  DT_ASSIGN_OR_RETURN(auto directories, service::LoadDirectories(config));
  DT_ASSIGN_OR_RETURN(auto hook_cas, LoadHookCas(config));
  DT_ASSIGN_OR_RETURN(auto people, LoadPeople(config));
  return Files{std::move(component), std::move(hook_cas), std::move(kek), std::move(directories),
               std::move(people)};
}

// A store that is full takes no events: the oldest go before.
LogLimits LimitsOf(const Config& config) {
  LogLimits limits{std::chrono::days(config.log_retention_days), config.log_bytes_max};
  const std::int64_t room = config.store_bytes_max / 4 * 3;
  if (room > 0 && (limits.bytes_max == 0 || limits.bytes_max > room)) limits.bytes_max = room;
  return limits;
}

// Of the zones that hold the address, as of now.
std::vector<std::string> ZoneNames(const OrgState& state, std::string_view address) {
  std::vector<std::string> names;
  const std::optional<IpAddress> parsed = IpAddress::Parse(address);
  for (const Zone& zone : state.zones) {
    if (parsed && zone.Contains(*parsed)) names.push_back(zone.name());
  }
  return names;
}

void LogFailure(std::string_view event, const absl::Status& status) {
  if (!status.ok()) Log(LogLevel::kWarning, event, {{"error", status.ToString()}});
}

}  // namespace

// In the order of use: what is destroyed first uses only what is still there.
struct PolicyServer::Parts {
  Parts(const Config& settings, Files read, const Clock& time, Random& source)
      : config(settings), files(std::move(read)), clock(time), random(source) {}
  ~Parts() { Stop(); }

  absl::Status Open();
  void MakeRooms();
  absl::Status MakeConsole();
  absl::Status ApplyCapability();
  void MakeServices();
  absl::Status Listen();
  void Prune();
  void Stop();

  const Config config;
  Files files;
  const Clock& clock;
  Random& random;

  std::unique_ptr<db::Database> log_database;
  std::unique_ptr<db::Database> database;
  std::optional<SystemLog> log;
  std::unique_ptr<LogHeads> log_heads;
  std::unique_ptr<HookPoster> hook_poster;
  std::optional<EventHooks> hooks;
  std::unique_ptr<db::Outbox> outbox;
  std::optional<EventSink> events;
  std::unique_ptr<OrgStore> store;
  std::unique_ptr<GatewayKeys> keys;
  std::unique_ptr<SamlKeys> saml_keys;
  std::optional<CaLink> ca;
  std::optional<SessionChanges> sessions;
  std::optional<TotpFactors> factors;
  std::optional<AccountWatch> accounts;
  std::unique_ptr<UserRevoker> revoker;

  std::optional<SettingsAdmin> settings_admin;
  std::optional<RuleReferences> references;
  std::optional<AppAdmin> apps;
  std::optional<AppLogos> logos;
  std::optional<ZoneAdmin> zones;
  std::optional<VersionHistory> versions;
  std::optional<PolicyDocuments> documents;
  std::optional<UserAdmin> users;
  std::unique_ptr<PeopleSync> people;
  std::optional<IwaRegistry> iwas;
  std::optional<EnrollmentAuthority> enrollments;
  std::optional<Authenticator> authenticator;
  std::optional<SignOn> sign_on;
  std::optional<FactorCompletion> factor_completion;
  std::optional<FactorEnrollment> factor_enrollment;
  std::optional<UserSessions> user_sessions;
  std::optional<Dashboard> dashboard;
  std::optional<DecisionHistory> history;
  std::optional<Diagnostics> diagnostics;
  std::optional<PolicyDrafts> drafts;
  std::optional<PolicyAnalysis> analysis;
  std::optional<AdminRoles> admin_roles;
  std::unique_ptr<service::GrantSource> grants;
  std::optional<Console> console;

  std::vector<std::unique_ptr<grpc::Service>> services;
  std::unique_ptr<rpc::Server> server;
  std::optional<service::SelfCheck> self_check;
  std::optional<BackgroundLoop> pruning;
  std::optional<BackgroundLoop> account_checks;
  std::optional<BackgroundLoop> refusals;
  std::optional<BackgroundLoop> log_pruning;
  std::optional<BackgroundLoop> log_signing;
  std::once_flag stopped;
};

absl::Status PolicyServer::Parts::Open() {
  const db::DatabaseOptions options{.bytes_max = config.store_bytes_max};
  DT_ASSIGN_OR_RETURN(log_database,
                      db::Database::Open(config.log_database, LogMigrations(), options));
  DT_ASSIGN_OR_RETURN(database, db::Database::Open(config.database, OrgMigrations(), options));
  DT_RETURN_IF_ERROR(database->Write([](db::Transaction& txn) { return FillNameKeys(txn); }));
  DT_RETURN_IF_ERROR(database->Write([](db::Transaction& txn) { return FillGroups(txn); }));
  log.emplace(*log_database, clock, LimitsOf(config));
  DT_ASSIGN_OR_RETURN(log_heads,
                      LogHeads::Create(*log_database, files.kek, config.org, clock, random));
  DT_ASSIGN_OR_RETURN(hook_poster,
                      HookPoster::Create(files.hook_cas, config.hook_private_addresses, clock));
  hooks.emplace(HookParts{*log_database, *log, files.kek, config.org, clock, random,
                          [this](const auto&... call) { return hook_poster->Post(call...); }},
                config.hook_private_addresses);
  db::OutboxOptions outbox_options;
  outbox_options.backlog_max = config.log_backlog_max;
  outbox = std::make_unique<db::Outbox>(*database, outbox_options, DeliverTo(*log));
  events.emplace(*outbox, random);
  OrgDefaults defaults{
      config.org, {}, config.capability.value_or(true), UnixMillis(clock.Now()), clock.Now()};
  for (const directory::Domain& domain : files.directories->domains()) {
    defaults.ad_domains.push_back(domain.dns_name);
  }
  DT_ASSIGN_OR_RETURN(store, OrgStore::Create(*database, *events, defaults));
  log->NameZones([this](std::string_view address) { return ZoneNames(*store->state(), address); });
  DT_ASSIGN_OR_RETURN(keys, GatewayKeys::Create(*database, files.kek, config.org, clock, random));
  DT_ASSIGN_OR_RETURN(saml_keys,
                      SamlKeys::Create({*database, *events, clock, random}, files.kek, config.org));
  return absl::OkStatus();
}

void PolicyServer::Parts::MakeRooms() {
  ca.emplace(files.component.Peer(config.ca_address, config.ca_server_name));
  sessions.emplace(*database);
  FactorLimits factor_limits;
  factor_limits.failures_max = config.code_failures_max;
  factors.emplace(files.kek, random, factor_limits);
  accounts.emplace(*files.directories, clock.Now(),
                   AccountWatchLimits{std::chrono::minutes(config.session_check_minutes),
                                      std::chrono::minutes(config.session_check_grace_minutes)});
  revoker = std::make_unique<UserRevoker>(*database, *ca);

  settings_admin.emplace(*store, clock);
  references.emplace(RuleReferences::Parts{*database, *files.directories, *events, clock});
  apps.emplace(*store, *references, clock);
  logos.emplace(AppLogos::Parts{*database, *store, *events, clock});
  zones.emplace(*store, clock);
  versions.emplace(VersionHistory::Parts{*database, *store, *references, clock});
  documents.emplace(*store, *references, clock);
  users.emplace(UserAdmin::Parts{*database, *events, *revoker, *factors, clock, random,
                                 [this] { return store->state()->DisplayName(); }});
  people = std::make_unique<PeopleSync>(PeopleSync::Parts{*database, *events, *revoker, clock,
                                                          random, [this] { users->NoteChange(); }},
                                        std::move(files.people));
  iwas.emplace(*database, *store, *events, clock);
  enrollments.emplace(*database, *store, clock, *files.directories);
  authenticator.emplace(Authenticator::Parts{
      *database, *store, *events, *files.directories, *accounts, clock, random,
      FailureLimits{config.password_failures_max, config.known_password_failures_max,
                    config.network_failures_max,
                    std::chrono::minutes(config.failure_window_minutes)},
      config.ticket_sign_in});
  sign_on.emplace(
      SignOn::Parts{*database, *store, *events, keys->proof_keys(), *accounts, clock, random});
  factor_completion.emplace(FactorCompletion::Parts{*database, *store, *events, *factors, clock});
  factor_enrollment.emplace(
      FactorEnrollment::Parts{*database, *store, *events, *factors, clock, random});
  dashboard.emplace(Dashboard::Parts{*database, *store, clock});
  user_sessions.emplace(UserSessions::Parts{*database, *store, *events, clock});
  history.emplace(*database, *store, *log);
  diagnostics.emplace(Diagnostics::Parts{*database, *store, *log, *iwas, *history, *ca, clock,
                                         [this] { return people->Get(); }});
  drafts.emplace(*store, *references);
  analysis.emplace(*database, *drafts, clock);
}

absl::Status PolicyServer::Parts::MakeConsole() {
  DT_ASSIGN_OR_RETURN(grants, service::GrantSource::Create(config));
  admin_roles.emplace(AdminRoles::Parts{*database, *events, clock});
  console.emplace(
      Console::Parts{*database, *store, *events, *factors, clock, config.org,
                     [this](const access::v1::Grant& grant) { return grants->Sign(grant); }});
  return absl::OkStatus();
}

// The flag of an operator counts at each start; without it the store's value stays.
absl::Status PolicyServer::Parts::ApplyCapability() {
  if (!config.capability) return absl::OkStatus();
  rpc::Caller operator_itself;
  operator_itself.name = "policy";
  v1::SetCapabilityRequest request;
  request.set_enabled(*config.capability);
  return settings_admin->SetCapability(operator_itself, request).status();
}

void PolicyServer::Parts::MakeServices() {
  services.push_back(std::make_unique<SettingsService>(*settings_admin));
  services.push_back(std::make_unique<AppService>(*apps, *logos));
  services.push_back(std::make_unique<ZoneService>(*zones));
  services.push_back(std::make_unique<HistoryService>(*versions));
  services.push_back(std::make_unique<PolicyDocumentService>(*documents));
  services.push_back(std::make_unique<UserService>(*users));
  services.push_back(std::make_unique<PeopleSyncService>(*people));
  services.push_back(std::make_unique<IwaRegistryService>(*iwas));
  services.push_back(std::make_unique<EnrollmentService>(*enrollments));
  services.push_back(std::make_unique<AuthenticationService>(*authenticator));
  services.push_back(std::make_unique<DecisionService>(*sign_on, *factor_completion, *history));
  services.push_back(std::make_unique<DiagnosticsService>(*diagnostics));
  services.push_back(std::make_unique<FactorService>(*factor_enrollment));
  services.push_back(std::make_unique<PolicyAnalysisService>(*analysis, *drafts, *database, clock));
  services.push_back(std::make_unique<DashboardService>(*dashboard));
  services.push_back(std::make_unique<SessionService>(*user_sessions));
  services.push_back(std::make_unique<SessionFeedService>(*sessions, clock));
  services.push_back(std::make_unique<GatewayKeyService>(*keys, *saml_keys));
  services.push_back(std::make_unique<SamlKeyService>(*saml_keys));
  services.push_back(std::make_unique<AdminRoleService>(*admin_roles));
  services.push_back(std::make_unique<ConsoleService>(*console));
  services.push_back(std::make_unique<EventHookService>(*hooks));
  services.push_back(std::make_unique<SystemLogService>(*log, *log_heads));
}

absl::Status PolicyServer::Parts::Listen() {
  std::vector<grpc::Service*> served;
  for (const auto& service : services) served.push_back(service.get());
  rpc::ListenerConfig listener = files.component.InternalListener(config);
  DT_ASSIGN_OR_RETURN(listener.grants, files.component.Grants(clock));
  DT_ASSIGN_OR_RETURN(server, rpc::Server::Start(std::move(listener), served, InternalAccess()));
  self_check.emplace(std::vector{server.get()});
  DT_RETURN_IF_ERROR(people->ReleaseOthers());
  people->Start();
  pruning.emplace(kPruneEvery, [this] {
    Prune();
    return kPruneEvery;
  });
  account_checks.emplace(kDomainAskedAgainAfter, [this] {
    accounts->AskAgain();
    return kDomainAskedAgainAfter;
  });
  refusals.emplace(kRefusalsToldEvery, [this] {
    LogFailure("org.refusals.untold", authenticator->TellRefused());
    LogFailure("org.refusals.untold", console->TellRefusals());
    return kRefusalsToldEvery;
  });
  log_pruning.emplace(kPruneEvery, [this]() -> std::chrono::milliseconds {
    const auto more = log->Prune();
    LogFailure("system_log.prune.failed", more.status());
    return more.value_or(false) ? kPauseBetweenPrunes : kPruneEvery;
  });
  DT_RETURN_IF_ERROR(hooks->Start());
  log_signing.emplace(kHeadSignedEvery, [this] {
    LogFailure("system_log.head.unsigned", log_heads->Sign());
    return kHeadSignedEvery;
  });
  return absl::OkStatus();
}

void PolicyServer::Parts::Prune() {
  const WallTime now = clock.Now();
  accounts->Prune(now);
  LogFailure("org.prune.failed", sessions->Prune(now));
  LogFailure("org.references.unchecked", references->ReportLost(*store->state(), users->version()));
  LogFailure("org.prune.failed",
             database->Write([now](db::Transaction& txn) { return PruneDecisions(txn, now); }));
  LogFailure("org.prune.failed", database->Write([now](db::Transaction& txn) {
    return TotpFactors::PruneNetworks(txn, now);
  }));
  LogFailure("org.prune.failed", database->Write([now](db::Transaction& txn) {
    return PrunePendingFactors(txn, now);
  }));
  LogFailure("org.prune.failed", database->Write([now](db::Transaction& txn) {
    return PruneConsoleSessions(txn, now - kSessionLimitMax);
  }));
}

void PolicyServer::Parts::Stop() {
  std::call_once(stopped, [this] {
    self_check.reset();
    if (sessions) sessions->announced().Stop();  // Ends the streams.
    if (log) log->appended().Stop();
    if (server != nullptr) server->Stop();
    if (people != nullptr) people->Stop();
    pruning.reset();
    account_checks.reset();
    refusals.reset();
    log_pruning.reset();
    log_signing.reset();
    if (hooks) hooks->Stop();
    if (authenticator) LogFailure("org.refusals.untold", authenticator->TellRefused());
    if (console) LogFailure("org.refusals.untold", console->TellRefusals());
    if (revoker != nullptr) revoker->Stop();
    if (outbox == nullptr) return;
    outbox->WaitUntilEmpty(kLastEventsWait);
    outbox->Stop();
    if (log_heads != nullptr) LogFailure("system_log.head.unsigned", log_heads->Sign());
  });
}

PolicyServer::PolicyServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
PolicyServer::~PolicyServer() = default;

absl::StatusOr<std::unique_ptr<PolicyServer>> PolicyServer::Create(const Config& config,
                                                                   const Clock& clock,
                                                                   Random& random) {
  DT_ASSIGN_OR_RETURN(Files files, LoadFiles(config));
  auto parts = std::make_unique<Parts>(config, std::move(files), clock, random);
  DT_RETURN_IF_ERROR(parts->Open());
  parts->MakeRooms();
  DT_RETURN_IF_ERROR(parts->MakeConsole());
  DT_RETURN_IF_ERROR(parts->ApplyCapability());
  parts->MakeServices();
  DT_RETURN_IF_ERROR(parts->Listen());
  return std::unique_ptr<PolicyServer>(new PolicyServer(std::move(parts)));
}

Addresses PolicyServer::addresses() const { return {{"internal", parts_->server->address()}}; }

void PolicyServer::Stop() { parts_->Stop(); }

absl::Status CheckConfig(const Config& config) {
  DT_RETURN_IF_ERROR(Annotate(db::CheckUrl(config.database), "--database"));
  DT_RETURN_IF_ERROR(Annotate(db::CheckUrl(config.log_database), "--log-database"));
  DT_RETURN_IF_ERROR(LoadFiles(config).status());
  DT_RETURN_IF_ERROR(service::CheckStore("--database", config.database));
  DT_RETURN_IF_ERROR(service::CheckStore("--log-database", config.log_database));
  DT_RETURN_IF_ERROR(ParseHostPort(config.internal_listen, "--internal-listen").status());
  DT_RETURN_IF_ERROR(ParseHostPort(config.ca_address, "--ca-address").status());
  return absl::OkStatus();
}

}  // namespace devicetrust::policy
