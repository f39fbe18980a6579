#include "ca-service/crl_publisher.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>

#include "libs/base/log.h"
#include "libs/db/migrations.h"

namespace devicetrust::ca {
namespace {

using std::chrono::seconds;

constexpr std::chrono::milliseconds kLookEvery{1000};  // At the clock, and after a failure.

}  // namespace

absl::StatusOr<std::unique_ptr<CrlPublisher>> CrlPublisher::Start(db::Database& database,
                                                                  const IssuingCa& ca,
                                                                  Revocations& revocations,
                                                                  const Clock& clock) {
  std::unique_ptr<CrlPublisher> publisher(new CrlPublisher(database, ca, revocations, clock));
  DT_RETURN_IF_ERROR(publisher->Publish());
  publisher->thread_ = std::thread([raw = publisher.get()] { raw->Run(); });
  return publisher;
}

CrlPublisher::~CrlPublisher() {
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<const StoredCrl> CrlPublisher::Current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

void CrlPublisher::WhenUpToDate(Receiver receiver) {
  const std::uint64_t generation = revocations_.committed().Generation();
  std::shared_ptr<const StoredCrl> list;
  {
    const std::lock_guard lock(mutex_);
    if (generation > released_) {
      waiters_.push_back({generation, std::move(receiver)});
      return;
    }
    list = current_;
  }
  receiver(std::move(list));
}

void CrlPublisher::Release(std::uint64_t generation) {
  std::vector<Waiter> served;
  std::shared_ptr<const StoredCrl> list;
  {
    const std::lock_guard lock(mutex_);
    list = current_;
    released_ = generation;
    const auto first = std::partition(waiters_.begin(), waiters_.end(), [=](const Waiter& waiter) {
      return waiter.generation > generation;
    });
    served.assign(std::move_iterator(first), std::move_iterator(waiters_.end()));
    waiters_.erase(first, waiters_.end());
  }
  for (const Waiter& waiter : served) waiter.receiver(list);
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
  const WallTime now = clock_.Now();
  const auto current = Current();
  DT_ASSIGN_OR_RETURN(const std::int64_t sequence, database_.Read([](db::Transaction& txn) {
    return Tables(txn).LastRevocation();
  }));
  const seconds age_max = kCrlLifetime / 2;
  const bool fresh = current && current->revocation_sequence == sequence &&
                     current->this_update + age_max.count() > UnixSeconds(now);
  if (fresh) return absl::OkStatus();
  // At the start too: the stored list may be of a backup, older than one that clients have.
  absl::StatusOr<StoredCrl> list = Build(sequence, now);
  if (!list.ok() && !current) {
    // The store takes no more now. An old list serves better than no CA.
    const absl::Status failed = list.status();
    DT_ASSIGN_OR_RETURN(
        auto stored, database_.Read([](db::Transaction& txn) { return Tables(txn).LatestCrl(); }));
    if (stored) list = *std::move(stored);
    Log(LogLevel::kError, "ca.crl.failed", {{"status", failed.ToString()}});
  }
  if (!list.ok()) return list.status();
  const std::lock_guard lock(mutex_);
  current_ = std::make_shared<const StoredCrl>(*std::move(list));
  return absl::OkStatus();
}

// The number is taken in a transaction of its own: a crash before the list is stored
// leaves a gap, never two lists of one number. It is not below the time, so that it grows when
// the store is restored from a backup too (RFC 5280, section 5.2.3).
absl::StatusOr<StoredCrl> CrlPublisher::Build(std::int64_t sequence, WallTime now) {
  pki::Crl crl;
  DT_ASSIGN_OR_RETURN(crl.number, database_.Write([now](db::Transaction& txn) {
    return db::NextSequence(txn, "crls", UnixMicros(now));
  }));
  crl.this_update = WallTime(seconds(UnixSeconds(now)));
  crl.next_update = crl.this_update + kCrlLifetime;
  // An entry stays until it stood on a list that was made after its certificate's end (RFC 5280,
  // section 3.3): on one of the lists of the two periods that follow.
  const std::int64_t ended_before = UnixSeconds(now - 2 * kCrlLifetime);
  DT_ASSIGN_OR_RETURN(const auto revoked, database_.Read([&](db::Transaction& txn) {
    return Tables(txn).RevokedAfter(0, ended_before, std::numeric_limits<std::int64_t>::max());
  }));
  for (const StoredRevocation& entry : revoked) {
    // A later one waits for the next list: this one is told to hold all up to `sequence`.
    if (entry.sequence > sequence) break;
    crl.revoked.push_back({entry.serial, WallTime(seconds(entry.revoked_at)),
                           static_cast<pki::CrlReason>(entry.reason)});
  }
  StoredCrl built{crl.number, sequence, UnixSeconds(now), {}};
  DT_ASSIGN_OR_RETURN(built.der, ca_.SignCrl(crl));
  DT_RETURN_IF_ERROR(
      database_.Write([&](db::Transaction& txn) { return Tables(txn).ReplaceCrl(built); }));
  Log(LogLevel::kInfo, "ca.crl.published",
      {{"number", built.number}, {"entries", crl.revoked.size()}});
  return built;
}

}  // namespace devicetrust::ca
