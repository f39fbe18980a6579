#include "ca-service/crl_publisher.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "ca-service/metrics.h"
#include "ca-service/revocations.h"
#include "libs/base/log.h"
#include "libs/db/sequence.h"

namespace devicetrust::ca {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kLookEvery{1000};  // At the clock and the issuers, and after a failure.

WallTime AtSecond(std::int64_t unix_seconds) { return WallTime(seconds(unix_seconds)); }

}  // namespace

CrlPublisher::CrlPublisher(db::Database& database, const Issuers& issuers, const Clock& clock,
                           milliseconds pace)
    : database_(database), issuers_(issuers), clock_(clock), pace_(pace) {}

absl::StatusOr<std::unique_ptr<CrlPublisher>> CrlPublisher::Start(db::Database& database,
                                                                  const Issuers& issuers,
                                                                  const Clock& clock,
                                                                  milliseconds pace) {
  std::unique_ptr<CrlPublisher> publisher(new CrlPublisher(database, issuers, clock, pace));
  // An issuer whose key is in a token that is away has its list later: the others are there.
  const absl::Status published = publisher->Publish().status();
  if (!published.ok() && !absl::IsUnavailable(published)) return published;
  CrlPublisher* const self = publisher.get();
  self->loop_.emplace(pace, [self] { return self->Step(); });
  self->watch_ = database.WatchTopic(kRevocationSequence, [self] {
    {
      const MutexLock lock(self->mutex_);
      ++self->generation_;
    }
    self->loop_->Wake();
  });
  return publisher;
}

CrlPublisher::~CrlPublisher() { Stop(); }

void CrlPublisher::Stop() {
  if (loop_) loop_->Stop();
  std::uint64_t last = 0;
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
    last = generation_;
  }
  Release(last);
}

std::shared_ptr<const CrlSet> CrlPublisher::Current() {
  const MutexLock lock(mutex_);
  return current_;
}

void CrlPublisher::WhenUpToDate(Receiver receiver) {
  std::shared_ptr<const CrlSet> lists;
  {
    const MutexLock lock(mutex_);
    if (generation_ > released_ && !stopped_) {
      waiters_.push_back({generation_, std::move(receiver)});
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

BackgroundLoop::Pause CrlPublisher::Step() {
  std::uint64_t generation = 0;
  {
    const MutexLock lock(mutex_);
    generation = generation_;
  }
  const absl::StatusOr<bool> made = Publish();
  if (!made.ok() && !failing_) {
    Log(LogLevel::kError, "ca.crl.failed", {{"status", made.status().ToString()}});
  }
  failing_ = !made.ok();
  Release(generation);
  if (failing_) return kLookEvery;
  return *made ? BackgroundLoop::Pause(pace_) : BackgroundLoop::AtMost(kLookEvery);
}

std::vector<CrlPublisher::Authority> CrlPublisher::Authorities() const {
  std::vector<Authority> authorities;
  std::set<std::string> roots;
  const auto issuers = issuers_.Current();
  for (const auto& issuer : issuers->all) {
    authorities.push_back({issuer->id(), kCrlLifetime,
                           [issuer](const pki::Crl& crl) { return issuer->SignCrl(crl); }});
    const std::string& root = issuer->root_id();
    if (!roots.insert(root).second || issuers->offline_roots.contains(root)) continue;
    authorities.push_back({root, kRootCrlLifetime, [this, root](const pki::Crl& crl) {
                             return issuers_.SignRootCrl(root, crl);
                           }});
  }
  return authorities;
}

absl::StatusOr<bool> CrlPublisher::Publish() {
  const auto current = Current();
  auto lists = std::make_shared<CrlSet>();
  absl::Status result;
  for (const Authority& authority : Authorities()) {
    const auto known = current->find(authority.id);
    const auto before = known == current->end() ? nullptr : known->second;
    auto list = ListOf(authority, before);
    if (!list.ok()) result.Update(list.status());
    if (list.ok() || before != nullptr) (*lists)[authority.id] = list.ok() ? *list : before;
  }
  const auto issuers = issuers_.Current();
  for (const auto& [root, list] : issuers->offline_roots) {  // As they were brought.
    if (list != nullptr) (*lists)[root] = list;
  }
  const bool made = *lists != *current;
  const MutexLock lock(mutex_);
  current_ = std::move(lists);
  if (!result.ok()) return result;
  return made;
}

absl::StatusOr<std::shared_ptr<const StoredCrl>> CrlPublisher::ListOf(
    const Authority& authority, const std::shared_ptr<const StoredCrl>& current) {
  const WallTime now = clock_.Now();
  const seconds age_max = authority.lifetime / 2;
  DT_ASSIGN_OR_RETURN(const std::int64_t sequence, database_.Read([&](db::Transaction& txn) {
    return CertificateStore(txn).LastRevocationBy(authority.id);
  }));
  const bool fresh = current && current->revocation_sequence == sequence &&
                     AtSecond(current->this_update) + age_max > now;
  if (fresh) return current;
  // At the start too: the stored list may be of a backup, older than one that clients have.
  std::optional<StoredCrl> before;
  if (current) {
    before = *current;
  } else {
    DT_ASSIGN_OR_RETURN(before, database_.Read([&](db::Transaction& txn) {
      return CertificateStore(txn).LatestCrl(authority.id);
    }));
  }
  absl::StatusOr<StoredCrl> list = Build(authority, now, before);
  if (!list.ok() && !current && before) {
    // The store takes no more now. An old list serves better than no CA.
    Log(LogLevel::kError, "ca.crl.failed", {{"status", list.status().ToString()}});
    list = *std::move(before);
  }
  if (!list.ok()) return list.status();
  kCrlUpdated.With({authority.id}).Set(static_cast<double>(list->this_update));
  kCrlBytes.With({authority.id}).Set(static_cast<double>(list->der.size()));
  return std::make_shared<const StoredCrl>(*std::move(list));
}

// The number is taken in a transaction of its own: a crash before the list is stored
// leaves a gap, never two lists of one number. It is not below the time, so that it grows when
// the store is restored from a backup too (RFC 5280, section 5.2.3).
absl::StatusOr<StoredCrl> CrlPublisher::Build(const Authority& authority, WallTime now,
                                              const std::optional<StoredCrl>& before) {
  pki::Crl crl;
  DT_ASSIGN_OR_RETURN(crl.number, database_.Write([now](db::Transaction& txn) {
    return db::NextSequence(txn, "crls", UnixMicros(now));
  }));
  crl.this_update = AtSecond(UnixSeconds(now - kCrlBackdate));
  if (before) {
    crl.this_update = std::max(crl.this_update, AtSecond(before->this_update) + seconds(1));
  }
  if (crl.this_update > now) {
    Log(LogLevel::kWarning, "ca.crl.ahead_of_clock",
        {{"issuer", authority.id}, {"this_update", UnixSeconds(crl.this_update)}});
  }
  crl.next_update = std::max(crl.this_update, AtSecond(UnixSeconds(now))) + authority.lifetime;
  // An entry stays until it stood on a list that was made after its certificate's end (RFC 5280,
  // section 3.3): on one of the lists of the two periods that follow.
  const std::int64_t ended_before = UnixSeconds(now - 2 * authority.lifetime);
  StoredCrl built{authority.id, crl.number, 0, UnixSeconds(crl.this_update), {}};
  using Entries = std::pair<std::int64_t, std::vector<StoredRevocation>>;
  DT_ASSIGN_OR_RETURN(
      const Entries entries, database_.Read([&](db::Transaction& txn) -> absl::StatusOr<Entries> {
        CertificateStore store(txn);
        DT_ASSIGN_OR_RETURN(const std::int64_t last, store.LastRevocationBy(authority.id));
        DT_ASSIGN_OR_RETURN(auto revoked, store.RevokedBy(authority.id, ended_before));
        return Entries(last, std::move(revoked));
      }));
  built.revocation_sequence = entries.first;
  crl.revoked.reserve(entries.second.size());
  for (const StoredRevocation& entry : entries.second) {
    crl.revoked.push_back(
        {entry.serial, AtSecond(entry.revoked_at), static_cast<pki::CrlReason>(entry.reason)});
  }
  DT_ASSIGN_OR_RETURN(built.der, authority.sign(crl));
  DT_RETURN_IF_ERROR(database_.Write(
      [&](db::Transaction& txn) { return CertificateStore(txn).ReplaceCrl(built); }));
  kCrlEntries.With({authority.id}).Set(static_cast<double>(crl.revoked.size()));
  kCrlNextUpdate.With({authority.id}).Set(static_cast<double>(UnixSeconds(crl.next_update)));
  Log(LogLevel::kInfo, "ca.crl.published",
      {{"issuer", authority.id}, {"number", built.number}, {"entries", crl.revoked.size()}});
  return built;
}

}  // namespace devicetrust::ca
