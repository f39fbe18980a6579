#include "ca-service/issuers.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "ca-service/issuer_store.h"
#include "ca-service/metrics.h"
#include "libs/base/encoding.h"
#include "libs/base/log.h"

namespace devicetrust::ca {
namespace {

using std::chrono::days;

constexpr days kRootValidity{20 * 365};
constexpr days kIssuerValidity{10 * 365};

// A root, or an issuer, as it was just made.
struct NewAuthority {
  pki::Certificate certificate;
  pki::PrivateKey key;
};

std::string Purpose(const std::string& org, std::string_view id) {
  return fmt::format("ca.signing_key/{}/{}", org, id);
}

std::string IdOf(const pki::Certificate& certificate) {
  return HexEncode(certificate.subject_key_id());
}

absl::StatusOr<pki::CertificateSpec> CaSpec(const char* name, const std::string& org,
                                            int path_length, days validity, WallTime now,
                                            Random& random) {
  pki::CertificateSpec spec;
  spec.common_name = name;
  spec.organization = org;
  spec.usage = pki::Usage::kCa;
  spec.path_length = path_length;
  spec.not_before = now - std::chrono::hours(1);
  spec.not_after = now + validity;
  DT_ASSIGN_OR_RETURN(spec.serial_hex, pki::NewSerial(now, random));
  return spec;
}

absl::StatusOr<NewAuthority> NewRoot(const std::string& org, WallTime now, Random& random) {
  DT_ASSIGN_OR_RETURN(const pki::PrivateKey key, pki::PrivateKey::Generate());
  DT_ASSIGN_OR_RETURN(const auto spec, CaSpec(kRootName, org, 1, kRootValidity, now, random));
  DT_ASSIGN_OR_RETURN(const pki::Certificate certificate, pki::SignSelf(spec, key));
  return NewAuthority{certificate, key};
}

// Ends with its root at the latest.
absl::StatusOr<NewAuthority> NewIssuer(const pki::Identity& root, const std::string& org,
                                       WallTime now, Random& random) {
  DT_ASSIGN_OR_RETURN(const pki::PrivateKey key, pki::PrivateKey::Generate());
  DT_ASSIGN_OR_RETURN(auto spec, CaSpec(kIssuerName, org, 0, kIssuerValidity, now, random));
  spec.not_after = std::min(spec.not_after, root.certificate.not_after());
  DT_ASSIGN_OR_RETURN(const pki::Certificate certificate,
                      pki::SignCertificate(spec, key.public_key(), root));
  return NewAuthority{certificate, key};
}

absl::StatusOr<StoredAuthority> Sealed(const NewAuthority& made, std::string root_id,
                                       const Issuers::Config& config, Random& random) {
  StoredAuthority row{IdOf(made.certificate), std::move(root_id), made.certificate.der(), {}};
  Bytes secret = made.key.Pkcs8();
  absl::StatusOr<Bytes> sealed = pki::Seal(config.kek, Purpose(config.org, row.id), secret, random);
  pki::Wipe(secret);
  if (!sealed.ok()) return sealed.status();
  row.sealed_key = *std::move(sealed);
  return row;
}

// The certificate of `row` with its key, out of the seal.
absl::StatusOr<pki::Identity> Opened(const StoredAuthority& row, const Issuers::Config& config) {
  absl::StatusOr<Bytes> secret = pki::Open(config.kek, Purpose(config.org, row.id), row.sealed_key);
  if (!secret.ok()) {
    return absl::Status(
        secret.status().code(),
        fmt::format("the CA's key in the store does not open: is --kek-file the one "
                    "it was sealed with, and --org still {}? ({})",
                    config.org, std::string(secret.status().message())));
  }
  absl::StatusOr<pki::PrivateKey> key = pki::PrivateKey::FromPkcs8(*secret);
  pki::Wipe(*secret);
  if (!key.ok()) return key.status();
  DT_ASSIGN_OR_RETURN(pki::Certificate certificate, pki::Certificate::FromDer(row.certificate));
  return pki::Identity{std::move(certificate), *std::move(key)};
}

}  // namespace

const Issuer* IssuerSet::Find(std::string_view id) const {
  for (const auto& issuer : all) {
    if (issuer->id() == id) return issuer.get();
  }
  return nullptr;
}

absl::StatusOr<std::unique_ptr<Issuers>> Issuers::Open(Config config, db::Database& database,
                                                       const Clock& clock, Random& random) {
  std::unique_ptr<Issuers> issuers(new Issuers(std::move(config), database, clock, random));
  const MutexLock lock(issuers->change_mutex_);
  DT_ASSIGN_OR_RETURN(const auto stored, database.Read([](db::Transaction& txn) {
    return IssuerStore(txn).Issuers();
  }));
  if (stored.empty()) DT_RETURN_IF_ERROR(issuers->Create());
  DT_RETURN_IF_ERROR(issuers->Reload());
  if (clock.Now() > issuers->Current()->active().certificate().not_after()) {
    return absl::FailedPreconditionError("the active issuer's certificate has expired");
  }
  return issuers;
}

// A root and its first issuer, in one transaction: never one without the other.
absl::Status Issuers::Create() {
  const WallTime now = clock_.Now();
  DT_ASSIGN_OR_RETURN(const NewAuthority root, NewRoot(config_.org, now, random_));
  DT_ASSIGN_OR_RETURN(const NewAuthority first,
                      NewIssuer({root.certificate, root.key}, config_.org, now, random_));
  DT_ASSIGN_OR_RETURN(const StoredAuthority root_row, Sealed(root, {}, config_, random_));
  DT_ASSIGN_OR_RETURN(StoredAuthority row, Sealed(first, root_row.id, config_, random_));
  row.is_active = true;
  absl::Status stored = database_.Write([&](db::Transaction& txn) -> absl::Status {
    DT_RETURN_IF_ERROR(IssuerStore(txn).InsertRoot(root_row));
    return IssuerStore(txn).InsertIssuer(row);
  });
  if (!stored.ok()) return stored;
  Log(LogLevel::kInfo, "ca.keys.created", {{"org", config_.org}, {"issuer", row.id}});
  return absl::OkStatus();
}

absl::Status Issuers::Reload() {
  using Rows = std::pair<std::vector<StoredAuthority>, std::vector<StoredAuthority>>;
  DT_ASSIGN_OR_RETURN(const Rows rows,
                      database_.Read([](db::Transaction& txn) -> absl::StatusOr<Rows> {
                        DT_ASSIGN_OR_RETURN(auto roots, IssuerStore(txn).Roots());
                        DT_ASSIGN_OR_RETURN(auto issuers, IssuerStore(txn).Issuers());
                        return Rows(std::move(roots), std::move(issuers));
                      }));
  const WallTime now = clock_.Now();
  auto set = std::make_shared<IssuerSet>();
  std::string active_id;
  for (const StoredAuthority& row : rows.second) {
    if (row.is_active) active_id = row.id;
    const auto root = std::ranges::find(rows.first, row.root_id, &StoredAuthority::id);
    if (root == rows.first.end()) return absl::DataLossError("an issuer's root is not stored");
    DT_ASSIGN_OR_RETURN(pki::Identity identity, Opened(row, config_));
    DT_ASSIGN_OR_RETURN(pki::Certificate above, pki::Certificate::FromDer(root->certificate));
    if (!row.is_active && now > identity.certificate.not_after()) continue;
    set->all.push_back(std::make_shared<const Issuer>(std::move(identity), std::move(above)));
  }
  std::ranges::sort(set->all, [&](const auto& a, const auto& b) {
    if ((a->id() == active_id) != (b->id() == active_id)) return a->id() == active_id;
    return a->certificate().not_after() > b->certificate().not_after();
  });
  if (set->all.empty() || set->active().id() != active_id) {
    return absl::DataLossError("no issuer in the store is active");
  }
  for (const auto& issuer : set->all) {
    const std::int64_t ends = UnixSeconds(issuer->certificate().not_after());
    kIssuerExpiry.With({issuer->id()}).Set(static_cast<double>(ends));
  }
  current_.Set(std::move(set));
  return absl::OkStatus();
}

absl::StatusOr<pki::Identity> Issuers::OpenRoot(const std::string& root_id) const {
  DT_ASSIGN_OR_RETURN(const auto roots, database_.Read([](db::Transaction& txn) {
    return IssuerStore(txn).Roots();
  }));
  const auto row = std::ranges::find(roots, root_id, &StoredAuthority::id);
  if (row == roots.end()) return absl::NotFoundError(fmt::format("no root has the id {}", root_id));
  return Opened(*row, config_);
}

absl::StatusOr<Bytes> Issuers::SignRootCrl(const std::string& root_id, const pki::Crl& crl) const {
  DT_ASSIGN_OR_RETURN(const pki::Identity root, OpenRoot(root_id));
  return SignCrl(crl, root);
}

absl::StatusOr<std::string> Issuers::Add() {
  const MutexLock lock(change_mutex_);
  const std::string root_id = Current()->active().root_id();
  DT_ASSIGN_OR_RETURN(const pki::Identity root, OpenRoot(root_id));
  DT_ASSIGN_OR_RETURN(const NewAuthority made, NewIssuer(root, config_.org, clock_.Now(), random_));
  DT_ASSIGN_OR_RETURN(const StoredAuthority added, Sealed(made, root_id, config_, random_));
  DT_RETURN_IF_ERROR(
      database_.Write([&](db::Transaction& txn) { return IssuerStore(txn).InsertIssuer(added); }));
  DT_RETURN_IF_ERROR(Reload());
  Log(LogLevel::kInfo, "ca.issuer.added", {{"issuer", added.id}});
  return added.id;
}

absl::Status Issuers::Activate(const std::string& id) {
  const MutexLock lock(change_mutex_);
  const auto current = Current();
  const Issuer* const issuer = current->Find(id);
  if (issuer == nullptr) return absl::NotFoundError(fmt::format("no issuer has the id {}", id));
  if (clock_.Now() > issuer->certificate().not_after()) {
    return absl::FailedPreconditionError(fmt::format("issuer {} has expired", id));
  }
  DT_RETURN_IF_ERROR(
      database_.Write([&](db::Transaction& txn) { return IssuerStore(txn).Activate(id); }));
  DT_RETURN_IF_ERROR(Reload());
  Log(LogLevel::kInfo, "ca.issuer.activated", {{"issuer", id}, {"before", current->active().id()}});
  return absl::OkStatus();
}

}  // namespace devicetrust::ca
