#include "ca-service/crl_publisher.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>

#include "ca-service/metrics.h"
#include "libs/base/log.h"
#include "libs/db/sequence.h"

namespace devicetrust::ca {
namespace {

using std::chrono::seconds;

constexpr std::chrono::milliseconds kLookEvery{1000};  // At the clock, and after a failure.

}  // namespace

absl::StatusOr<std::unique_ptr<CrlPublisher>> CrlPublisher::Start(db::Database& database,
                                                                  const Issuers& issuers,
                                                                  Revocations& revocations,
                                                                  const Clock& clock) {
  std::unique_ptr<CrlPublisher> publisher(new CrlPublisher(database, issuers, revocations, clock));
  DT_RETURN_IF_ERROR(publisher->Publish());
  publisher->thread_ = std::thread([raw = publisher.get()] { raw->Run(); });
  return publisher;
}

CrlPublisher::~CrlPublisher() {
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<const CrlSet> CrlPublisher::Current() {
  const MutexLock lock(mutex_);
  return current_;
}

void CrlPublisher::WhenUpToDate(Receiver receiver) {
  const std::uint64_t generation = revocations_.committed().Generation();
  std::shared_ptr<const CrlSet> lists;
  {
    const MutexLock lock(mutex_);
    if (generation > released_) {
      waiters_.push_back({generation, std::move(receiver)});
      return;
    }
    lists = current_;
  }
  receiver(std::move(lists));
}

void CrlPublisher::Release(std::uint64_t generation) {
  std::vector<Waiter> served;
  std::shared_ptr<const CrlSet> lists;
  {
    const MutexLock lock(mutex_);
    lists = current_;
    released_ = generation;
    const auto first = std::partition(waiters_.begin(), waiters_.end(), [=](const Waiter& waiter) {
      return waiter.generation > generation;
    });
    served.assign(std::move_iterator(first), std::move_iterator(waiters_.end()));
    waiters_.erase(first, waiters_.end());
  }
  for (const Waiter& waiter : served) waiter.receiver(lists);
}

void CrlPublisher::Run() {
  bool failing = false;
  while (!revocations_.committed().stopped()) {
    const std::uint64_t generation = revocations_.committed().Generation();
    const absl::Status status = Publish();
    if (!status.ok() && !failing) {
      Log(LogLevel::kError, "ca.crl.failed", {{"status", status.ToString()}});
    }
    failing = !status.ok();
    Release(generation);
    revocations_.committed().WaitForChange(generation, kLookEvery);
  }
  Release(std::numeric_limits<std::uint64_t>::max());
}

absl::Status CrlPublisher::Publish() {
  const auto current = Current();
  auto lists = std::make_shared<CrlSet>();
  absl::Status result;
  const auto issuers = issuers_.Current();
  for (const auto& issuer : issuers->all) {
    const auto known = current->find(issuer->id());
    const auto before = known == current->end() ? nullptr : known->second;
    auto list = ListOf(*issuer, before);
    if (!list.ok()) result.Update(list.status());
    if (list.ok() || before != nullptr) (*lists)[issuer->id()] = list.ok() ? *list : before;
  }
  const MutexLock lock(mutex_);
  current_ = std::move(lists);
  return result;
}

absl::StatusOr<std::shared_ptr<const StoredCrl>> CrlPublisher::ListOf(
    const Issuer& issuer, const std::shared_ptr<const StoredCrl>& current) {
  const WallTime now = clock_.Now();
  const seconds age_max = kCrlLifetime / 2;
  DT_ASSIGN_OR_RETURN(const std::int64_t sequence, database_.Read([&](db::Transaction& txn) {
    return CertificateStore(txn).LastRevocationBy(issuer.id());
  }));
  const bool fresh = current && current->revocation_sequence == sequence &&
                     current->this_update + age_max.count() > UnixSeconds(now);
  if (fresh) return current;
  // At the start too: the stored list may be of a backup, older than one that clients have.
  absl::StatusOr<StoredCrl> list = Build(issuer, now);
  if (!list.ok() && !current) {
    // The store takes no more now. An old list serves better than no CA.
    const absl::Status failed = list.status();
    DT_ASSIGN_OR_RETURN(auto stored, database_.Read([&](db::Transaction& txn) {
      return CertificateStore(txn).LatestCrl(issuer.id());
    }));
    if (stored) list = *std::move(stored);
    Log(LogLevel::kError, "ca.crl.failed", {{"status", failed.ToString()}});
  }
  if (!list.ok()) return list.status();
  kCrlUpdated.With({issuer.id()}).Set(static_cast<double>(list->this_update));
  kCrlBytes.With({issuer.id()}).Set(static_cast<double>(list->der.size()));
  return std::make_shared<const StoredCrl>(*std::move(list));
}

// The number is taken in a transaction of its own: a crash before the list is stored
// leaves a gap, never two lists of one number. It is not below the time, so that it grows when
// the store is restored from a backup too (RFC 5280, section 5.2.3).
absl::StatusOr<StoredCrl> CrlPublisher::Build(const Issuer& issuer, WallTime now) {
  pki::Crl crl;
  DT_ASSIGN_OR_RETURN(crl.number, database_.Write([now](db::Transaction& txn) {
    return db::NextSequence(txn, "crls", UnixMicros(now));
  }));
  crl.this_update = WallTime(seconds(UnixSeconds(now)));
  crl.next_update = crl.this_update + kCrlLifetime;
  // An entry stays until it stood on a list that was made after its certificate's end (RFC 5280,
  // section 3.3): on one of the lists of the two periods that follow.
  const std::int64_t ended_before = UnixSeconds(now - 2 * kCrlLifetime);
  StoredCrl built{issuer.id(), crl.number, 0, UnixSeconds(now), {}};
  using Entries = std::pair<std::int64_t, std::vector<StoredRevocation>>;
  DT_ASSIGN_OR_RETURN(
      const Entries entries, database_.Read([&](db::Transaction& txn) -> absl::StatusOr<Entries> {
        CertificateStore store(txn);
        DT_ASSIGN_OR_RETURN(const std::int64_t last, store.LastRevocationBy(issuer.id()));
        DT_ASSIGN_OR_RETURN(auto revoked, store.RevokedBy(issuer.id(), ended_before));
        return Entries(last, std::move(revoked));
      }));
  built.revocation_sequence = entries.first;
  crl.revoked.reserve(entries.second.size());
  for (const StoredRevocation& entry : entries.second) {
    crl.revoked.push_back({entry.serial, WallTime(seconds(entry.revoked_at)),
                           static_cast<pki::CrlReason>(entry.reason)});
  }
  DT_ASSIGN_OR_RETURN(built.der, issuer.SignCrl(crl));
  DT_RETURN_IF_ERROR(database_.Write(
      [&](db::Transaction& txn) { return CertificateStore(txn).ReplaceCrl(built); }));
  kCrlEntries.With({issuer.id()}).Set(static_cast<double>(crl.revoked.size()));
  Log(LogLevel::kInfo, "ca.crl.published",
      {{"issuer", issuer.id()}, {"number", built.number}, {"entries", crl.revoked.size()}});
  return built;
}

}  // namespace devicetrust::ca
