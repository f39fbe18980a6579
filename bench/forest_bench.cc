// How long until a forest of that size answers: table, accounts with random keys and
// passwords, krb5kdc. Password keys are derived when first used.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <filesystem>

#include "libs/testing/temp_folder.h"
#include "simulator/forest/forests.h"

namespace devicetrust::simulator {
namespace {

// Half users with passwords, half computers.
std::vector<NewAccount> NewAccounts(std::uint32_t count) {
  std::vector<NewAccount> accounts(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const bool user = i % 2 == 0;
    accounts[i].kind = user ? AccountKind::kUser : AccountKind::kComputer;
    accounts[i].name = user ? fmt::format("user{}", i) : fmt::format("PC{}$", i);
    if (user) accounts[i].password = fmt::format("pass-{}", i);
  }
  return accounts;
}

void BM_ForestReady(benchmark::State& state) {
  const auto accounts = static_cast<std::uint32_t>(state.range(0));
  const SystemClock clock;
  SystemRandom random;
  const testing::TempFolder folder;
  const std::vector<NewAccount> people = NewAccounts(accounts);
  int forests = 0;
  for (auto _ : state) {
    ForestsConfig config;
    config.run_dir = folder / fmt::format("{}", forests++);
    std::filesystem::create_directory(config.run_dir);
    config.accounts_max = accounts + 10;
    auto forest = Forests::Create(config, clock, random);
    if (!forest.ok()) return state.SkipWithError(forest.status().ToString().c_str());
    const auto added = (*forest)->accounts().Add(0, people);
    if (!added.ok()) return state.SkipWithError(added.status().ToString().c_str());
  }
  state.SetItemsProcessed(state.iterations() * accounts);
}
BENCHMARK(BM_ForestReady)->Arg(20'000)->Unit(benchmark::kMillisecond)->UseRealTime();

// The same spread over four forests, of which the first trusts the others.
void BM_FourForestsReady(benchmark::State& state) {
  const auto accounts = static_cast<std::uint32_t>(state.range(0));
  const SystemClock clock;
  SystemRandom random;
  const testing::TempFolder folder;
  const std::vector<NewAccount> quarter = NewAccounts(accounts / 4);
  int runs = 0;
  for (auto _ : state) {
    ForestsConfig config;
    config.run_dir = folder / fmt::format("{}", runs++);
    std::filesystem::create_directory(config.run_dir);
    config.forests = SomeForests(4);
    config.trusts = TrustsOfTheFirst(config.forests);
    config.accounts_max = accounts + 100;
    auto forests = Forests::Create(config, clock, random);
    if (!forests.ok()) return state.SkipWithError(forests.status().ToString().c_str());
    for (std::uint32_t realm = 0; realm < 4; ++realm) {
      const auto added = (*forests)->accounts().Add(realm, quarter);
      if (!added.ok()) return state.SkipWithError(added.status().ToString().c_str());
    }
  }
  state.SetItemsProcessed(state.iterations() * accounts);
}
BENCHMARK(BM_FourForestsReady)->Arg(200'000)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace devicetrust::simulator
