#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ca-service/certificate_store.h"
#include "ca-service/ocsp_delegates.h"
#include "libs/base/background_loop.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/db/database.h"
#include "libs/metrics/metrics.h"
#include "libs/pki/ocsp.h"

namespace devicetrust::ca {

// How long an answer is good from the time it was made. A kept one is made anew when it is asked
// for after half of it; nobody waits for that during the quarter that follows.
inline constexpr std::chrono::hours kOcspLifetime{12};
// thisUpdate lies this far back, as that of lists: see kCrlBackdate. So does the time of a
// revocation at least: to NSS and Java a certificate is good until their own clock has reached it.
inline constexpr std::chrono::minutes kOcspBackdate{5};

// One answer as it leaves. Never changes.
struct OcspReply {
  enum class Kind { kGood, kRevoked, kUnknown, kSeveral, kUnauthorized, kTryLater };

  Kind kind = Kind::kTryLater;
  Bytes der;
  std::string etag;  // With its quotes; empty: for this request alone, nobody keeps it.
  WallTime produced_at;
  WallTime next_update;
};

struct OcspOptions {
  std::size_t memory_bytes_max = std::size_t{16} << 20;  // Of kept answers.
  // On the spot, for strangers choose how many they want; and ten times as many for answers to
  // keep.
  std::size_t signatures_per_second = 1000;
  std::size_t waiting_max = 4096;  // Requests that wait for a signature.
};

// Answers what certificates are worth (RFC 6960), each in the name of its issuer's delegate.
//
// A request about one certificate without a nonce gets an answer that is kept in memory, by the
// CertID as it was asked, so that it is signed once in hours, ahead of its end (RFC 5019). Other
// requests, and those
// about a serial that nobody issued, are signed on the spot, as many a second as OcspOptions
// allow; beyond it a nonce goes unanswered, and what has no kept answer is told to try later.
//
// No answer says good once a revocation of that certificate is committed: from the commit on, kept
// answers rest until what was revoked is known here, a moment later. Owns one thread, which reads
// the store and signs. Thread-safe.
class OcspResponder {
 public:
  using Reply = std::shared_ptr<const OcspReply>;
  using Receiver = std::function<void(Reply)>;

  // The references must outlive it. Errors: those of the store.
  static absl::StatusOr<std::unique_ptr<OcspResponder>> Start(db::Database& database,
                                                              const OcspDelegates& delegates,
                                                              const Clock& clock,
                                                              OcspOptions options = {});
  ~OcspResponder();  // Stop().
  OcspResponder(const OcspResponder&) = delete;
  OcspResponder& operator=(const OcspResponder&) = delete;

  // The answer that is kept for just this request; it is made anew behind it when it is time.
  // Null: Answer() has one. Never blocks.
  Reply Kept(const pki::OcspRequest& request);

  // Hands over an answer, at once or on the responder's thread, so the receiver must not block.
  void Answer(pki::OcspRequest request, Receiver receiver);

  // Whoever waits is told to try later. Idempotent.
  void Stop();

 private:
  struct Job {
    pki::OcspRequest request;
    Receiver receiver;  // Null: nobody waits, the answer is to be kept.
  };
  // What is kept of one certificate: an answer for each form in which it was asked, four at most.
  struct KeptCertificate {
    std::string serial;  // Octets of the INTEGER.
    std::vector<std::pair<Bytes, Reply>> answers;
    std::size_t bytes = 0;
    bool renewing = false;  // A job for it waits.
  };
  // The one asked for last first.
  using KeptList = std::list<KeptCertificate>;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  // So many a second, and as many at once. Of the loop's thread.
  class Budget {
   public:
    explicit Budget(std::size_t per_second) : per_second_(static_cast<double>(per_second)) {}
    bool Take();

   private:
    const double per_second_;
    double left_ = per_second_;
    std::chrono::steady_clock::time_point filled_ = std::chrono::steady_clock::now();
  };
  using Statuses = std::unordered_map<std::string, std::optional<StoredCertificate>>;

  OcspResponder(db::Database& database, const OcspDelegates& delegates, const Clock& clock,
                OcspOptions options);

  BackgroundLoop::Pause Step();
  // Forgets the answers about what was revoked up to now.
  absl::Status CatchUp();
  // What is stored of every certificate that they ask about.
  absl::StatusOr<Statuses> Look(const std::vector<Job>& jobs) const;
  struct Served {
    Reply reply;                 // Null: there is none.
    std::string_view signature;  // As metrics say it.
  };
  Served Serve(const pki::OcspRequest& request, const absl::StatusOr<Statuses>& statuses);
  Served ServeKnown(const pki::OcspRequest& request, const OcspDelegate& delegate,
                    const Statuses& statuses);
  // Null when it can't be signed.
  Reply Sign(const pki::OcspRequest& request, const OcspDelegate& delegate,
             std::span<const std::uint8_t> nonce, const Statuses& statuses) const;
  // In its first half; in the quarter that follows; while clients take it.
  enum class Age { kFresh, kRipe, kStillGood };
  Reply FindKept(const pki::OcspCertId& id, Age age_max);
  // Once for each certificate until that is done.
  void RenewBehind(const pki::OcspRequest& request);
  void SetRenewed(const pki::OcspCertId& id);
  void Keep(const pki::OcspCertId& id, Reply reply);
  void Forget(std::string_view serial) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Shrink() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  db::Database& database_;
  const OcspDelegates& delegates_;
  const Clock& clock_;
  const OcspOptions options_;
  const Reply try_later_;
  const Reply unauthorized_;

  // Of the loop's thread.
  std::int64_t sequence_ = 0;  // Of the last revocation that is known here.
  bool failing_ = false;
  Budget on_the_spot_;
  Budget to_keep_;

  std::atomic<std::uint64_t> committed_{0};  // Grows with each commit that revoked something.
  Mutex mutex_;
  std::uint64_t known_ ABSL_GUARDED_BY(mutex_) = 0;  // Up to where kept answers are true.
  KeptList kept_ ABSL_GUARDED_BY(mutex_);
  std::unordered_map<std::string_view, KeptList::iterator, Hash> by_serial_
      ABSL_GUARDED_BY(mutex_);  // Keys lie in the list.
  std::size_t kept_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Job> waiting_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<BackgroundLoop> loop_;  // Uses all of the above.
  db::Watch watch_;                     // It wakes the loop.
  metrics::Reading kept_reading_;       // Last, as the next: they read the above.
  metrics::Reading bytes_reading_;
};

}  // namespace devicetrust::ca
