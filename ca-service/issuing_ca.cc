#include "ca-service/issuing_ca.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "libs/base/encoding.h"
#include "libs/base/log.h"
#include "libs/token/names.h"

namespace devicetrust::ca {
namespace {

using std::chrono::days;

constexpr days kRootValidity{20 * 365};
constexpr days kIssuingValidity{10 * 365};

std::string Purpose(const std::string& org, std::string_view name) {
  return fmt::format("ca.signing_key/{}/{}", org, name);
}

struct StoredKey {
  Bytes certificate;
  Bytes sealed_key;
};

absl::StatusOr<std::optional<StoredKey>> FindKey(db::Transaction& txn, const std::string& name) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run("SELECT certificate, sealed_key FROM ca_keys WHERE name = $1", {name}));
  if (rows.empty()) return std::nullopt;
  return StoredKey{db::Blob(rows[0][0]), db::Blob(rows[0][1])};
}

absl::Status InsertKey(db::Transaction& txn, const std::string& name, const StoredKey& key) {
  return txn
      .Run("INSERT INTO ca_keys (name, certificate, sealed_key) VALUES ($1, $2, $3)",
           {name, key.certificate, key.sealed_key})
      .status();
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

// A new root and, under it, a new issuing key, in one transaction: never one without the
// other.
absl::Status CreateKeys(db::Database& database, const pki::AeadKey& kek, const std::string& org,
                        WallTime now, Random& random) {
  DT_ASSIGN_OR_RETURN(const pki::PrivateKey root_key, pki::PrivateKey::Generate());
  DT_ASSIGN_OR_RETURN(const auto root_spec, CaSpec(kRootName, org, 1, kRootValidity, now, random));
  DT_ASSIGN_OR_RETURN(const pki::Certificate root, pki::SignSelf(root_spec, root_key));

  DT_ASSIGN_OR_RETURN(const pki::PrivateKey key, pki::PrivateKey::Generate());
  DT_ASSIGN_OR_RETURN(const auto spec, CaSpec(kIssuingName, org, 0, kIssuingValidity, now, random));
  DT_ASSIGN_OR_RETURN(const pki::Certificate issuing,
                      pki::SignCertificate(spec, key.public_key(), {root, root_key}));

  StoredKey root_row{root.der(), {}};
  StoredKey issuing_row{issuing.der(), {}};
  DT_ASSIGN_OR_RETURN(root_row.sealed_key,
                      pki::Seal(kek, Purpose(org, "root"), root_key.Pkcs8(), random));
  DT_ASSIGN_OR_RETURN(issuing_row.sealed_key,
                      pki::Seal(kek, Purpose(org, "issuing"), key.Pkcs8(), random));
  absl::Status stored = database.Write([&](db::Transaction& txn) -> absl::Status {
    DT_RETURN_IF_ERROR(InsertKey(txn, "root", root_row));
    return InsertKey(txn, "issuing", issuing_row);
  });
  if (!stored.ok()) return stored;
  Log(LogLevel::kInfo, "ca.keys.created", {{"org", org}, {"serial", issuing.serial_hex()}});
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<IssuingCa> IssuingCa::LoadOrCreate(db::Database& database, const pki::AeadKey& kek,
                                                  const std::string& org, const Clock& clock,
                                                  Random& random) {
  using Pair = std::pair<std::optional<StoredKey>, std::optional<StoredKey>>;
  const auto load = [](db::Transaction& txn) -> absl::StatusOr<Pair> {
    DT_ASSIGN_OR_RETURN(auto root, FindKey(txn, "root"));
    DT_ASSIGN_OR_RETURN(auto issuing, FindKey(txn, "issuing"));
    return Pair(std::move(root), std::move(issuing));
  };
  const WallTime now = clock.Now();
  DT_ASSIGN_OR_RETURN(Pair stored, database.Read(load));
  if (!stored.first || !stored.second) {
    DT_RETURN_IF_ERROR(CreateKeys(database, kek, org, now, random));
    DT_ASSIGN_OR_RETURN(stored, database.Read(load));
  }

  DT_ASSIGN_OR_RETURN(pki::Certificate root, pki::Certificate::FromDer(stored.first->certificate));
  DT_ASSIGN_OR_RETURN(pki::Certificate issuing,
                      pki::Certificate::FromDer(stored.second->certificate));
  auto secret = pki::Open(kek, Purpose(org, "issuing"), stored.second->sealed_key);
  if (!secret.ok()) {
    return absl::Status(
        secret.status().code(),
        fmt::format("the CA's key in the store does not open: is --kek-file the one "
                    "it was sealed with, and --org still {}? ({})",
                    org, std::string(secret.status().message())));
  }
  DT_ASSIGN_OR_RETURN(pki::PrivateKey key, pki::PrivateKey::FromPkcs8(*secret));
  pki::Wipe(*secret);
  if (now > issuing.not_after()) {
    return absl::FailedPreconditionError("the issuing certificate has expired");
  }
  return IssuingCa({std::move(issuing), std::move(key)}, std::move(root));
}

absl::StatusOr<pki::Certificate> IssuingCa::Issue(const DeviceSpec& spec, const pki::PublicKey& key,
                                                  const Profile& profile, WallTime now,
                                                  Random& random) const {
  pki::CertificateSpec certificate;
  DT_ASSIGN_OR_RETURN(certificate.serial_hex, pki::NewSerial(now, random));
  certificate.common_name = spec.device_id;
  certificate.usage = pki::Usage::kClientAuth;
  certificate.not_before = now - profile.backdate;
  certificate.not_after = std::min(now + profile.validity, issuing().not_after());
  certificate.uris = {token::Urn(spec.org, "device", spec.device_id),
                      token::Urn(spec.org, "enrollment", spec.enrollment_id)};
  certificate.crl_urls = {spec.crl_url};
  certificate.ca_issuer_urls = {spec.issuer_url};
  return pki::SignCertificate(certificate, key, issuing_);
}

absl::StatusOr<Bytes> IssuingCa::SignCrl(const pki::Crl& crl) const {
  return pki::BuildCrl(crl, issuing_);
}

std::string IssuingCa::key_id() const { return HexEncode(issuing().subject_key_id()); }

}  // namespace devicetrust::ca
