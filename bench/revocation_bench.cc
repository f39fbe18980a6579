// Is this serial revoked? Asked in every handshake; must not grow with the list.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "simulator/gateway/upstream/revocation_state.h"

namespace devicetrust::gateway {
namespace {

std::string Serial(int number) { return fmt::format("4a{:032x}", number); }

void BM_RevocationLookUp(benchmark::State& state) {
  RevocationState revocations(std::chrono::seconds(5));
  ca::v1::WatchRevocationsResponse message;
  for (int i = 0; i < state.range(0); ++i) {
    auto* revocation = message.add_revocations();
    revocation->set_sequence(i + 1);
    revocation->set_serial(Serial(i));
    revocation->mutable_not_after()->set_seconds(4'000'000'000);
  }
  message.set_sequence(state.range(0));
  revocations.Apply(message);
  const std::string good = Serial(-1);
  for (auto _ : state) {
    bool revoked = revocations.IsRevoked(good);
    if (revoked) return state.SkipWithError("a good serial counts as revoked");
    benchmark::DoNotOptimize(revoked);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_RevocationLookUp)->Arg(0)->Arg(10'000)->Arg(100'000);

}  // namespace
}  // namespace devicetrust::gateway
