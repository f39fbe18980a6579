// What X.509 costs in one enrollment. On the device: make a key, keep it, ask for the
// certificate, install it. At the CA: check the request, sign the certificate.
#include <benchmark/benchmark.h>

#include "libs/pki/certificate.h"
#include "libs/pki/csr.h"
#include "libs/throwaway/throwaway_pki.h"

namespace devicetrust {
namespace {

const WallTime kIssuedAt{std::chrono::seconds{1'800'000'000}};

pki::CertificateSpec DeviceSpec() {
  return {.common_name = "",
          .serial_hex = "0123456789abcdef0123456789abcdef01",
          .usage = pki::Usage::kClientAuth,
          .not_before = kIssuedAt,
          .not_after = kIssuedAt + std::chrono::days(365),
          .uris = {"urn:devicetrust:acme:device:AAAAAAAAAAAAAAAAAAAAAA",
                   "urn:devicetrust:acme:enrollment:BBBBBBBBBBBBBBBBBBBBBB"},
          .crl_urls = {"http://ca.example.com/device.crl"}};
}

void BM_BuildCsr(benchmark::State& state) {
  const pki::PrivateKey key = pki::PrivateKey::Generate().value();
  for (auto _ : state) benchmark::DoNotOptimize(pki::BuildCsr("pc-1", key));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_BuildCsr);

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

void BM_IssueCertificate(benchmark::State& state) {
  const pki::Identity ca = throwaway::NewCa("MTLS Certificate Authority", kIssuedAt);
  const pki::PublicKey subject = pki::PrivateKey::Generate()->public_key();
  for (auto _ : state) {
    auto certificate = pki::SignCertificate(DeviceSpec(), subject, ca);
    if (!certificate.ok()) return state.SkipWithError(certificate.status().ToString().c_str());
    benchmark::DoNotOptimize(certificate->der());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_IssueCertificate);

void BM_CsrAndIssue(benchmark::State& state) {
  const pki::Identity ca = throwaway::NewCa("MTLS Certificate Authority", kIssuedAt);
  const Bytes der = pki::BuildCsr("pc-1", pki::PrivateKey::Generate().value()).value();
  SystemRandom random;
  for (auto _ : state) {
    const auto csr = pki::ParseCsr(der);
    if (!csr.ok()) return state.SkipWithError(csr.status().ToString().c_str());
    pki::CertificateSpec spec = DeviceSpec();
    spec.serial_hex = pki::NewSerial(SystemClock().Now(), random).value();
    auto certificate = pki::SignCertificate(spec, csr->public_key, ca);
    if (!certificate.ok()) return state.SkipWithError(certificate.status().ToString().c_str());
    benchmark::DoNotOptimize(certificate->der());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_CsrAndIssue);

// What an agent looks at before it installs a certificate.
void BM_CheckIssuedCertificate(benchmark::State& state) {
  const pki::PrivateKey key = pki::PrivateKey::Generate().value();
  const pki::Identity ca = throwaway::NewCa("MTLS Certificate Authority", kIssuedAt);
  const Bytes der = pki::SignCertificate(DeviceSpec(), key.public_key(), ca)->der();
  for (auto _ : state) {
    const auto certificate = pki::Certificate::FromDer(der);
    const bool good = certificate.ok() && certificate->public_key().value() == key.public_key() &&
                      certificate->issuer_common_name() == "MTLS Certificate Authority";
    if (!good) return state.SkipWithError("not the certificate that was issued");
    benchmark::DoNotOptimize(certificate->serial_hex());
    benchmark::DoNotOptimize(certificate->der());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_CheckIssuedCertificate);

void BM_MakeKey(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(pki::PrivateKey::Generate());
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_MakeKey);

void BM_KeyToPkcs8(benchmark::State& state) {
  const pki::PrivateKey key = pki::PrivateKey::Generate().value();
  for (auto _ : state) benchmark::DoNotOptimize(key.Pkcs8());
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_KeyToPkcs8);

void BM_KeyFromPkcs8(benchmark::State& state) {
  const Bytes der = pki::PrivateKey::Generate()->Pkcs8();
  for (auto _ : state) benchmark::DoNotOptimize(pki::PrivateKey::FromPkcs8(der));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_KeyFromPkcs8);

void BM_KeyThumbprint(benchmark::State& state) {
  const pki::PrivateKey key = pki::PrivateKey::Generate().value();
  for (auto _ : state) benchmark::DoNotOptimize(key.public_key().Thumbprint());
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_KeyThumbprint);

// What the device does in an enrollment with a new key each time: no cache helps.
void BM_DeviceSideOfEnrollment(benchmark::State& state) {
  const pki::Identity ca = throwaway::NewCa("MTLS Certificate Authority", kIssuedAt);
  for (auto _ : state) {
    state.PauseTiming();
    const pki::PublicKey made = pki::PrivateKey::Generate()->public_key();
    const Bytes der = pki::SignCertificate(DeviceSpec(), made, ca)->der();
    state.ResumeTiming();
    const pki::PrivateKey key = pki::PrivateKey::Generate().value();
    benchmark::DoNotOptimize(key.Pkcs8());
    benchmark::DoNotOptimize(key.public_key().Thumbprint());
    benchmark::DoNotOptimize(pki::BuildCsr("pc-1", key));
    const auto certificate = pki::Certificate::FromDer(der);
    benchmark::DoNotOptimize(certificate->public_key().value() == key.public_key());
    benchmark::DoNotOptimize(certificate->issuer_common_name());
    benchmark::DoNotOptimize(certificate->serial_hex());
    benchmark::DoNotOptimize(key.Pkcs8());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_DeviceSideOfEnrollment);

}  // namespace
}  // namespace devicetrust
