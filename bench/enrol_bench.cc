// The CPU floor of one enrolment at the CA: check the CSR, sign the certificate.
#include <benchmark/benchmark.h>

#include "libs/pki/certificate.h"
#include "libs/pki/csr.h"
#include "libs/sim/throwaway_pki.h"

namespace devicetrust {
namespace {

void BM_ParseCsr(benchmark::State& state) {
  const pki::PrivateKey key = pki::PrivateKey::Generate().value();
  const Bytes der = pki::BuildCsr("pc-1", key).value();
  for (auto _ : state) {
    auto csr = pki::ParseCsr(der);
    if (!csr.ok()) return state.SkipWithError(csr.status().ToString().c_str());
    benchmark::DoNotOptimize(csr);
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["csr_bytes"] = static_cast<double>(der.size());
}
BENCHMARK(BM_ParseCsr);

void BM_CsrAndIssue(benchmark::State& state) {
  const WallTime now = SystemClock().Now();
  const pki::Identity ca = sim::NewCa("MTLS Certificate Authority", now);
  const Bytes der = pki::BuildCsr("pc-1", pki::PrivateKey::Generate().value()).value();
  SystemRandom random;
  for (auto _ : state) {
    const auto csr = pki::ParseCsr(der);
    if (!csr.ok()) return state.SkipWithError(csr.status().ToString().c_str());
    const pki::CertificateSpec spec{
        .common_name = "",
        .serial_hex = pki::RandomSerial(random).value(),
        .usage = pki::Usage::kClientAuth,
        .not_before = now,
        .not_after = now + std::chrono::days(365),
        .uris = {"urn:devicetrust:acme:device:AAAAAAAAAAAAAAAAAAAAAA",
                 "urn:devicetrust:acme:enrolment:BBBBBBBBBBBBBBBBBBBBBB"},
        .crl_urls = {"http://ca.example.com/device.crl"}};
    auto certificate = pki::SignCertificate(spec, csr->public_key, ca);
    if (!certificate.ok()) return state.SkipWithError(certificate.status().ToString().c_str());
    benchmark::DoNotOptimize(certificate->der());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_CsrAndIssue);

void BM_MakeKey(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(pki::PrivateKey::Generate());
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_MakeKey);

}  // namespace
}  // namespace devicetrust
