// What looking up an account by SID costs, our client and our LDAP server together, over TLS on
// loopback (arguments: callers at once), and what keeping an org's people as a directory has them
// does: 100,000 with 20 groups each, in SQLite on disk.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <fstream>

#include "libs/base/check.h"
#include "libs/db/outbox.h"
#include "libs/directory/client.h"
#include "libs/testing/temp_folder.h"
#include "libs/throwaway/throwaway_pki.h"
#include "policy-engine/log/system_log.h"
#include "policy-engine/migrations.h"
#include "policy-engine/people_sync/people_sync.h"
#include "simulator/forest/account_table.h"
#include "simulator/forest/ldap/server.h"

namespace devicetrust {
namespace {

constexpr std::uint32_t kComputers = 2000;

struct Domain {
  testing::TempFolder folder;
  SystemClock clock;
  SystemRandom random;
  throwaway::ThrowawayPki pki{"acme", clock.Now()};
  std::unique_ptr<simulator::AccountTable> table =
      simulator::AccountTable::Create(folder / "accounts", kComputers + 10, clock, random).value();
  std::vector<std::string> sids;
  std::unique_ptr<simulator::LdapServer> server;
  std::unique_ptr<directory::LdapDirectory> client;

  Domain() {
    const std::uint32_t realm = table->AddRealm({"CORP.TEST", "CORP", {}}).value();
    std::vector<simulator::NewAccount> accounts(kComputers + 1);
    accounts[0].name = "svc-ldap";
    accounts[0].password = "Pw-svc";
    for (std::uint32_t i = 1; i <= kComputers; ++i) {
      accounts[i].kind = simulator::AccountKind::kComputer;
      accounts[i].name = fmt::format("PC{}$", i);
      accounts[i].operating_system = "Windows 10 Enterprise";
    }
    const std::uint32_t first = table->Add(realm, accounts).value();
    const simulator::AccountView& view = table->view();
    for (std::uint32_t i = 1; i <= kComputers; ++i) {
      sids.push_back(simulator::Sid(view.realms()[realm], view.Read(first + i).account.rid));
    }
    simulator::LdapServerConfig config{.identity = pki.Server("dc1", {"dc1.corp.test"})};
    server = simulator::LdapServer::Start(std::move(config), view, clock).value();
    std::ofstream(folder / "ca.pem") << pki.web_ca().certificate.Pem();
    client = directory::LdapDirectory::Create({.url = server->url(),
                                               .ca_file = folder / "ca.pem",
                                               .domain = "corp.test",
                                               .bind_name = "svc-ldap@corp.test",
                                               .bind_password = "Pw-svc"})
                 .value();
  }
};

void BM_FindComputerBySid(benchmark::State& state) {
  static Domain domain;
  auto next = static_cast<std::size_t>(state.thread_index()) * 100;
  for (auto _ : state) {
    const auto computer = domain.client->FindComputerBySid(domain.sids[next++ % kComputers]);
    if (!computer.ok()) return state.SkipWithError(computer.status().ToString().c_str());
    benchmark::DoNotOptimize(computer->operating_system);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_FindComputerBySid)->MeasureProcessCPUTime()->UseRealTime()->Threads(1)->Threads(16);

constexpr std::uint32_t kPeople = 100'000;
constexpr std::uint32_t kGroups = 1000;
constexpr std::uint32_t kGroupsEach = 20;
constexpr int kChanges = 100;

// A domain of many people, every tenth of its groups in another one.
struct LargeDomain {
  testing::TempFolder folder;
  SystemClock clock;
  SystemRandom random;
  throwaway::ThrowawayPki pki{"acme", clock.Now()};
  std::unique_ptr<simulator::AccountTable> table =
      simulator::AccountTable::Create(folder / "accounts", kPeople + 10, clock, random).value();
  std::uint32_t realm = table->AddRealm({"CORP.TEST", "CORP", {}}).value();
  std::vector<std::uint32_t> groups;
  std::unique_ptr<simulator::LdapServer> server;

  LargeDomain() {
    for (std::uint32_t i = 0; i < kGroups; ++i) {
      groups.push_back(table->AddGroup(realm, fmt::format("Group {}", i)).value());
      if (i % 10 == 9) {
        const std::uint32_t parent[] = {groups[i - 9]};
        DT_CHECK(table->SetGroupParents(realm, groups[i], parent).ok());
      }
    }
    std::vector<simulator::NewAccount> accounts(kPeople + 1);
    accounts[0].name = "svc-ldap";
    accounts[0].password = "Pw-svc";
    for (std::uint32_t i = 1; i <= kPeople; ++i) {
      accounts[i].name = fmt::format("user{}", i);
      accounts[i].display_name = fmt::format("Person Number {}", i);
      accounts[i].given_name = "Person";
      accounts[i].surname = fmt::format("Number {}", i);
      accounts[i].mail = fmt::format("user{}@corp.test", i);
      for (std::uint32_t g = 0; g < kGroupsEach; ++g) {
        accounts[i].group_rids.push_back(groups[(i + g * 50) % kGroups]);
      }
    }
    DT_CHECK(table->Add(realm, accounts).ok());
    simulator::LdapServerConfig config{.identity = pki.Server("dc1", {"dc1.corp.test"})};
    server = simulator::LdapServer::Start(std::move(config), table->view(), clock).value();
    std::ofstream(folder / "ca.pem") << pki.web_ca().certificate.Pem();
  }

  // Half of them names of people, half memberships, each of another group.
  void Change(int round) {
    const simulator::AccountView& view = table->view();
    for (int i = 0; i < kChanges; ++i) {
      const int person = 1 + (round * 7919 + i * 997) % static_cast<int>(kPeople);
      const std::string name = fmt::format("user{}", person);
      if (i % 2 == 0) {
        const std::string display_name = fmt::format("Round {} {}", round, i);
        DT_CHECK(table->Rename(realm, name, {.display_name = display_name}).ok());
      } else {
        const simulator::Row row = view.Read(view.FindName(realm, name).value());
        DT_CHECK(table->SetGroups(realm, name, row.account.groups().subspan(1)).ok());
      }
    }
  }
};

LargeDomain& Large() {
  static LargeDomain domain;
  return domain;
}

class NoCertificates final : public policy::CertificateRevoker {
 public:
  absl::StatusOr<ca::v1::RevokeForUserResponse> RevokeForUser(
      const ca::v1::RevokeForUserRequest& /*request*/) override {
    return ca::v1::RevokeForUserResponse();
  }
};

// The org's side: stores on disk, as dt-policy has them.
struct SyncedOrg {
  testing::TempFolder folder;
  LargeDomain& domain = Large();
  NoCertificates ca;
  std::unique_ptr<db::Database> log_database =
      db::Database::Open("sqlite:" + folder / "log.db", policy::LogMigrations()).value();
  std::unique_ptr<db::Database> database =
      db::Database::Open("sqlite:" + folder / "org.db", policy::OrgMigrations()).value();
  policy::SystemLog log{*log_database, domain.clock};
  db::Outbox outbox{*database, {}, policy::DeliverTo(log)};
  policy::EventSink events{outbox, domain.random};
  policy::UserRevoker revoker{*database, ca};
  std::unique_ptr<policy::PeopleSync> sync;

  SyncedOrg() {
    const simulator::Realm& realm = domain.table->view().realms()[domain.realm];
    std::vector<policy::PeopleSync::Domain> domains(1);
    domains[0].scope.domain = "corp.test";
    domains[0].scope.domain_sid = simulator::DomainSid(realm);
    domains[0].listing = directory::MakeLdapListing({.url = domain.server->url(),
                                                     .ca_file = domain.folder / "ca.pem",
                                                     .domain = "corp.test",
                                                     .bind_name = "svc-ldap@corp.test",
                                                     .bind_password = "Pw-svc"})
                             .value();
    sync = std::make_unique<policy::PeopleSync>(
        policy::PeopleSync::Parts{*database, events, revoker, domain.clock, domain.random, {}},
        std::move(domains));
  }
  ~SyncedOrg() {
    sync.reset();
    outbox.Stop();
  }
};

// An empty org, everybody new.
void BM_SyncEverybody(benchmark::State& state) {
  Large();
  for (auto _ : state) {
    state.PauseTiming();
    auto org = std::make_unique<SyncedOrg>();
    state.ResumeTiming();
    const absl::Status status = org->sync->RunPass("corp.test");
    if (!status.ok()) return state.SkipWithError(status.ToString().c_str());
    state.PauseTiming();
    state.counters["people"] = static_cast<double>(org->sync->Get().domains(0).people());
    org.reset();
    state.ResumeTiming();
  }
}
BENCHMARK(BM_SyncEverybody)->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(1);

// What a pass costs once they are there: argument 0 when nothing has changed, 1 with 100 changes, 2
// when everybody is read again.
void BM_SyncAgain(benchmark::State& state) {
  static SyncedOrg org;
  static int round = 0;
  static const absl::Status first = org.sync->RunPass("corp.test");
  if (!first.ok()) return state.SkipWithError(first.ToString().c_str());
  for (auto _ : state) {
    state.PauseTiming();
    if (state.range(0) == 1) org.domain.Change(++round);
    state.ResumeTiming();
    const absl::Status status = org.sync->RunPass("corp.test", state.range(0) == 2);
    if (!status.ok()) return state.SkipWithError(status.ToString().c_str());
    state.counters["updated"] = static_cast<double>(org.sync->Get().domains(0).last().updated());
  }
}
BENCHMARK(BM_SyncAgain)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->Arg(0)
    ->Arg(1)
    ->Arg(2)
    ->Iterations(3);

}  // namespace
}  // namespace devicetrust
