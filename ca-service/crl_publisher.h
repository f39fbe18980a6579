#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ca-service/certificate_store.h"
#include "ca-service/crl_index.h"
#include "ca-service/crl_shards.h"
#include "ca-service/issuers.h"
#include "libs/base/background_loop.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/db/database.h"

namespace devicetrust::ca {

// How long a list is good from the time it was made. Rebuilt at half of it, or earlier.
inline constexpr std::chrono::hours kCrlLifetime{24};           // Of an issuer's.
inline constexpr std::chrono::hours kRootCrlLifetime{24 * 30};  // Of a root's.

// A list's thisUpdate lies this far back: OpenSSL and nginx refuse every certificate by a list
// that is ahead of their clock.
inline constexpr std::chrono::minutes kCrlBackdate{5};

// Between the makings of two lists. thisUpdate has whole seconds, and NSS goes on with the list
// that it knows when the next one has the same.
inline constexpr std::chrono::milliseconds kCrlPace{1000};

// Entries from which on an issuer's complete list counts as large: it is made no more often than
// its making costs, and delta lists stand beside it.
inline constexpr std::size_t kLargeCrl = 10'000;

struct CrlOptions {
  std::chrono::milliseconds pace = kCrlPace;
  // Of the HTTP listener, no slash at its end: large complete lists then name their delta list.
  std::string public_url = {};
  std::size_t large = kLargeCrl;
};

// The current lists by their ids: Issuer::id(), Issuer::root_id(), ShardListId(), DeltaListId().
using CrlSet = std::map<std::string, std::shared_ptr<const StoredCrl>, std::less<>>;

// What changed since a complete list of an issuer that is an hour old, or somewhat older.
std::string DeltaListId(const std::string& issuer_id);

// Keeps the current CRLs, each made anew as soon as what it says has changed but not sooner than
// `pace` after the last making, so that revocations that come together share a list: the complete
// list of each issuer; the list of each part of its certificates (CrlShards); and the list of each
// root, of issuers that were taken back, for clients that want a list of every CA of a chain. An
// issuer or a part that is new has its list within a second.
//
// A complete list that is large would take all of a processor if it were made for each revocation:
// then it takes a twentieth of one, and what changed since stands in the issuer's delta list
// (RFC 5280, section 5.2.4) and in the lists of parts.
//
// A number names one list for ever; it is stored before the list is served. thisUpdate grows by a
// second at least from list to list of one issuer (docs/adr/0024). Owns one thread. Thread-safe.
class CrlPublisher {
 public:
  // Has all lists once it returns, but for those that a token signs that is away. The references
  // must outlive it.
  static absl::StatusOr<std::unique_ptr<CrlPublisher>> Start(db::Database& database,
                                                             const Issuers& issuers,
                                                             const Clock& clock,
                                                             CrlOptions options = {});
  ~CrlPublisher();  // Stop().
  CrlPublisher(const CrlPublisher&) = delete;
  CrlPublisher& operator=(const CrlPublisher&) = delete;

  using Receiver = std::function<void(std::shared_ptr<const CrlSet>)>;
  // Hands over lists with everything that was revoked before the call, as soon as there are
  // such: at once, or within `pace` on the publisher's thread, so the receiver must not block. A
  // large complete list may be older. The last list when no newer one can be made: it stays true,
  // and a log line tells why.
  void WhenUpToDate(Receiver receiver);

  // Makes no further list; whoever waits for one gets the last. Idempotent.
  void Stop();

 private:
  // A list that there must be.
  struct Wanted {
    std::string id;
    std::chrono::hours lifetime;
    std::function<absl::StatusOr<Bytes>(const pki::Crl&, std::span<const std::uint8_t>)> sign;
    enum class Kind { kRoot, kComplete, kShard, kDelta } kind = Kind::kRoot;
    std::string issuer_id = {};  // Whose certificates it lists: an issuer's, or a root's.
    CrlShard shard = {};
  };
  // A list about to be made.
  struct Draft {
    const Wanted* wanted = nullptr;
    pki::Crl crl;                     // But the number, and what it says.
    std::optional<StoredCrl> before;  // Nothing: it is the first.
    bool shares_number = false;       // With the draft before it.
  };
  // Of one issuer's lists.
  struct Bases {
    struct Base {
      std::int64_t number = 0;
      std::int64_t sequence = 0;
      WallTime at;
    };
    Base of_delta;  // The complete list that the delta is about,
    Base next;      // and the one that will be next.
    std::chrono::steady_clock::time_point next_complete{};  // Not before, while it is large.
  };
  struct Waiter {
    std::uint64_t generation;  // When it came.
    Receiver receiver;
  };

  CrlPublisher(db::Database& database, const Issuers& issuers, const Clock& clock,
               CrlOptions options);

  absl::StatusOr<std::vector<Wanted>> AllWanted();
  std::shared_ptr<const CrlSet> Current();
  BackgroundLoop::Pause Step();
  // Serves those who wait for what was revoked up to `generation`.
  void Release(std::uint64_t generation);
  // True when it made a list.
  absl::StatusOr<bool> Publish();
  bool IsLarge(const std::string& issuer_id) const;
  bool IsDue(const Wanted& wanted, const StoredCrl* current, WallTime now);
  // What there is of it: the list that is served, or the one in the store.
  absl::StatusOr<std::optional<StoredCrl>> Before(const Wanted& wanted, const CrlSet& current);
  static Draft Prepare(const Wanted& wanted, std::optional<StoredCrl> before, WallTime now);
  // Numbers, signs and stores them. Those that can be made are in `lists` afterwards.
  absl::Status Make(std::vector<Draft>& drafts, CrlSet& lists, WallTime now);
  absl::Status ServeStored(std::vector<Draft>& drafts, const absl::Status& why, CrlSet& lists,
                           WallTime now);
  static void Serve(StoredCrl list, CrlSet& lists);
  absl::StatusOr<StoredCrl> Sign(Draft& draft, WallTime now);
  void AdvanceBase(const std::string& issuer_id, const Bases::Base& made);

  db::Database& database_;
  const Issuers& issuers_;
  const Clock& clock_;
  const CrlOptions options_;
  // Of the loop's thread, and of Start() before there is one.
  CrlIndex index_;
  std::map<std::string, Bases> bases_;  // By issuer.
  Mutex mutex_;
  std::shared_ptr<const CrlSet> current_ ABSL_GUARDED_BY(mutex_) = std::make_shared<const CrlSet>();
  // Grows with each commit that revoked something.
  std::uint64_t generation_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t released_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Waiter> waiters_ ABSL_GUARDED_BY(mutex_);
  bool failing_ = false;                // Of the loop's thread.
  std::optional<BackgroundLoop> loop_;  // Uses all of the above.
  db::Watch watch_;                     // Last: it wakes the loop.
};

}  // namespace devicetrust::ca
