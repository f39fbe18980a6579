#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "devicetrust/org/v1/gateway_keys.pb.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/random.h"
#include "libs/db/database.h"
#include "libs/pki/aead.h"
#include "libs/token/key_set.h"

namespace devicetrust::policy {

// A new cookie key every so often; the old one opens what it sealed until the next.
inline constexpr std::chrono::hours kCookieKeyLifetime{24 * 7};
// A new key is handed out this long before it seals, so that every gateway has it by then.
inline constexpr std::chrono::minutes kCookieKeyLead{5};

// The keys that all gateways share, but for those of SAML (saml_keys.h): made here, sealed in the
// store under the key-encryption key, handed to gateways over the internal listener. Thread-safe.
class GatewayKeys {
 public:
  // Loads the keys, or makes the first ones.
  // kPermissionDenied, kNotFound: sealed under another key-encryption key; the message says so.
  static absl::StatusOr<std::unique_ptr<GatewayKeys>> Create(db::Database& database,
                                                             pki::AeadKey kek, std::string org_id,
                                                             const Clock& clock, Random& random);

  // For GetGatewayKeys, without those of SAML. Makes a new cookie key when one is due.
  absl::StatusOr<org::v1::GetGatewayKeysResponse> Current();

  // What proofs are verified with.
  const token::KeySet& proof_keys() const { return proof_keys_; }

 private:
  struct CookieKey {
    std::string kid;
    Bytes secret;
    WallTime created_at;
  };

  GatewayKeys(db::Database& database, pki::AeadKey kek, std::string org_id, const Clock& clock,
              Random& random)
      : database_(database),
        kek_(std::move(kek)),
        org_id_(std::move(org_id)),
        clock_(clock),
        random_(random) {}

  absl::Status Load() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status MakeMissing() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<std::string> Store(const std::string& kind, std::span<const std::uint8_t> secret);
  absl::Status MakeCookieKey() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status MakeProofKey();
  std::string Purpose(std::string_view kind, std::string_view kid) const;

  db::Database& database_;
  const pki::AeadKey kek_;
  const std::string org_id_;
  const Clock& clock_;
  Random& random_;

  token::KeySet proof_keys_;                         // Constant after Create().
  std::vector<org::v1::SigningKey> proof_messages_;  // Newest first, these too.
  Mutex mutex_;
  std::vector<CookieKey> cookie_keys_ ABSL_GUARDED_BY(mutex_);  // Newest first.
};

}  // namespace devicetrust::policy
