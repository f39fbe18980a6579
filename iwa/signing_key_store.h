#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/db/database.h"
#include "libs/pki/aead.h"
#include "libs/token/key_set.h"

namespace devicetrust::iwa {

// The IWA's own small store: its ES256 signing keys, sealed with the key-encryption key, so
// that tokens stay valid over a restart and the org need not learn new keys.
class SigningKeyStore {
 public:
  // `url` as db::OpenStore; a second IWA on the same file is refused there.
  static absl::StatusOr<SigningKeyStore> Open(const std::string& url);

  // All keys of this org and IWA, newest first; at least one: made now when there is none.
  // kPermissionDenied or kNotFound when they are sealed with another key-encryption key:
  // the message names --kek-file.
  absl::StatusOr<std::vector<token::SigningKey>> Load(const std::string& org,
                                                      const std::string& iwa_name,
                                                      const pki::AeadKey& kek, const Clock& clock,
                                                      Random& random);

 private:
  explicit SigningKeyStore(std::unique_ptr<db::Database> database)
      : database_(std::move(database)) {}
  std::unique_ptr<db::Database> database_;
};

}  // namespace devicetrust::iwa
