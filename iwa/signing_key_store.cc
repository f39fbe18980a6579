#include "iwa/signing_key_store.h"

#include <fmt/format.h>

#include <array>

#include "libs/base/encoding.h"
#include "libs/pki/digest.h"
#include "libs/pki/key.h"

namespace devicetrust::iwa {
namespace {

constexpr std::int64_t kKeysMax = 4;  // As many as the org takes.
constexpr std::size_t kIdBytes = 16;

std::span<const db::Migration> Migrations() {
  static const std::array<db::Migration, 2> migrations = {{
      {1,
       "iwa signing keys",
       {{.name = "signing_keys",
         .columns = "kid TEXT PRIMARY KEY, org_id TEXT NOT NULL, iwa_name TEXT NOT NULL,"
                    " created_at BIGINT NOT NULL, sealed_key BYTEA NOT NULL"}}},
      // Times in seconds; 0: not yet.
      {2,
       "rotation",
       {{.name = "runs",
         .number_key = "id",
         .columns = "store_id TEXT NOT NULL, starts BIGINT NOT NULL"}},
       {"ALTER TABLE signing_keys ADD COLUMN published_at BIGINT NOT NULL DEFAULT 0",
        "ALTER TABLE signing_keys ADD COLUMN signs_from BIGINT NOT NULL DEFAULT 0",
        "ALTER TABLE signing_keys ADD COLUMN retired_at BIGINT NOT NULL DEFAULT 0"}},
  }};
  return migrations;
}

std::string Purpose(const SigningKeyStore::Owner& owner, const std::string& kid) {
  return fmt::format("iwa.signing_key/{}/{}/{}", owner.org, owner.iwa_name, kid);
}

absl::StatusOr<std::string> NewId(Random& random) {
  std::array<std::uint8_t, kIdBytes> bytes{};
  DT_RETURN_IF_ERROR(random.Fill(bytes));
  return HexEncode(bytes);
}

std::optional<WallTime> TimeOf(const db::Value& value) {
  if (db::Int(value) == 0) return std::nullopt;
  return AtUnixSeconds(db::Int(value));
}

std::int64_t SecondsOf(const std::optional<WallTime>& time) {
  return time ? UnixSeconds(*time) : 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SigningKeyStore>> SigningKeyStore::Open(const std::string& url,
                                                                       Owner owner,
                                                                       pki::AeadKey kek) {
  DT_ASSIGN_OR_RETURN(auto database, db::Database::Open(url, Migrations()));
  return std::unique_ptr<SigningKeyStore>(
      new SigningKeyStore(std::move(database), std::move(owner), std::move(kek)));
}

absl::StatusOr<SigningKeyStore::Run> SigningKeyStore::BeginRun(Random& random) {
  DT_ASSIGN_OR_RETURN(const std::string store_id, NewId(random));
  DT_ASSIGN_OR_RETURN(const std::string process_id, NewId(random));
  return database_->Write([&](db::Transaction& txn) -> absl::StatusOr<Run> {
    DT_ASSIGN_OR_RETURN(const auto rows,
                        txn.Run("INSERT INTO runs (id, store_id, starts) VALUES (1, $1, 1)"
                                " ON CONFLICT (id) DO UPDATE SET starts = runs.starts + 1"
                                " RETURNING store_id, starts",
                                {store_id}));
    return Run{db::Text(rows.at(0)[0]), process_id, db::Int(rows.at(0)[1])};
  });
}

absl::StatusOr<std::vector<StoredKey>> SigningKeyStore::Load() {
  using Rows = std::vector<db::Row>;
  DT_ASSIGN_OR_RETURN(
      const Rows rows, database_->Read([&](db::Transaction& txn) -> absl::StatusOr<Rows> {
        return txn.Run(
            "SELECT kid, sealed_key, created_at, published_at, signs_from, retired_at"
            " FROM signing_keys WHERE org_id = $1 AND iwa_name = $2"
            " ORDER BY created_at DESC, kid LIMIT $3",
            {owner_.org, owner_.iwa_name, kKeysMax});
      }));
  std::vector<StoredKey> keys;
  for (const db::Row& row : rows) {
    DT_ASSIGN_OR_RETURN(StoredKey key, Unseal(row));
    keys.push_back(std::move(key));
  }
  return keys;
}

absl::StatusOr<StoredKey> SigningKeyStore::Unseal(const db::Row& row) const {
  const std::string& kid = db::Text(row[0]);
  absl::StatusOr<Bytes> pkcs8 = pki::Open(kek_, Purpose(owner_, kid), db::Blob(row[1]));
  if (!pkcs8.ok()) {
    return absl::Status(pkcs8.status().code(),
                        fmt::format("signing key {}: {}; is --kek-file the one it was made with?",
                                    kid, std::string(pkcs8.status().message())));
  }
  absl::StatusOr<pki::PrivateKey> key = pki::PrivateKey::FromPkcs8(*pkcs8);
  pki::Wipe(*pkcs8);
  if (!key.ok()) return key.status();
  return StoredKey{{kid, *std::move(key)},
                   AtUnixSeconds(db::Int(row[2])),
                   TimeOf(row[3]),
                   TimeOf(row[4]),
                   TimeOf(row[5])};
}

absl::StatusOr<StoredKey> SigningKeyStore::Make(const Clock& clock, Random& random) {
  DT_ASSIGN_OR_RETURN(pki::PrivateKey key, pki::PrivateKey::Generate());
  const std::string kid = key.public_key().Thumbprint();
  Bytes pkcs8 = key.Pkcs8();
  const absl::StatusOr<Bytes> sealed = pki::Seal(kek_, Purpose(owner_, kid), pkcs8, random);
  pki::Wipe(pkcs8);
  if (!sealed.ok()) return sealed.status();
  const std::int64_t now = UnixSeconds(clock.Now());
  DT_RETURN_IF_ERROR(database_->Write([&](db::Transaction& txn) {
    return txn
        .Run(
            "INSERT INTO signing_keys (kid, org_id, iwa_name, created_at, sealed_key)"
            " VALUES ($1, $2, $3, $4, $5)",
            {kid, owner_.org, owner_.iwa_name, now, *sealed})
        .status();
  }));
  return StoredKey{{kid, std::move(key)}, AtUnixSeconds(now), {}, {}, {}};
}

absl::Status SigningKeyStore::Keep(std::span<const StoredKey> keys) {
  return database_->Write([&](db::Transaction& txn) -> absl::Status {
    DT_ASSIGN_OR_RETURN(const auto rows,
                        txn.Run("SELECT kid FROM signing_keys WHERE org_id = $1 AND iwa_name = $2",
                                {owner_.org, owner_.iwa_name}));
    for (const db::Row& row : rows) {
      const std::string& kid = db::Text(row[0]);
      const auto key = std::ranges::find(keys, kid, [](const StoredKey& k) { return k.key.kid; });
      if (key == keys.end()) {
        DT_RETURN_IF_ERROR(txn.Run("DELETE FROM signing_keys WHERE kid = $1", {kid}).status());
        continue;
      }
      DT_RETURN_IF_ERROR(txn.Run("UPDATE signing_keys SET published_at = $2, signs_from = $3,"
                                 " retired_at = $4 WHERE kid = $1",
                                 {kid, SecondsOf(key->published_at), SecondsOf(key->signs_from),
                                  SecondsOf(key->retired_at)})
                             .status());
    }
    return absl::OkStatus();
  });
}

}  // namespace devicetrust::iwa
