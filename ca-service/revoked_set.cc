#include "ca-service/revoked_set.h"

#include <utility>
#include <vector>

#include "ca-service/certificate_store.h"
#include "libs/rpc/error.h"

namespace devicetrust::ca {
namespace {

constexpr std::int64_t kChangesPerRead = 10'000;
constexpr std::chrono::days kReadAfresh{1};

}  // namespace

absl::StatusOr<std::shared_ptr<const RevokedSet::Contents>> RevokedSet::UpToDate() {
  const MutexLock lock(mutex_);
  const WallTime now = clock_.Now();
  const std::int64_t expired = UnixSeconds(now - kKeptAfterExpiry);
  // Also when the clock was set back: by the time before, too much may have been left out.
  if (contents_->sequence != 0 && (now < read_at_ || now - read_at_ >= kReadAfresh)) {
    contents_ = std::make_shared<const Contents>();
  }
  if (contents_->sequence == 0) read_at_ = now;
  std::int64_t sequence = contents_->sequence;
  std::vector<pki::SerialSet::Change> changes;
  std::set<std::string> serials = contents_->serials;
  std::vector<StoredRevocation> page;
  do {
    auto read = database_.Read([&](db::Transaction& txn) {
      return CertificateStore(txn).RevokedAfter(sequence, kChangesPerRead);
    });
    if (!read.ok()) return rpc::StoreError(read.status());
    page = *std::move(read);
    for (const StoredRevocation& change : page) {
      sequence = change.sequence;
      const bool present = !change.released && change.not_after >= expired;
      if (const auto key = pki::SerialKeyOf(change.serial)) {
        changes.push_back({*key, present});
      } else if (present) {
        serials.insert(change.serial);
      } else {
        serials.erase(change.serial);
      }
    }
  } while (std::ssize(page) == kChangesPerRead);
  if (sequence != contents_->sequence) {
    contents_ = std::make_shared<const Contents>(
        Contents{sequence, contents_->keys.With(std::move(changes)), std::move(serials)});
  }
  return contents_;
}

}  // namespace devicetrust::ca
