#include "ca-service/ocsp_delegates.h"

#include <fmt/format.h>

#include <utility>

#include "ca-service/metrics.h"
#include "libs/base/encoding.h"
#include "libs/base/log.h"

namespace devicetrust::ca {
namespace {

bool IsGood(const OcspDelegate* delegate, WallTime now) {
  if (delegate == nullptr) return false;
  const pki::Certificate& own = delegate->signer->certificate();
  return own.not_before() <= now && now <= own.not_after();
}

bool IsDue(const OcspDelegate* delegate, const Issuer& issuer, WallTime now) {
  if (!IsGood(delegate, now)) return true;
  const WallTime ends = delegate->signer->certificate().not_after();
  // One that ends with its issuer is the last.
  return ends - kDelegateRenewal < now && ends < issuer.certificate().not_after();
}

std::shared_ptr<const OcspDelegate> NewDelegate(const Issuer& issuer, pki::Certificate certificate,
                                                pki::PrivateKey key) {
  return std::make_shared<const OcspDelegate>(
      OcspDelegate{issuer.id(), pki::OcspIssuer(issuer.certificate()),
                   pki::OcspSigner(pki::Identity{std::move(certificate), std::move(key)})});
}

}  // namespace

const OcspDelegate* OcspDelegateSet::Of(const pki::OcspCertId& id) const {
  for (const auto& delegate : all) {
    if (delegate->issuer.Is(id)) return delegate.get();
  }
  return nullptr;
}

absl::StatusOr<std::unique_ptr<OcspDelegates>> OcspDelegates::Start(
    Config config, db::Database& database, const Issuers& issuers, const Clock& clock,
    Random& random, std::chrono::milliseconds pace) {
  std::unique_ptr<OcspDelegates> delegates(
      new OcspDelegates(std::move(config), database, issuers, clock, random, pace));
  OcspDelegates* const self = delegates.get();
  const BackgroundLoop::Pause pause = self->Step();
  self->loop_.emplace(pause, [self] { return self->Step(); });
  return delegates;
}

OcspDelegates::~OcspDelegates() { Stop(); }

void OcspDelegates::Stop() {
  if (loop_) loop_->Stop();
}

BackgroundLoop::Pause OcspDelegates::Step() {
  const absl::Status renewed = Renew();
  if (!renewed.ok() && !failing_) {
    Log(LogLevel::kError, "ca.ocsp.delegate_failed", {{"status", renewed.ToString()}});
  }
  failing_ = !renewed.ok();
  return failing_ ? 10 * pace_ : pace_;
}

absl::Status OcspDelegates::Renew() {
  const WallTime now = clock_.Now();
  const auto issuers = issuers_.Current();
  auto set = std::make_shared<OcspDelegateSet>();
  absl::Status result;
  for (const auto& issuer : issuers->all) {
    std::shared_ptr<const OcspDelegate>& known = known_[issuer->id()];
    if (known == nullptr) {
      auto stored = Load(*issuer);
      if (!stored.ok()) result.Update(stored.status());
      if (stored.ok()) known = *std::move(stored);
    }
    if (IsDue(known.get(), *issuer, now)) {
      auto made = Make(*issuer);
      if (!made.ok()) result.Update(made.status());
      if (made.ok()) known = *std::move(made);
    }
    if (!IsGood(known.get(), now)) {
      set->all.push_back(std::make_shared<const OcspDelegate>(
          OcspDelegate{issuer->id(), pki::OcspIssuer(issuer->certificate()), {}}));
      continue;
    }
    const std::int64_t ends = UnixSeconds(known->signer->certificate().not_after());
    kOcspDelegateExpiry.With({issuer->id()}).Set(static_cast<double>(ends));
    set->all.push_back(known);
  }
  current_.Set(std::move(set));
  return result;
}

std::string OcspDelegates::Purpose(std::string_view issuer_id) const {
  return fmt::format("ca.ocsp_key/{}/{}", config_.org, issuer_id);
}

absl::StatusOr<std::shared_ptr<const OcspDelegate>> OcspDelegates::Load(
    const Issuer& issuer) const {
  DT_ASSIGN_OR_RETURN(const auto rows, database_.Read([&](db::Transaction& txn) {
    return txn.Run("SELECT certificate, sealed_key FROM ocsp_delegates WHERE issuer_id = $1",
                   {issuer.id()});
  }));
  if (rows.empty()) return nullptr;
  absl::StatusOr<Bytes> secret = pki::Open(config_.kek, Purpose(issuer.id()), db::Blob(rows[0][1]));
  if (!secret.ok()) return nullptr;  // Of another key-encryption key: a new one is made.
  auto key = pki::PrivateKey::FromPkcs8(*secret);
  pki::Wipe(*secret);
  auto certificate = pki::Certificate::FromDer(db::Blob(rows[0][0]));
  if (!key.ok() || !certificate.ok()) return nullptr;
  return NewDelegate(issuer, *std::move(certificate), *std::move(key));
}

// The row is durable before the first answer, so that a restart signs with the same key.
absl::StatusOr<std::shared_ptr<const OcspDelegate>> OcspDelegates::Make(const Issuer& issuer) {
  DT_ASSIGN_OR_RETURN(pki::PrivateKey key, pki::PrivateKey::Generate());
  DT_ASSIGN_OR_RETURN(pki::Certificate certificate,
                      issuer.CertifyResponder(config_.org, key.public_key(), kDelegateValidity,
                                              clock_.Now(), random_));
  Bytes secret = key.Pkcs8();
  absl::StatusOr<Bytes> sealed = pki::Seal(config_.kek, Purpose(issuer.id()), secret, random_);
  pki::Wipe(secret);
  if (!sealed.ok()) return sealed.status();
  DT_RETURN_IF_ERROR(database_.Write([&](db::Transaction& txn) {
    return txn
        .Run(
            "INSERT INTO ocsp_delegates (issuer_id, certificate, sealed_key) VALUES ($1, $2, $3)"
            " ON CONFLICT (issuer_id) DO UPDATE SET certificate = excluded.certificate,"
            " sealed_key = excluded.sealed_key",
            {issuer.id(), certificate.der(), *sealed})
        .status();
  }));
  Log(LogLevel::kInfo, "ca.ocsp.delegate_made",
      {{"issuer", issuer.id()},
       {"serial", certificate.serial_hex()},
       {"not_after", UnixSeconds(certificate.not_after())}});
  return NewDelegate(issuer, std::move(certificate), std::move(key));
}

}  // namespace devicetrust::ca
