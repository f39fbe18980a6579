#include "policy-engine/policy_server.h"

#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "libs/base/background_loop.h"
#include "libs/base/files.h"
#include "libs/base/log.h"
#include "libs/db/database.h"
#include "libs/db/outbox.h"
#include "libs/directory/client.h"
#include "libs/rpc/server.h"
#include "libs/service/component.h"
#include "policy-engine/apps/app_service.h"
#include "policy-engine/apps/zone_service.h"
#include "policy-engine/authentication/authentication_service.h"
#include "policy-engine/authentication/directory_passwords.h"
#include "policy-engine/ca_link.h"
#include "policy-engine/decisions/decision_service.h"
#include "policy-engine/enrollment/enrollment_service.h"
#include "policy-engine/enrollment/iwa_registry.h"
#include "policy-engine/gateway_keys/gateway_key_service.h"
#include "policy-engine/log/system_log_service.h"
#include "policy-engine/method_access.h"
#include "policy-engine/migrations.h"
#include "policy-engine/org/settings_service.h"
#include "policy-engine/people/people_service.h"
#include "policy-engine/sessions/session_feed_service.h"

namespace devicetrust::policy {

// What the files of a Config hold.
struct PolicyFiles {
  service::Component component;
  pki::AeadKey kek;
  std::optional<directory::Config> ldap;
};

namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr std::chrono::seconds kPruneEvery{60};
constexpr std::chrono::milliseconds kLastEventsWait{2000};

absl::StatusOr<directory::Config> ReadLdapConfig(const Config& config) {
  directory::Config ldap;
  ldap.url = config.ldap_url;
  ldap.ca_file = config.ldap_ca;
  ldap.domain = config.domain;
  ldap.bind_name = config.ldap_bind_dn;
  if (!config.ldap_password_file.empty()) {
    DT_RETURN_IF_ERROR(RefuseIfShared(config.ldap_password_file));
    DT_ASSIGN_OR_RETURN(ldap.bind_password, ReadFile(config.ldap_password_file));
    while (!ldap.bind_password.empty() &&
           (ldap.bind_password.back() == '\n' || ldap.bind_password.back() == '\r')) {
      ldap.bind_password.pop_back();
    }
  }
  ldap.check_connections_max = 8;
  ldap.search_connections_max = 4;
  return ldap;
}

absl::StatusOr<PolicyFiles> ReadFiles(const Config& config) {
  DT_ASSIGN_OR_RETURN(auto component, service::Component::Load(config, "policy"));
  DT_ASSIGN_OR_RETURN(auto kek, service::LoadKek(config));
  PolicyFiles files{std::move(component), std::move(kek), {}};
  if (!config.ldap_url.empty()) {
    DT_ASSIGN_OR_RETURN(files.ldap, ReadLdapConfig(config));
  }
  return files;
}

void LogFailure(std::string_view event, const absl::Status& status) {
  if (!status.ok()) Log(LogLevel::kWarning, event, {{"error", status.ToString()}});
}

}  // namespace

// In the order of use: what is destroyed first uses only what is still there.
struct PolicyServer::Parts {
  Parts(const Config& settings, PolicyFiles read, const Clock& time, Random& source)
      : config(settings), files(std::move(read)), clock(time), random(source) {}
  ~Parts() { Stop(); }

  absl::Status Open();
  absl::Status OpenDirectory();
  absl::Status ApplyCapability();
  void MakeServices();
  absl::Status Listen();
  void Prune();
  void Stop();

  const Config config;
  const PolicyFiles files;
  const Clock& clock;
  Random& random;

  std::unique_ptr<db::Database> log_database;
  std::unique_ptr<db::Database> database;
  std::optional<SystemLog> log;
  std::unique_ptr<db::Outbox> outbox;
  std::optional<EventSink> events;
  std::unique_ptr<OrgStore> store;
  std::unique_ptr<GatewayKeys> keys;
  std::unique_ptr<directory::LdapDirectory> directory;  // Null: none is configured.
  std::optional<CaLink> ca;
  std::optional<SessionChanges> sessions;
  std::optional<Factors> factors;
  std::unique_ptr<PeopleRevoker> revoker;

  std::optional<AppAdmin> apps;
  std::optional<ZoneAdmin> zones;
  std::optional<DirectoryPasswords> passwords;
  std::optional<Authenticator> authenticator;
  std::optional<SignOn> sign_on;
  std::optional<SettingsService> settings_service;
  std::optional<IwaRegistryService> iwa_service;
  std::optional<EnrollmentService> enrollment_service;
  std::optional<AppService> app_service;
  std::optional<ZoneService> zone_service;
  std::optional<DecisionService> decision_service;
  std::optional<PeopleService> people_service;
  std::optional<AuthenticationService> authentication_service;
  std::optional<SessionFeedService> session_feed_service;
  std::optional<GatewayKeyService> gateway_key_service;
  std::optional<SystemLogService> log_service;
  std::unique_ptr<rpc::Server> server;
  std::optional<BackgroundLoop> pruning;
  std::once_flag stopped;
};

absl::Status PolicyServer::Parts::Open() {
  const db::DatabaseOptions options{.bytes_max = config.store_bytes_max};
  DT_ASSIGN_OR_RETURN(log_database,
                      db::Database::Open(config.log_database, LogMigrations(), options));
  DT_ASSIGN_OR_RETURN(database, db::Database::Open(config.database, OrgMigrations(), options));
  log.emplace(*log_database, clock);
  db::OutboxOptions outbox_options;
  outbox_options.backlog_max = config.log_backlog_max;
  outbox = std::make_unique<db::Outbox>(*database, outbox_options, DeliverTo(*log));
  events.emplace(*outbox, random);
  DT_ASSIGN_OR_RETURN(store,
                      OrgStore::Create(*database, *events,
                                       {config.org, config.domain, config.capability.value_or(true),
                                        UnixMillis(clock.Now())}));
  DT_ASSIGN_OR_RETURN(keys, GatewayKeys::Create(*database, files.kek, config.org, clock, random));
  return ApplyCapability();
}

// The flag of an operator counts at each start; without it the store's value stays.
absl::Status PolicyServer::Parts::ApplyCapability() {
  const v1::OrgSettings settings = store->state()->settings;
  if (!config.capability || *config.capability == settings.capability_enabled()) {
    return absl::OkStatus();
  }
  rpc::Caller operator_itself;
  operator_itself.name = "policy";
  v1::Event event = EventBuilder("org.settings.change", "Change of an org setting", clock.Now())
                        .Actor(operator_itself)
                        .Target("Setting", "capability", *config.capability ? "on" : "off")
                        .Outcome(v1::EventOutcome::RESULT_SUCCESS)
                        .Take();
  return store->Change(std::move(event), [this](db::Transaction& txn, const OrgState& before) {
    v1::OrgSettings changed = before.settings;
    changed.set_capability_enabled(*config.capability);
    return WriteSettings(txn, changed, before.forced_off);
  });
}

absl::Status PolicyServer::Parts::OpenDirectory() {
  if (!files.ldap) return absl::OkStatus();
  DT_ASSIGN_OR_RETURN(directory, directory::LdapDirectory::Create(*files.ldap));
  return absl::OkStatus();
}

void PolicyServer::Parts::MakeServices() {
  ca.emplace(files.component.Peer(config.ca_address, config.ca_server_name));
  sessions.emplace(*database);
  factors.emplace(files.kek, random);
  revoker = std::make_unique<PeopleRevoker>(
      *database,
      [this](const ca::v1::RevokeForUserRequest& request) { return ca->RevokeForUser(request); });
  apps.emplace(*store, clock);
  zones.emplace(*store, clock);
  passwords.emplace(directory.get());
  authenticator.emplace(
      Authenticator::Parts{*database, *store, *events, *sessions, *passwords, clock, random});
  sign_on.emplace(
      SignOn::Parts{*database, *store, *events, *log, keys->proof_keys(),
                    [this](db::Transaction& txn, const std::string& user_id, std::string_view totp,
                           WallTime now) { return factors->Verify(txn, user_id, totp, now); },
                    clock, random});

  settings_service.emplace(*store, clock, PeerCaller());
  iwa_service.emplace(*database, *events, clock, PeerCaller());
  EnrollmentService::ComputerLookup computers;
  if (directory != nullptr) {
    computers = [this](std::span<const std::string> sids) {
      return directory->FindComputersBySid(sids);
    };
  }
  enrollment_service.emplace(*database, *store, clock, std::move(computers));
  app_service.emplace(*apps);
  zone_service.emplace(*zones);
  decision_service.emplace(*sign_on);
  people_service.emplace(PeopleService::Parts{*database, *events, *sessions, *revoker, *factors,
                                              clock, random, config.org, PeerCaller()});
  authentication_service.emplace(*authenticator);
  session_feed_service.emplace(*sessions, clock);
  gateway_key_service.emplace(*keys);
  log_service.emplace(*log);
}

absl::Status PolicyServer::Parts::Listen() {
  DT_ASSIGN_OR_RETURN(
      server, rpc::Server::Start(
                  files.component.InternalListener(config),
                  {&*settings_service, &*iwa_service, &*enrollment_service, &*app_service,
                   &*zone_service, &*decision_service, &*people_service, &*authentication_service,
                   &*session_feed_service, &*gateway_key_service, &*log_service},
                  InternalAccess()));
  pruning.emplace(kPruneEvery, [this] {
    Prune();
    return kPruneEvery;
  });
  return absl::OkStatus();
}

void PolicyServer::Parts::Prune() {
  const WallTime now = clock.Now();
  LogFailure("org.prune_failed", sessions->Prune(now));
  LogFailure("org.prune_failed",
             database->Write([now](db::Transaction& txn) { return PruneDecisions(txn, now); }));
}

void PolicyServer::Parts::Stop() {
  std::call_once(stopped, [this] {
    if (sessions) sessions->announced().Stop();  // Ends the streams.
    if (log) log->appended().Stop();
    if (server != nullptr) server->Stop();
    pruning.reset();
    if (revoker != nullptr) revoker->Stop();
    if (outbox == nullptr) return;
    outbox->WaitUntilEmpty(kLastEventsWait);
    outbox->Stop();
  });
}

PolicyServer::PolicyServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
PolicyServer::~PolicyServer() = default;

absl::StatusOr<std::unique_ptr<PolicyServer>> PolicyServer::Create(const Config& config,
                                                                   const Clock& clock,
                                                                   Random& random) {
  DT_ASSIGN_OR_RETURN(PolicyFiles files, ReadFiles(config));
  auto parts = std::make_unique<Parts>(config, std::move(files), clock, random);
  DT_RETURN_IF_ERROR(parts->Open());
  DT_RETURN_IF_ERROR(parts->OpenDirectory());
  parts->MakeServices();
  DT_RETURN_IF_ERROR(parts->Listen());
  return std::unique_ptr<PolicyServer>(new PolicyServer(std::move(parts)));
}

Addresses PolicyServer::addresses() const { return {{"internal", parts_->server->address()}}; }

void PolicyServer::ConnectCa(const std::string& address) { parts_->ca->ConnectTo(address); }

void PolicyServer::Stop() { parts_->Stop(); }

absl::Status CheckConfig(const Config& config) {
  DT_RETURN_IF_ERROR(db::CheckUrl(config.database));
  DT_RETURN_IF_ERROR(db::CheckUrl(config.log_database));
  DT_ASSIGN_OR_RETURN(const PolicyFiles files, ReadFiles(config));
  DT_RETURN_IF_ERROR(ParseHostPort(config.internal_listen, "--internal-listen").status());
  DT_RETURN_IF_ERROR(ParseHostPort(config.ca_address, "--ca-address").status());
  if (!files.ldap) return absl::OkStatus();
  return directory::LdapDirectory::Create(*files.ldap).status();
}

}  // namespace devicetrust::policy
