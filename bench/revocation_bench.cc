// Is this serial revoked? Asked in every handshake; must not grow with the list. And what a gateway
// does with all that is revoked when it starts, and with one change.
#include <benchmark/benchmark.h>

#include <random>
#include <string>
#include <vector>

#include "libs/base/encoding.h"
#include "simulator/gateway/upstream/revocation_state.h"

namespace devicetrust::gateway {
namespace {

// As pki::NewSerial() makes them: 6 octets of time, 14 random ones.
std::vector<std::string> Serials(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::string> serials;
  serials.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    Bytes octets;
    const std::uint64_t milliseconds = 1'780'000'000'000 + 30 * i;
    for (int shift = 40; shift >= 0; shift -= 8) {
      octets.push_back(static_cast<std::uint8_t>(milliseconds >> shift));
    }
    while (octets.size() < 20) octets.push_back(static_cast<std::uint8_t>(random()));
    serials.push_back(HexEncode(octets));
  }
  return serials;
}

// What the CA sends a gateway that starts.
std::vector<ca::v1::WatchRevocationsResponse> Messages(const std::vector<std::string>& serials) {
  std::vector<pki::SerialKey> keys;
  for (const std::string& serial : serials) keys.push_back(pki::SerialKeyOf(serial).value());
  std::vector<ca::v1::WatchRevocationsResponse> messages;
  for (std::string& part : pki::SerialSet::Of(std::move(keys)).Encode(50'000)) {
    messages.emplace_back().mutable_set()->set_keys(std::move(part));
    messages.back().set_more(true);
  }
  if (!messages.empty()) messages.back().set_sequence(1);
  return messages;
}

void Start(RevocationState& revocations, const std::vector<std::string>& serials) {
  for (const auto& message : Messages(serials)) revocations.Apply(message);
}

ca::v1::WatchRevocationsResponse OneChange(const std::string& serial) {
  ca::v1::WatchRevocationsResponse message;
  message.add_revocations()->set_serial(serial);
  return message;
}

void BM_RevocationLookUp(benchmark::State& state) {
  RevocationState revocations(std::chrono::seconds(5));
  Start(revocations, Serials(static_cast<std::size_t>(state.range(0)), 1));
  // Changes that are not yet part of the large set.
  for (const std::string& serial : Serials(200, 3)) revocations.Apply(OneChange(serial));
  const std::vector<std::string> good = Serials(4096, 2);
  std::size_t at = 0;
  for (auto _ : state) {
    bool revoked = revocations.IsRevoked(good[at++ % good.size()]);
    if (revoked) return state.SkipWithError("a good serial counts as revoked");
    benchmark::DoNotOptimize(revoked);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_RevocationLookUp)->Arg(0)->Arg(10'000)->Arg(100'000)->Arg(1'000'000);

void BM_RevocationsAtStart(benchmark::State& state) {
  const auto serials = Serials(static_cast<std::size_t>(state.range(0)), 1);
  const auto messages = Messages(serials);
  std::size_t octets = 0;
  for (const auto& message : messages) octets += message.ByteSizeLong();
  std::size_t memory = 0;
  for (auto _ : state) {
    RevokedSerials revoked;
    std::vector<pki::SerialKey> keys;
    for (const auto& message : messages) {
      if (!pki::DecodeSerialKeys(message.set().keys(), keys).ok()) {
        return state.SkipWithError("a set does not parse");
      }
    }
    revoked.AddAll(std::move(keys), {});
    memory = revoked.memory_bytes();
  }
  const auto count = static_cast<double>(serials.size());
  state.counters["wire_octets_each"] = static_cast<double>(octets) / count;
  state.counters["memory_octets_each"] = static_cast<double>(memory) / count;
}
BENCHMARK(BM_RevocationsAtStart)
    ->Arg(10'000)
    ->Arg(100'000)
    ->Arg(1'000'000)
    ->Unit(benchmark::kMillisecond);

void BM_RevocationApplied(benchmark::State& state) {
  RevocationState revocations(std::chrono::seconds(5));
  Start(revocations, Serials(static_cast<std::size_t>(state.range(0)), 1));
  const auto serials = Serials(100'000, 4);
  std::size_t at = 0;
  for (auto _ : state) revocations.Apply(OneChange(serials[at++ % serials.size()]));
}
BENCHMARK(BM_RevocationApplied)->Arg(1)->Arg(100'000)->Arg(1'000'000);

}  // namespace
}  // namespace devicetrust::gateway
