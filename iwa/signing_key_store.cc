#include "iwa/signing_key_store.h"

#include <fmt/format.h>

#include <array>

#include "libs/pki/digest.h"
#include "libs/pki/key.h"

namespace devicetrust::iwa {
namespace {

constexpr std::size_t kKeysMax = 4;  // As many as the org takes.

std::span<const db::Migration> Migrations() {
  static const std::array<db::Migration, 1> migrations = {{
      {1,
       "iwa signing keys",
       {{.name = "signing_keys",
         .columns = "kid TEXT PRIMARY KEY, org_id TEXT NOT NULL, iwa_name TEXT NOT NULL,"
                    " created_at BIGINT NOT NULL, sealed_key BYTEA NOT NULL"}}},
  }};
  return migrations;
}

std::string Purpose(const std::string& org, const std::string& iwa_name, const std::string& kid) {
  return fmt::format("iwa.signing_key/{}/{}/{}", org, iwa_name, kid);
}

absl::StatusOr<token::SigningKey> Unseal(const std::string& org, const std::string& iwa_name,
                                         const db::Row& row, const pki::AeadKey& kek) {
  const std::string& kid = db::Text(row[0]);
  absl::StatusOr<Bytes> pkcs8 = pki::Open(kek, Purpose(org, iwa_name, kid), db::Blob(row[1]));
  if (!pkcs8.ok()) {
    return absl::Status(pkcs8.status().code(),
                        fmt::format("signing key {}: {}; is --kek-file the one it was made with?",
                                    kid, std::string(pkcs8.status().message())));
  }
  absl::StatusOr<pki::PrivateKey> key = pki::PrivateKey::FromPkcs8(*pkcs8);
  pki::Wipe(*pkcs8);
  if (!key.ok()) return key.status();
  return token::SigningKey{kid, *std::move(key)};
}

}  // namespace

absl::StatusOr<SigningKeyStore> SigningKeyStore::Open(const std::string& url) {
  DT_ASSIGN_OR_RETURN(auto database, db::Database::Open(url, Migrations()));
  return SigningKeyStore(std::move(database));
}

absl::StatusOr<std::vector<token::SigningKey>> SigningKeyStore::Load(const std::string& org,
                                                                     const std::string& iwa_name,
                                                                     const pki::AeadKey& kek,
                                                                     const Clock& clock,
                                                                     Random& random) {
  // Made before the transaction, which computes nothing; thrown away when there is one.
  DT_ASSIGN_OR_RETURN(const pki::PrivateKey fresh, pki::PrivateKey::Generate());
  const std::string kid = fresh.public_key().Thumbprint();
  Bytes pkcs8 = fresh.Pkcs8();
  const absl::StatusOr<Bytes> sealed = pki::Seal(kek, Purpose(org, iwa_name, kid), pkcs8, random);
  pki::Wipe(pkcs8);
  if (!sealed.ok()) return sealed.status();
  const std::int64_t now = UnixSeconds(clock.Now());

  using Rows = std::vector<db::Row>;
  DT_ASSIGN_OR_RETURN(
      const Rows rows, database_->Write([&](db::Transaction& txn) -> absl::StatusOr<Rows> {
        const auto stored = [&] {
          return txn.Run(
              "SELECT kid, sealed_key FROM signing_keys WHERE org_id = $1 AND iwa_name = $2"
              " ORDER BY created_at DESC, kid LIMIT $3",
              {org, iwa_name, static_cast<std::int64_t>(kKeysMax)});
        };
        DT_ASSIGN_OR_RETURN(Rows found, stored());
        if (!found.empty()) return found;
        DT_RETURN_IF_ERROR(
            txn.Run("INSERT INTO signing_keys (kid, org_id, iwa_name, created_at, sealed_key)"
                    " VALUES ($1, $2, $3, $4, $5)",
                    {kid, org, iwa_name, now, *sealed})
                .status());
        return stored();
      }));
  std::vector<token::SigningKey> keys;
  for (const db::Row& row : rows) {
    DT_ASSIGN_OR_RETURN(token::SigningKey key, Unseal(org, iwa_name, row, kek));
    keys.push_back(std::move(key));
  }
  return keys;
}

}  // namespace devicetrust::iwa
