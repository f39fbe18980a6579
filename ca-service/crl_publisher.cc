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
constexpr int kLargeCrlShare = 20;        // A large list takes one part in so many of a processor.
constexpr std::chrono::hours kDeltaBaseAge{1};
// How long caches may keep a list: by then a revocation must have come through.
constexpr seconds kCrlCacheAge{60};
constexpr seconds kLargeCrlCacheAge{3600};  // The delta list to it is younger.

WallTime AtSecond(std::int64_t unix_seconds) { return WallTime(seconds(unix_seconds)); }

// An entry stays until it stood on a list that was made after its certificate's end (RFC 5280,
// section 3.3): on one of the lists of the two periods that follow.
std::int64_t EndedBefore(WallTime now, std::chrono::hours lifetime) {
  return UnixSeconds(now - 2 * lifetime);
}

}  // namespace

std::string DeltaListId(const std::string& issuer_id) { return issuer_id + "-delta"; }

CrlPublisher::CrlPublisher(db::Database& database, const Issuers& issuers, const Clock& clock,
                           CrlOptions options)
    : database_(database),
      issuers_(issuers),
      clock_(clock),
      options_(std::move(options)),
      index_(database) {}

absl::StatusOr<std::unique_ptr<CrlPublisher>> CrlPublisher::Start(db::Database& database,
                                                                  const Issuers& issuers,
                                                                  const Clock& clock,
                                                                  CrlOptions options) {
  const milliseconds pace = options.pace;
  std::unique_ptr<CrlPublisher> publisher(
      new CrlPublisher(database, issuers, clock, std::move(options)));
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
  return *made ? BackgroundLoop::Pause(options_.pace) : BackgroundLoop::AtMost(kLookEvery);
}

absl::StatusOr<std::vector<CrlPublisher::Wanted>> CrlPublisher::AllWanted() {
  DT_ASSIGN_OR_RETURN(const auto shards,
                      database_.Read([](db::Transaction& txn) { return CrlShards::All(txn); }));
  std::vector<Wanted> all;
  std::set<std::string> roots;
  const auto issuers = issuers_.Current();
  for (const auto& issuer : issuers->all) {
    const auto sign = [issuer](const pki::Crl& crl, std::span<const std::uint8_t> entries) {
      return issuer->SignCrl(crl, entries);
    };
    const std::string& id = issuer->id();
    all.push_back({id, kCrlLifetime, sign, Wanted::Kind::kComplete, id});
    // Behind the complete list, with which it may share the number.
    if (IsLarge(id)) all.push_back({DeltaListId(id), kCrlLifetime, sign, Wanted::Kind::kDelta, id});
    for (const CrlShard& shard : shards) {
      if (shard.issuer_id != id) continue;
      all.push_back(
          {ShardListId(id, shard.number), kCrlLifetime, sign, Wanted::Kind::kShard, id, shard});
    }
    const std::string& root = issuer->root_id();
    if (!roots.insert(root).second || issuers->offline_roots.contains(root)) continue;
    all.push_back({root, kRootCrlLifetime,
                   [this, root](const pki::Crl& crl, std::span<const std::uint8_t> entries) {
                     return issuers_.SignRootCrl(root, crl, entries);
                   },
                   Wanted::Kind::kRoot, root});
  }
  return all;
}

bool CrlPublisher::IsLarge(const std::string& issuer_id) const {
  return index_.size(issuer_id) > options_.large;
}

absl::StatusOr<bool> CrlPublisher::Publish() {
  DT_RETURN_IF_ERROR(index_.CatchUp());
  DT_ASSIGN_OR_RETURN(const std::vector<Wanted> wanted, AllWanted());
  const WallTime now = clock_.Now();
  const auto current = Current();
  auto lists = std::make_shared<CrlSet>();
  std::vector<Draft> drafts;
  for (const Wanted& one : wanted) {
    const auto known = current->find(one.id);
    if (known != current->end()) lists->insert(*known);
    if (!IsDue(one, known == current->end() ? nullptr : known->second.get(), now)) continue;
    DT_ASSIGN_OR_RETURN(auto before, Before(one, *current));
    drafts.push_back(Prepare(one, std::move(before), now));
    if (one.kind != Wanted::Kind::kDelta || drafts.size() < 2) continue;
    // Complete list and delta that are made together are of one number and one date (section
    // 5.2.3).
    Draft& complete = drafts[drafts.size() - 2];
    if (complete.wanted->id != one.issuer_id) continue;
    Draft& delta = drafts.back();
    delta.shares_number = true;
    delta.crl.this_update = std::max(delta.crl.this_update, complete.crl.this_update);
    complete.crl.this_update = delta.crl.this_update;
  }
  const absl::Status made = Make(drafts, *lists, now);
  const auto issuers = issuers_.Current();
  for (const auto& [root, list] : issuers->offline_roots) {  // As they were brought.
    if (list != nullptr) (*lists)[root] = list;
  }
  const bool changed = *lists != *current;
  const MutexLock lock(mutex_);
  current_ = std::move(lists);
  if (!made.ok()) return made;
  return changed;
}

bool CrlPublisher::IsDue(const Wanted& wanted, const StoredCrl* current, WallTime now) {
  const seconds age_max = wanted.lifetime / 2;
  if (current == nullptr || AtSecond(current->this_update) + age_max <= now) return true;
  const std::int64_t last = wanted.kind == Wanted::Kind::kShard
                                ? index_.LastChange(wanted.issuer_id, wanted.shard.number)
                                : index_.LastChange(wanted.issuer_id);
  if (current->revocation_sequence == last) return false;
  if (wanted.kind != Wanted::Kind::kComplete || !IsLarge(wanted.issuer_id)) return true;
  return std::chrono::steady_clock::now() >= bases_[wanted.issuer_id].next_complete;
}

// After a start, from the store: that list may be of a backup, older than one that clients have.
absl::StatusOr<std::optional<StoredCrl>> CrlPublisher::Before(const Wanted& wanted,
                                                              const CrlSet& current) {
  const auto known = current.find(wanted.id);
  if (known != current.end()) return *known->second;
  return database_.Read(
      [&](db::Transaction& txn) { return CertificateStore(txn).LatestCrl(wanted.id); });
}

CrlPublisher::Draft CrlPublisher::Prepare(const Wanted& wanted, std::optional<StoredCrl> before,
                                          WallTime now) {
  Draft draft{.wanted = &wanted, .crl = {}, .before = std::move(before)};
  pki::Crl& crl = draft.crl;
  crl.this_update = AtSecond(UnixSeconds(now - kCrlBackdate));
  if (draft.before) {
    crl.this_update = std::max(crl.this_update, AtSecond(draft.before->this_update) + seconds(1));
  }
  if (crl.this_update > now) {
    Log(LogLevel::kWarning, "ca.crl.ahead_of_clock",
        {{"issuer", wanted.id}, {"this_update", UnixSeconds(crl.this_update)}});
  }
  crl.next_update = std::max(crl.this_update, AtSecond(UnixSeconds(now))) + wanted.lifetime;
  return draft;
}

// Numbers are taken in a transaction of their own: a crash before the lists are stored leaves a
// gap, never two lists of one number. They are not below the time, so that they grow when the
// store is restored from a backup too (RFC 5280, section 5.2.3).
absl::Status CrlPublisher::Make(std::vector<Draft>& drafts, CrlSet& lists, WallTime now) {
  if (drafts.empty()) return absl::OkStatus();
  const auto first = database_.Write([&](db::Transaction& txn) {
    return db::NextSequences(txn, "crls", std::ssize(drafts), UnixMicros(now));
  });
  if (!first.ok()) return ServeStored(drafts, first.status(), lists, now);
  std::int64_t number = *first;
  absl::Status result;
  std::vector<StoredCrl> made;
  for (std::size_t i = 0; i < drafts.size(); ++i) {
    Draft& draft = drafts[i];
    draft.crl.number = draft.shares_number ? drafts[i - 1].crl.number : number++;
    absl::StatusOr<StoredCrl> list = Sign(draft, now);
    result.Update(list.status());
    if (list.ok()) made.push_back(*std::move(list));
  }
  const absl::Status stored = database_.Write([&](db::Transaction& txn) -> absl::Status {
    for (const StoredCrl& list : made) DT_RETURN_IF_ERROR(CertificateStore(txn).ReplaceCrl(list));
    return absl::OkStatus();
  });
  result.Update(stored);
  if (stored.ok()) {
    for (StoredCrl& list : made) Serve(std::move(list), lists);
  }
  if (result.ok()) return result;
  return ServeStored(drafts, result, lists, now);
}

// The store, or a key, is out of reach. What is served stays; where nothing is, after a start, an
// old list serves better than no CA.
absl::Status CrlPublisher::ServeStored(std::vector<Draft>& drafts, const absl::Status& why,
                                       CrlSet& lists, WallTime now) {
  bool served = false;
  bool missing = false;
  for (Draft& draft : drafts) {
    if (lists.contains(draft.wanted->id)) continue;
    if (draft.before && !draft.before->der.empty()) {
      Serve(*std::move(draft.before), lists);
      served = true;
    } else if (draft.before) {
      // Too large to be stored. Its number is above the one that is, and the next one, which is not
      // below the time, above this.
      draft.crl.number = std::max(draft.before->number + 1, UnixMicros(now));
      auto list = Sign(draft, now);
      (list.ok() ? served : missing) = true;
      if (list.ok()) Serve(*std::move(list), lists);
    } else {
      missing = true;
    }
  }
  if (missing || !served) return why;
  Log(LogLevel::kError, "ca.crl.failed", {{"status", why.ToString()}});
  return absl::OkStatus();
}

void CrlPublisher::Serve(StoredCrl list, CrlSet& lists) {
  kCrlUpdated.With({list.id}).Set(static_cast<double>(list.this_update));
  kCrlBytes.With({list.id}).Set(static_cast<double>(list.der.size()));
  std::string id = list.id;
  lists[std::move(id)] = std::make_shared<const StoredCrl>(std::move(list));
}

absl::StatusOr<StoredCrl> CrlPublisher::Sign(Draft& draft, WallTime now) {
  const auto begin = std::chrono::steady_clock::now();
  const Wanted& wanted = *draft.wanted;
  pki::Crl& crl = draft.crl;
  const CrlIndex::Dates dates{UnixSeconds(crl.this_update), EndedBefore(now, wanted.lifetime)};
  CrlIndex::Entries entries;
  const bool is_large = wanted.kind == Wanted::Kind::kComplete && IsLarge(wanted.issuer_id);
  switch (wanted.kind) {
    case Wanted::Kind::kRoot:  // Of issuers that were taken back.
    case Wanted::Kind::kComplete:
      entries = index_.Complete(wanted.issuer_id, dates);
      if (is_large && !options_.public_url.empty()) {
        crl.delta_url = options_.public_url + CrlPath(DeltaListId(wanted.issuer_id));
      }
      break;
    case Wanted::Kind::kShard:
      entries = index_.Shard(wanted.issuer_id, wanted.shard.number, dates);
      crl.part_urls = {wanted.shard.url};
      break;
    case Wanted::Kind::kDelta: {
      const Bases::Base& base = bases_[wanted.issuer_id].of_delta;
      crl.base_number = base.number;
      entries = index_.Delta(wanted.issuer_id, base.sequence, dates);
      break;
    }
  }
  StoredCrl list{.id = wanted.id,
                 .number = crl.number,
                 .revocation_sequence = entries.sequence,
                 .this_update = UnixSeconds(crl.this_update),
                 .der = {},
                 .next_update = UnixSeconds(crl.next_update),
                 .max_age = is_large ? kLargeCrlCacheAge : kCrlCacheAge};
  DT_ASSIGN_OR_RETURN(list.der, wanted.sign(crl, entries.der));
  if (wanted.kind == Wanted::Kind::kComplete) {
    AdvanceBase(wanted.issuer_id, {crl.number, entries.sequence, now});
    const auto end = std::chrono::steady_clock::now();
    bases_[wanted.issuer_id].next_complete = is_large ? end + kLargeCrlShare * (end - begin) : end;
  }
  kCrlEntries.With({wanted.id}).Set(static_cast<double>(entries.count));
  kCrlNextUpdate.With({wanted.id}).Set(static_cast<double>(list.next_update));
  Log(LogLevel::kInfo, "ca.crl.published",
      {{"issuer", wanted.id}, {"number", list.number}, {"entries", entries.count}});
  return list;
}

// A client that fetched the complete list up to an hour ago can use the delta.
void CrlPublisher::AdvanceBase(const std::string& issuer_id, const Bases::Base& made) {
  Bases& bases = bases_[issuer_id];
  const bool first = bases.next.number == 0;
  if (first || index_.CountAfter(issuer_id, bases.of_delta.sequence) > options_.large) {
    bases.of_delta = made;
    bases.next = made;
  } else if (made.at - bases.next.at >= kDeltaBaseAge) {
    bases.of_delta = std::exchange(bases.next, made);
  }
}

}  // namespace devicetrust::ca
