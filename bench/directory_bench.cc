// What looking up an account by SID costs, our client and our LDAP server together, over TLS on
// loopback. Arguments: callers at once.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <fstream>

#include "libs/directory/client.h"
#include "libs/testing/temp_folder.h"
#include "libs/throwaway/throwaway_pki.h"
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

}  // namespace
}  // namespace devicetrust
