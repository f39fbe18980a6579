#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/db/database.h"
#include "libs/pki/aead.h"
#include "libs/token/key_set.h"

namespace devicetrust::iwa {

// A key, and what has become of it so far.
struct StoredKey {
  token::SigningKey key;
  WallTime created_at;
  std::optional<WallTime> published_at;  // The org has said that it knows it.
  std::optional<WallTime> signs_from;
  std::optional<WallTime> retired_at;  // From then on it signs no more.
};

// The IWA's own small store: its ES256 signing keys, sealed with the key-encryption key, so
// that tokens stay valid over a restart and the org need not learn new keys. Thread-safe.
class SigningKeyStore {
 public:
  struct Owner {
    std::string org;
    std::string iwa_name;
  };
  // Of this store, and of this start of the program that uses it.
  struct Run {
    std::string store_id;
    std::string process_id;
    std::int64_t starts = 0;  // With this one.
  };

  // `url` as db::OpenStore; a second IWA on the same file is refused there.
  static absl::StatusOr<std::unique_ptr<SigningKeyStore>> Open(const std::string& url, Owner owner,
                                                               pki::AeadKey kek);

  absl::StatusOr<Run> BeginRun(Random& random);

  // All keys of the owner, newest first. kPermissionDenied or kNotFound when they are sealed with
  // another key-encryption key: the message names --kek-file.
  absl::StatusOr<std::vector<StoredKey>> Load();
  // A new one, which nobody knows and which does not sign. Durable once it returns.
  absl::StatusOr<StoredKey> Make(const Clock& clock, Random& random);
  // What has become of `keys`, all at once; other keys of the owner are deleted.
  absl::Status Keep(std::span<const StoredKey> keys);

 private:
  SigningKeyStore(std::unique_ptr<db::Database> database, Owner owner, pki::AeadKey kek)
      : database_(std::move(database)), owner_(std::move(owner)), kek_(std::move(kek)) {}

  absl::StatusOr<StoredKey> Unseal(const db::Row& row) const;

  const std::unique_ptr<db::Database> database_;
  const Owner owner_;
  const pki::AeadKey kek_;
};

}  // namespace devicetrust::iwa
