// Sign-on decisions by a hundred rules, whole: over gRPC, each kept and durable with its event
// before the answer, beside a gRPC server that only answers (arguments: calls at once); and a
// million that are kept, replayed under other rules.
#include <benchmark/benchmark.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/hundred_rules.h"
#include "libs/base/check.h"
#include "libs/base/mutex.h"
#include "libs/db/outbox.h"
#include "libs/pki/aead.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/server.h"
#include "libs/rpc/timestamps.h"
#include "libs/testing/temp_folder.h"
#include "libs/throwaway/throwaway_pki.h"
#include "policy-engine/apps/app_admin.h"
#include "policy-engine/apps/zone_admin.h"
#include "policy-engine/decisions/decision_service.h"
#include "policy-engine/decisions/decision_store.h"
#include "policy-engine/decisions/sign_in_replay.h"
#include "policy-engine/migrations.h"
#include "policy-engine/rules_wire/rule_messages.h"
#include "policy-engine/sessions/session_store.h"
#include "policy-engine/users/totp_factors.h"
#include "policy-engine/users/user_store.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

v1::Rule MessageOf(const Rule& rule) {
  v1::Rule message;
  message.set_name(rule.name);
  message.set_active(true);
  v1::PeopleCondition& people = *message.mutable_people();
  people.set_everyone(rule.people.everyone);
  for (const std::string& group : rule.people.groups) people.add_groups(group);
  for (const std::string& user : rule.people.users) people.add_user_ids(user);
  for (const std::string& group : rule.people.except_groups) people.add_excluded_groups(group);
  if (rule.location.kind == Location::kInZones) {
    message.mutable_location()->set_kind(v1::LocationCondition::KIND_IN_ZONES);
    message.mutable_location()->add_zones(rule.location.zones.front());
  }
  for (int i = 1; i <= kClientKindCount && !rule.clients.IsAll(); ++i) {
    const auto client = static_cast<ClientKind>(i);
    if (rule.clients.Has(client)) message.add_clients(ToMessage(client));
  }
  for (int i = 1; i <= kPlatformCount && !rule.platforms.IsAll(); ++i) {
    const auto platform = static_cast<Platform>(i);
    if (rule.platforms.Has(platform)) message.add_platforms(ToMessage(platform));
  }
  if (rule.trust == TrustCondition::kTrusted) message.set_trust(v1::TRUST_CONDITION_TRUSTED);
  message.mutable_action()->set_access(rule.actions.allow ? v1::Action::ACCESS_ALLOWED
                                                          : v1::Action::ACCESS_DENIED);
  return message;
}

std::vector<std::shared_ptr<grpc::Channel>> ChannelsTo(const std::string& address,
                                                       throwaway::ThrowawayPki& pki) {
  const pki::ExportableIdentity& gateway = pki.Component("gateway-1");
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (int i = 0; i < 2; ++i) {
    channels.push_back(
        rpc::NewChannel({.address = address,
                         .server_name = {},
                         .trust_pem = pki.deployment_ca().certificate.Pem(),
                         .identity = rpc::Identity{gateway.certificate.Pem(), gateway.key.Pem()}}));
  }
  return channels;
}

// The rooms of the org that decide, over stores on disk, behind one listener.
struct Org {
  Org() {
    events.emplace(outbox, random);
    store = OrgStore::Create(*database, *events, {"acme", {"corp.test"}, true}).value();
    references.emplace(RuleReferences::Parts{*database, *directories, *events, clock});
    AddPeople();
    AddRules();
    sign_on.emplace(SignOn::Parts{*database, *store, *events, proof_keys, accounts, clock, random});
    completion.emplace(FactorCompletion::Parts{*database, *store, *events, factors, clock});
    history.emplace(*database, *store, log);
    service.emplace(*sign_on, *completion, *history);
    const pki::ExportableIdentity& policy = pki.Component("policy");
    trust = pki.deployment_ca().certificate.Pem();
    server =
        rpc::Server::Start({.name = "internal",
                            .flag = "--listen",
                            .listen = "127.0.0.1:0",
                            .identity = rpc::Identity{policy.certificate.Pem(), policy.key.Pem()},
                            .client_ca_pem = trust,
                            .org = "acme"},
                           {&*service},
                           {{"devicetrust.org.v1.DecisionService.Evaluate", {rpc::kAnyComponent}}})
            .value();
    channels = ChannelsTo(server->address(), pki);
  }
  ~Org() {
    server->Stop();
    outbox.Stop();
  }

  void AddPeople() {
    const auto sign_ins = HundredRulesSignIns();
    DT_CHECK(database
                 ->Write([&](db::Transaction& txn) -> absl::Status {
                   GroupChanges changes;
                   for (int i = 0; i < 1000; ++i) {
                     v1::UserImport person;
                     person.set_sid(fmt::format("S-1-5-21-1-2-3-{}", 1000 + i));
                     person.set_principal(fmt::format("user-{}@corp.test", i));
                     person.set_account_name(fmt::format("user-{}", i));
                     for (const auto& group : sign_ins[static_cast<std::size_t>(i)].groups) {
                       person.add_groups(group);
                     }
                     const std::string id = fmt::format("user-{}", i);
                     DT_RETURN_IF_ERROR(StoreUser(txn, person, id, changes).status());
                     StoredSession session;
                     session.id = fmt::format("session-{}", i);
                     session.user_id = id;
                     session.started_at = session.used_at = clock.Now();
                     session.expires_at = clock.Now() + std::chrono::hours(12);
                     DT_RETURN_IF_ERROR(StoreSession(txn, session));
                   }
                   return changes.Write(txn);
                 })
                 .ok());
  }

  void AddRules() {
    ZoneAdmin zones(*store, clock);
    v1::SetZonesRequest zone_request;
    for (int k = 0; k < 20; ++k) {
      v1::Zone& zone = *zone_request.add_zones();
      zone.set_name(fmt::format("site-{}", k));
      zone.add_cidr(fmt::format("10.{}.0.0/16", k));
    }
    DT_CHECK(zones.SetZones(admin, zone_request).ok());
    AppAdmin apps(*store, *references, clock);
    v1::PutAppRequest app;
    app.mutable_app()->set_id("mail");
    app.mutable_app()->set_label("Mail");
    app.mutable_app()->set_has_client_conditions(true);
    app.mutable_app()->mutable_saml()->set_entity_id("https://mail.example.com/saml");
    app.mutable_app()->mutable_saml()->add_acs()->set_url("https://mail.example.com/acs");
    DT_CHECK(apps.PutApp(admin, app).ok());
    v1::SetRulesRequest rules;
    rules.set_app_id("mail");
    rules.set_allow_unknown(true);
    for (const Rule& rule : HundredRulesList()) *rules.add_rules() = MessageOf(rule);
    DT_CHECK(apps.SetRules(admin, rules).ok());
  }

  SystemClock clock;
  SystemRandom random;
  testing::TempFolder folder;
  throwaway::ThrowawayPki pki{"acme", SystemClock().Now()};
  const rpc::Caller admin{rpc::Caller::Kind::kAdmin, "ada", "admin", "acme"};
  std::unique_ptr<db::Database> log_database =
      db::Database::Open("sqlite:" + folder / "log.db", LogMigrations()).value();
  std::unique_ptr<db::Database> database =
      db::Database::Open("sqlite:" + folder / "org.db", OrgMigrations()).value();
  SystemLog log{*log_database, clock};
  db::Outbox outbox{*database, {}, DeliverTo(log)};
  std::optional<EventSink> events;
  std::unique_ptr<OrgStore> store;
  std::unique_ptr<directory::Registry> directories = directory::Registry::Create({}).value();
  AccountWatch accounts{*directories, clock.Now()};
  token::KeySet proof_keys;
  pki::AeadKey kek = pki::AeadKey::Create("kek", Bytes(pki::kAeadKeyBytes, 7)).value();
  TotpFactors factors{kek, random};
  std::optional<RuleReferences> references;
  std::optional<SignOn> sign_on;
  std::optional<FactorCompletion> completion;
  std::optional<DecisionHistory> history;
  std::optional<DecisionService> service;
  std::string trust;
  std::unique_ptr<rpc::Server> server;
  std::vector<std::shared_ptr<grpc::Channel>> channels;
};

v1::EvaluateRequest RequestOf(int j) {
  v1::EvaluateRequest request;
  request.set_app_id("mail");
  request.mutable_session()->set_session_id(fmt::format("session-{}", j % 1000));
  request.mutable_session()->set_user_id(fmt::format("user-{}", j % 1000));
  *request.mutable_session()->mutable_authenticated_at() = rpc::ToTimestamp(SystemClock().Now());
  request.mutable_client()->set_address(fmt::format("10.{}.0.5", j % 25));
  request.mutable_client()->set_user_agent(
      "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36");
  request.set_client_kind(v1::CLIENT_KIND_WEB_BROWSER);
  return request;
}

// Some calls at once, each followed by the next on its answer, as a gateway makes them: no thread
// waits for one.
class Load {
 public:
  explicit Load(const std::vector<std::shared_ptr<grpc::Channel>>& channels) {
    for (const auto& channel : channels) stubs_.push_back(v1::DecisionService::NewStub(channel));
  }

  // Makes `count` calls, `at_once` of them at a time.
  grpc::Status Run(std::int64_t count, std::int64_t at_once) {
    end_ += count;
    under_way_ = at_once;
    for (std::int64_t i = 0; i < at_once; ++i) Next(static_cast<std::size_t>(i) % stubs_.size());
    const MutexLock lock(mutex_);
    while (!over_) all_over_.Wait(mutex_);
    over_ = false;
    return failure_;
  }

 private:
  struct Call {
    grpc::ClientContext context;
    v1::EvaluateRequest request;
    v1::EvaluateResponse response;
  };

  void Next(std::size_t stub) {
    const std::int64_t j = next_++;
    if (j >= end_) {
      --next_;
      if (--under_way_ > 0) return;
      const MutexLock lock(mutex_);
      over_ = true;
      return all_over_.NotifyOne();
    }
    auto* const call = new Call;
    call->request = RequestOf(static_cast<int>(j));
    rpc::PrepareCall(call->context, rpc::kCallTimeout);
    stubs_[stub]->async()->Evaluate(&call->context, &call->request, &call->response,
                                    [this, stub, call](const grpc::Status& status) {
                                      delete call;
                                      if (!status.ok()) {
                                        const MutexLock lock(mutex_);
                                        failure_ = status;
                                      }
                                      Next(stub);
                                    });
  }

  std::vector<std::unique_ptr<v1::DecisionService::Stub>> stubs_;
  std::atomic<std::int64_t> next_ = 0;
  std::int64_t end_ = 0;
  std::atomic<std::int64_t> under_way_ = 0;
  Mutex mutex_;
  CondVar all_over_;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Status failure_ ABSL_GUARDED_BY(mutex_);
};

void Drive(benchmark::State& state, Load& load) {
  while (state.KeepRunningBatch(8192)) {
    const grpc::Status status = load.Run(8192, state.range(0));
    if (!status.ok()) return state.SkipWithError(status.error_message().c_str());
  }
  state.SetItemsProcessed(state.iterations());
}

void BM_EvaluateOverGrpc(benchmark::State& state) {
  static Org org;
  static Load load(org.channels);
  Drive(state, load);
}

// The same messages over the same TLS, from gRPC's own server, which does nothing for them.
struct BareServer {
  class Echo final : public v1::DecisionService::CallbackService {
    grpc::ServerUnaryReactor* Evaluate(grpc::CallbackServerContext* context,
                                       const v1::EvaluateRequest* request,
                                       v1::EvaluateResponse* response) override {
      v1::SignOnResult& result = *response->mutable_result();
      result.set_outcome(v1::OUTCOME_ALLOWED);
      result.set_code("0123-4567");
      result.set_rule_name("Rule 1 of a hundred");
      result.mutable_user()->set_id(request->session().user_id());
      result.mutable_user()->set_principal("user-1@corp.test");
      for (int i = 0; i < 8; ++i) result.mutable_user()->add_groups("a group of the directory");
      grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
      reactor->Finish(grpc::Status::OK);
      return reactor;
    }
  };

  BareServer() {
    const pki::ExportableIdentity& policy = pki.Component("policy");
    grpc::SslServerCredentialsOptions tls(
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    tls.pem_root_certs = pki.deployment_ca().certificate.Pem();
    tls.pem_key_cert_pairs.push_back({policy.key.Pem(), policy.certificate.Pem()});
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::SslServerCredentials(tls), &port);
    builder.RegisterService(&echo);
    server = builder.BuildAndStart();
    DT_CHECK(server != nullptr);
    channels = ChannelsTo(fmt::format("127.0.0.1:{}", port), pki);
  }

  throwaway::ThrowawayPki pki{"acme", SystemClock().Now()};
  Echo echo;
  std::unique_ptr<grpc::Server> server;
  std::vector<std::shared_ptr<grpc::Channel>> channels;
};

void BM_BareGrpc(benchmark::State& state) {
  static BareServer bare;
  static Load load(bare.channels);
  Drive(state, load);
}

void CallsAtOnce(benchmark::internal::Benchmark* benchmark) {
  benchmark->MeasureProcessCPUTime()->UseRealTime()->Arg(16)->Arg(64)->Arg(256);
}
BENCHMARK(BM_EvaluateOverGrpc)->Apply(CallsAtOnce);
BENCHMARK(BM_BareGrpc)->Apply(CallsAtOnce);

constexpr int kKept = 1'000'000;

// Decisions as sign-ons keep them, in one store on disk.
std::unique_ptr<db::Database> KeptDecisions(const testing::TempFolder& folder,
                                            const CompiledPolicy& policy) {
  auto database = db::Database::Open("sqlite:" + folder / "kept.db", OrgMigrations()).value();
  const std::vector<SignIn> sign_ins = HundredRulesSignIns();
  for (int from = 0; from < kKept; from += 10'000) {
    const auto write = [&](db::Transaction& txn) -> absl::Status {
      for (int j = from; j < from + 10'000; ++j) {
        const SignIn& sign_in = sign_ins[static_cast<std::size_t>(j) % sign_ins.size()];
        const WallTime at{std::chrono::milliseconds(1'790'000'000'000 + j * 5)};
        StoredDecision kept;
        v1::Decision& record = kept.record;
        *record.mutable_at() = rpc::ToTimestamp(at);
        record.set_app_id("mail");
        record.set_app_label("Mail");
        record.mutable_user()->set_id(sign_in.user_id);
        record.mutable_user()->set_principal(sign_in.user_id + "@corp.test");
        for (const std::string& group : sign_in.groups) record.mutable_user()->add_groups(group);
        record.mutable_client()->set_address(sign_in.address->ToString());
        record.mutable_client()->set_user_agent(RequestOf(j).client().user_agent());
        record.set_client_kind(ToMessage(sign_in.client));
        record.set_claimed_platform(ToMessage(sign_in.claimed_platform));
        record.set_trust(ToMessage(sign_in.trust));
        *record.mutable_authenticated_at() = rpc::ToTimestamp(at);
        const Decision decided = policy.Evaluate(sign_in.facts());
        record.set_outcome(ToMessage(decided.outcome));
        record.set_rule_name(policy.rule(decided.rule).name);
        const std::vector<std::string> codes = {fmt::format("{:08X}", j * 2654435761u)};
        kept.session_id = "session";
        DT_RETURN_IF_ERROR(InsertDecision(txn, codes, kept).status());
      }
      return absl::OkStatus();
    };
    DT_CHECK(database->Write(write).ok());
  }
  return database;
}

void BM_ReplayAMillion(benchmark::State& state) {
  const testing::TempFolder folder;
  const auto before = HundredRules();
  const auto database = KeptDecisions(folder, *before);
  std::vector<Rule> rules = HundredRulesList();
  rules[50].actions.allow = false;
  const auto after = CompiledPolicy::Compile(rules, AppKind::kOffice, HundredRulesZones()).value();
  ReplayRange range;
  range.app_id = "mail";
  range.until = WallTime{std::chrono::days{30'000}};
  for (auto _ : state) {
    const auto summary =
        ReplaySignIns(*database, *after, range, [](const v1::SignInFlip&) { return true; });
    if (!summary.ok() || summary->replayed() != kKept || summary->flipped() == 0) {
      return state.SkipWithError("not all were replayed");
    }
    state.counters["flipped"] = static_cast<double>(summary->flipped());
  }
  state.SetItemsProcessed(state.iterations() * kKept);
}
BENCHMARK(BM_ReplayAMillion)->Unit(benchmark::kSecond)->MeasureProcessCPUTime()->Iterations(1);

}  // namespace
}  // namespace devicetrust::policy
