// What the Kerberos part of an enrollment costs: tickets from the KDC, the client's token, the
// acceptor's check of it and of the PAC, the client's check of the reply. CPU is of this
// process; kdc_us is what krb5kdc spent beside it for each.
#include <benchmark/benchmark.h>

#include "libs/kerberos/acceptor.h"
#include "libs/kerberos/credentials.h"
#include "libs/kerberos/environment.h"
#include "libs/testing/temp_folder.h"
#include "libs/token/bound_request.h"
#include "simulator/forest/forests.h"
#include "simulator/report/resources.h"

namespace devicetrust::simulator {
namespace {

constexpr const char* kSpn = "HTTP/iwa.corp.test";
constexpr const char* kComputer = "PC-1$@CORP.TEST";

double CpuMicros(pid_t pid) {
  for (const ProcessUsage& process : ReadResources().processes) {
    if (process.pid == pid) return process.cpu_seconds * 1e6;
  }
  return 0;
}

// One forest for all benchmarks; lives as long as the process.
struct World {
  testing::TempFolder folder;
  SystemClock clock;
  SystemRandom random;
  std::unique_ptr<Forests> forest;
  std::unique_ptr<kerberos::Acceptor> acceptor;
  kerberos::Key key;

  World() {
    ForestsConfig config;
    config.run_dir = folder.path();
    forest = Forests::Create(config, clock, random).value();
    const NewAccount computer{.kind = AccountKind::kComputer, .name = "PC-1$"};
    forest->accounts().Add(0, {&computer, 1}).value();
    const std::string service = std::string(kSpn) + "@" + forest->realms()[0];
    forest->AddService(service).IgnoreError();
    forest->WriteKeytab(folder / "iwa.keytab", {&service, 1}).IgnoreError();
    kerberos::UseConfig(forest->kdc().config_path()).IgnoreError();
    kerberos::UseLoopbackKdc(forest->realms(), forest->kdc().port());
    acceptor = kerberos::Acceptor::Create({folder / "iwa.keytab", folder / "replay"}).value();
    key = forest->KeyOf(kComputer).value();
  }
};

World& TheWorld() {
  static World world;
  return world;
}

enum Stage { kTgt, kToken, kAccepted, kFinished };

void BM_Kerberos(benchmark::State& state, Stage stage, const std::string& first_service = {}) {
  World& world = TheWorld();
  const kerberos::Bindings bindings = token::BindingsOf({"IssueDeviceToken", "iwa", "k", ""});
  const double before = CpuMicros(world.forest->kdc().pid());
  for (auto _ : state) {
    auto credentials = kerberos::Credentials::FromKey(kComputer, world.key, first_service);
    if (!credentials.ok()) return state.SkipWithError(credentials.status().ToString().c_str());
    if (stage < kToken) continue;
    auto initiator = kerberos::Initiator::Start(*credentials, kSpn, bindings);
    if (!initiator.ok()) return state.SkipWithError(initiator.status().ToString().c_str());
    if (stage < kAccepted) continue;
    auto accepted = world.acceptor->Accept(initiator->token(), bindings);
    if (!accepted.ok()) return state.SkipWithError(accepted.status().ToString().c_str());
    if (stage < kFinished) continue;
    const absl::Status proved = initiator->Finish(accepted->reply);
    if (!proved.ok()) return state.SkipWithError(proved.ToString().c_str());
  }
  state.SetItemsProcessed(state.iterations());
  if (state.thread_index() == 0) {
    state.counters["kdc_us"] = (CpuMicros(world.forest->kdc().pid()) - before) /
                               static_cast<double>(state.iterations() * state.threads());
  }
}
BENCHMARK_CAPTURE(BM_Kerberos, tgt, kTgt)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK_CAPTURE(BM_Kerberos, token, kToken)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK_CAPTURE(BM_Kerberos, accepted, kAccepted)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK_CAPTURE(BM_Kerberos, finished, kFinished)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK_CAPTURE(BM_Kerberos, finished_in_one_exchange, kFinished, kSpn)
    ->MeasureProcessCPUTime()
    ->UseRealTime();
BENCHMARK_CAPTURE(BM_Kerberos, finished, kFinished)
    ->MeasureProcessCPUTime()
    ->UseRealTime()
    ->Threads(4);

}  // namespace
}  // namespace devicetrust::simulator
