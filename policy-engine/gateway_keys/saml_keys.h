#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "devicetrust/org/v1/gateway_keys.pb.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/random.h"
#include "libs/db/database.h"
#include "libs/pki/aead.h"
#include "libs/rpc/caller.h"
#include "policy-engine/log/events.h"

namespace devicetrust::policy {

// Longer than service providers keep metadata (a day, by what it says), so that they know a key
// before it signs, and the one before it for as long as they may have stayed away.
inline constexpr std::chrono::hours kSamlKeyLead{24 * 7};

// The keys that SAML answers are signed with, of two kinds, RSA and P-256: made here, sealed in the
// store under the key-encryption key. Of each kind one signs; one may wait for its day, and others
// are still in the metadata. Thread-safe.
class SamlKeys {
 public:
  struct Parts {
    db::Database& database;
    EventSink& events;
    const Clock& clock;
    Random& random;
  };

  // Loads the keys, or makes the first ones: an RSA-2048 key takes up to a second.
  // kPermissionDenied, kNotFound: sealed under another key-encryption key; the message says so.
  static absl::StatusOr<std::unique_ptr<SamlKeys>> Create(Parts parts, pki::AeadKey kek,
                                                          std::string org_id);

  // For GetGatewayKeys.
  void AddTo(org::v1::GetGatewayKeysResponse& response) const;

  // The contract (devicetrust.org.v1.SamlKeyService) says what each does and refuses.
  absl::StatusOr<org::v1::ListSamlKeysResponse> List() const;
  absl::StatusOr<org::v1::RotateSamlKeyResponse> Rotate(
      const rpc::Caller& admin, const org::v1::RotateSamlKeyRequest& request);
  absl::StatusOr<org::v1::ActivateSamlKeyResponse> Activate(
      const rpc::Caller& admin, const org::v1::ActivateSamlKeyRequest& request);
  absl::StatusOr<org::v1::RetireSamlKeyResponse> Retire(
      const rpc::Caller& admin, const org::v1::RetireSamlKeyRequest& request);

 private:
  struct Key {
    std::string kid;
    org::v1::SamlKeyKind kind = org::v1::SAML_KEY_KIND_RSA;
    std::string private_key_pem;
    std::string certificate_pem;
    WallTime created_at;
    WallTime signs_from;
    std::optional<WallTime> retires_at;
  };
  using Keys = std::vector<Key>;  // Newest first.

  SamlKeys(Parts parts, pki::AeadKey kek, std::string org_id)
      : parts_(parts), kek_(std::move(kek)), org_id_(std::move(org_id)) {}

  absl::Status Load() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Key> MakeKey(org::v1::SamlKeyKind kind) const;
  // Makes `after` what the store and this have, with `event`.
  absl::Status Change(Keys after, org::v1::Event event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Makes `after` of the `before` that the store has.
  absl::Status Write(db::Transaction& txn, const Keys& before, const Keys& after) const;
  absl::Status WriteKey(db::Transaction& txn, const Key& key) const;
  org::v1::SamlKey Message(const Keys& keys, const Key& key) const;
  org::v1::Event AdminEvent(std::string_view type, std::string_view message,
                            const rpc::Caller& admin, const Key& key) const;
  static const Key* SignerOf(const Keys& keys, org::v1::SamlKeyKind kind, WallTime now);

  const Parts parts_;
  const pki::AeadKey kek_;
  const std::string org_id_;
  mutable Mutex mutex_;
  Keys keys_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace devicetrust::policy
