// Which key of the IWA signs tokens, and whose signatures are good.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "iwa/signing_key_store.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/token/claims.h"
#include "libs/token/key_set.h"

namespace devicetrust::iwa {

// What verifies a token may know of a new key no sooner than this.
inline constexpr std::chrono::minutes kPublishedBeforeUse{10};
// Until the last token has expired, also by a clock that is late.
inline constexpr std::chrono::minutes kKeptAfterUse{10};
static_assert(kKeptAfterUse > token::kUserTokenLifetime + token::kClockSkew);

// Never changes.
struct KeyRing {
  std::vector<StoredKey> keys;  // Newest first.
  std::size_t signing = 0;      // Of `keys`.
  token::KeySet verifiers;      // All of them, retired ones too.

  const token::SigningKey& signer() const { return keys[signing].key; }
};

// Keys rotate: when the one that signs has signed for its lifetime, the next one is made; once the
// org has known that for kPublishedBeforeUse it signs, and the one before stays good for
// kKeptAfterUse. Each step is in the store before it counts, so that a restart at any moment goes
// on with it. A lone first key signs at once: there is no other.
//
// Who has lost its name to another process (IWA_NAME_TAKEN) signs nothing. Thread-safe.
class SigningKeys {
 public:
  // `urn`: the issuer of tokens. `store`, `clock` and `random` outlive it. Errors as of the store.
  static absl::StatusOr<std::unique_ptr<SigningKeys>> Open(SigningKeyStore& store, std::string urn,
                                                           std::chrono::seconds lifetime,
                                                           const Clock& clock, Random& random);

  std::shared_ptr<const KeyRing> ring() const;
  // The ring to sign with; the error of Forbid().
  absl::StatusOr<std::shared_ptr<const KeyRing>> ToSign() const;

  // Nothing is signed while `why` is an error.
  void Forbid(absl::Status why);
  absl::Status forbidden() const;

  // What time has made of the keys. An error leaves them as they were.
  absl::Status Advance();
  // The org knows these.
  absl::Status NotePublished(const std::vector<std::string>& kids);

 private:
  SigningKeys(SigningKeyStore& store, std::string urn, std::chrono::seconds lifetime,
              const Clock& clock, Random& random)
      : store_(store), urn_(std::move(urn)), lifetime_(lifetime), clock_(clock), random_(random) {}

  // Makes `keys` the ring, in the store first.
  absl::Status Adopt(std::vector<StoredKey> keys);

  SigningKeyStore& store_;
  const std::string urn_;
  const std::chrono::seconds lifetime_;
  const Clock& clock_;
  Random& random_;

  Mutex changes_;  // Held for a whole change.
  mutable Mutex mutex_;
  std::shared_ptr<const KeyRing> ring_ ABSL_GUARDED_BY(mutex_);
  absl::Status forbidden_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace devicetrust::iwa
