// Signing and verifying the JWTs of an enrollment: two of them are on each device's path.
#include <benchmark/benchmark.h>

#include "libs/token/claims.h"
#include "libs/token/names.h"

namespace devicetrust {
namespace {

const WallTime kNow{std::chrono::seconds{1'800'000'000}};

struct Signer {
  token::SigningKey key{"iwa-1-key", pki::PrivateKey::Generate().value()};
  token::KeySet keys;
  token::UserToken claims;

  Signer() {
    keys.Add(key.kid, token::IwaUrn("acme", "iwa-1"), key.key.public_key());
    claims.envelope = {.issuer = token::IwaUrn("acme", "iwa-1"),
                       .audience = token::CaUrn("acme"),
                       .id = "AAAAAAAAAAAAAAAAAAAAAA",
                       .issued_at = kNow,
                       .expires_at = kNow + token::kUserTokenLifetime};
    claims.user_sid = "S-1-5-21-1004336348-1177238915-682003330-1104";
    claims.user_name = "ada@CORP.TEST";
    claims.computer_sid = "S-1-5-21-1004336348-1177238915-682003330-2104";
    claims.computer_name = "PC0001$";
    claims.realm = "CORP.TEST";
    claims.key_thumbprint = key.key.public_key().Thumbprint();
  }
};

void BM_SignUserToken(benchmark::State& state) {
  const Signer signer;
  for (auto _ : state) {
    auto compact = token::Sign(signer.claims, signer.key);
    if (!compact.ok()) return state.SkipWithError(compact.status().ToString().c_str());
    benchmark::DoNotOptimize(compact);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_SignUserToken);

void BM_VerifyUserToken(benchmark::State& state) {
  const Signer signer;
  const std::string compact = token::Sign(signer.claims, signer.key).value();
  for (auto _ : state) {
    auto claims = token::VerifyUserToken(compact, signer.keys, token::CaUrn("acme"), kNow);
    if (!claims.ok()) return state.SkipWithError(claims.status().ToString().c_str());
    benchmark::DoNotOptimize(claims);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_VerifyUserToken);

}  // namespace
}  // namespace devicetrust
