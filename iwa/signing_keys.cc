#include "iwa/signing_keys.h"

#include <algorithm>
#include <optional>

#include "libs/base/log.h"

namespace devicetrust::iwa {
namespace {

bool Signs(const StoredKey& key) { return key.signs_from && !key.retired_at; }
bool IsNext(const StoredKey& key) { return !key.signs_from && !key.retired_at; }

// Exactly one signs. Several are there when a release before rotation made them: the newest signed.
void ChooseSigner(std::vector<StoredKey>& keys, WallTime now) {
  bool chosen = false;
  for (StoredKey& key : keys) {  // Newest first.
    if (!Signs(key)) continue;
    if (chosen) key.retired_at = now;
    chosen = true;
  }
  if (chosen) return;
  for (StoredKey& key : keys) {
    if (key.retired_at) continue;
    if (chosen) {
      key.retired_at = now;
      continue;
    }
    key.signs_from = now;
    chosen = true;
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<SigningKeys>> SigningKeys::Open(SigningKeyStore& store,
                                                               std::string urn,
                                                               std::chrono::seconds lifetime,
                                                               const Clock& clock, Random& random) {
  std::unique_ptr<SigningKeys> keys(
      new SigningKeys(store, std::move(urn), lifetime, clock, random));
  DT_ASSIGN_OR_RETURN(std::vector<StoredKey> stored, store.Load());
  if (std::ranges::none_of(stored, [](const StoredKey& key) { return !key.retired_at; })) {
    DT_ASSIGN_OR_RETURN(StoredKey first, store.Make(clock, random));
    stored.insert(stored.begin(), std::move(first));
  }
  ChooseSigner(stored, clock.Now());
  const MutexLock lock(keys->changes_);
  DT_RETURN_IF_ERROR(keys->Adopt(std::move(stored)));
  return keys;
}

std::shared_ptr<const KeyRing> SigningKeys::ring() const {
  const MutexLock lock(mutex_);
  return ring_;
}

absl::StatusOr<std::shared_ptr<const KeyRing>> SigningKeys::ToSign() const {
  const MutexLock lock(mutex_);
  if (!forbidden_.ok()) return forbidden_;
  return ring_;
}

void SigningKeys::Forbid(absl::Status why) {
  const MutexLock lock(mutex_);
  forbidden_ = std::move(why);
}

absl::Status SigningKeys::forbidden() const {
  const MutexLock lock(mutex_);
  return forbidden_;
}

absl::Status SigningKeys::Advance() {
  const MutexLock lock(changes_);
  const WallTime now = clock_.Now();
  std::vector<StoredKey> keys = ring()->keys;
  bool changed = std::erase_if(keys, [now](const StoredKey& key) {
                   return key.retired_at && now >= *key.retired_at + kKeptAfterUse;
                 }) > 0;
  StoredKey& signer = *std::ranges::find_if(keys, Signs);
  if (now >= *signer.signs_from + lifetime_) {
    const auto next = std::ranges::find_if(keys, IsNext);
    if (next == keys.end()) {
      DT_ASSIGN_OR_RETURN(StoredKey made, store_.Make(clock_, random_));
      keys.insert(keys.begin(), std::move(made));
      changed = true;
    } else if (next->published_at && now >= *next->published_at + kPublishedBeforeUse) {
      next->signs_from = now;
      signer.retired_at = now;
      changed = true;
      Log(LogLevel::kInfo, "iwa.signing_key.rotated",
          {{"from", signer.key.kid}, {"to", next->key.kid}});
    }
  }
  return changed ? Adopt(std::move(keys)) : absl::OkStatus();
}

absl::Status SigningKeys::NotePublished(const std::vector<std::string>& kids) {
  const MutexLock lock(changes_);
  std::vector<StoredKey> keys = ring()->keys;
  bool changed = false;
  for (StoredKey& key : keys) {
    if (key.published_at || std::ranges::find(kids, key.key.kid) == kids.end()) continue;
    key.published_at = clock_.Now();
    changed = true;
  }
  return changed ? Adopt(std::move(keys)) : absl::OkStatus();
}

absl::Status SigningKeys::Adopt(std::vector<StoredKey> keys) {
  DT_RETURN_IF_ERROR(store_.Keep(keys));
  auto ring = std::make_shared<KeyRing>();
  for (const StoredKey& key : keys)
    ring->verifiers.Add(key.key.kid, urn_, key.key.key.public_key());
  ring->signing = static_cast<std::size_t>(std::ranges::find_if(keys, Signs) - keys.begin());
  ring->keys = std::move(keys);
  const MutexLock lock(mutex_);
  ring_ = std::move(ring);
  return absl::OkStatus();
}

}  // namespace devicetrust::iwa
