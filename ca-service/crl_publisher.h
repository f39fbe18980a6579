#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ca-service/certificate_store.h"
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

// The current list of each issuer and of each root, by its id.
using CrlSet = std::map<std::string, std::shared_ptr<const StoredCrl>, std::less<>>;

// Keeps the current CRLs: the list of each issuer, made anew as soon as one of its certificates is
// revoked but not sooner than `pace` after the last making, so that revocations that come together
// share a list; and the list of each root, which names no issuer as taken back and is for clients
// that want a list of every CA of a chain. An issuer that is new has its list within a second.
//
// A number names one list for ever; it is stored before the list is served. thisUpdate grows by a
// second at least from list to list of one issuer (docs/adr/0024). Owns one thread. Thread-safe.
class CrlPublisher {
 public:
  // Has all lists once it returns, but for those that a token signs that is away. The references
  // must outlive it.
  static absl::StatusOr<std::unique_ptr<CrlPublisher>> Start(
      db::Database& database, const Issuers& issuers, const Clock& clock,
      std::chrono::milliseconds pace = kCrlPace);
  ~CrlPublisher();  // Stop().
  CrlPublisher(const CrlPublisher&) = delete;
  CrlPublisher& operator=(const CrlPublisher&) = delete;

  using Receiver = std::function<void(std::shared_ptr<const CrlSet>)>;
  // Hands over lists with everything that was revoked before the call, as soon as there are
  // such: at once, or within `pace` on the publisher's thread, so the receiver must not block. An
  // issuer's last list when no newer one can be made: it stays true, and a log line tells why.
  void WhenUpToDate(Receiver receiver);

  // Makes no further list; whoever waits for one gets the last. Idempotent.
  void Stop();

 private:
  // Who signs a list: an issuer or a root.
  struct Authority {
    std::string id;
    std::chrono::hours lifetime;  // Of its lists.
    std::function<absl::StatusOr<Bytes>(const pki::Crl&)> sign;
  };
  struct Waiter {
    std::uint64_t generation;  // When it came.
    Receiver receiver;
  };

  CrlPublisher(db::Database& database, const Issuers& issuers, const Clock& clock,
               std::chrono::milliseconds pace);

  std::vector<Authority> Authorities() const;
  std::shared_ptr<const CrlSet> Current();
  BackgroundLoop::Pause Step();
  // Serves those who wait for what was revoked up to `generation`.
  void Release(std::uint64_t generation);
  // True when it made a list.
  absl::StatusOr<bool> Publish();
  // `current` while it is fresh, else a new one.
  absl::StatusOr<std::shared_ptr<const StoredCrl>> ListOf(
      const Authority& authority, const std::shared_ptr<const StoredCrl>& current);
  absl::StatusOr<StoredCrl> Build(const Authority& authority, WallTime now,
                                  const std::optional<StoredCrl>& before);

  db::Database& database_;
  const Issuers& issuers_;
  const Clock& clock_;
  const std::chrono::milliseconds pace_;
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
