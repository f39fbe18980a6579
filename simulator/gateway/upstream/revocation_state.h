// What the two streams told: revoked certificates, ended sessions, deactivated users. Fed by one
// thread per stream (feeds.h), read by all others without waiting for either. Uses libs and the
// contracts; knows no cookie and no connection.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "devicetrust/ca/v1/ca.pb.h"
#include "devicetrust/org/v1/sessions.pb.h"
#include "libs/base/clock.h"
#include "libs/base/snapshot.h"
#include "libs/metrics/metrics.h"
#include "simulator/gateway/upstream/revoked_serials.h"

namespace devicetrust::gateway {

// Maps an id to a time. Append-mostly: entries leave only through Forget(). One writer; readers
// see immutable snapshots. A small recent part is copied at each change, and joins the large one
// when it is no longer small: a change costs little however much there is (100,000 revocations).
class TimedSet {
 public:
  using Map = std::unordered_map<std::string, WallTime>;

  TimedSet();
  // An id that is there already keeps the later time.
  void Add(const Map& changes);
  // Forgets entries whose time is before `moment`, but not the recent ones.
  void Forget(WallTime moment);
  std::optional<WallTime> Find(const std::string& id) const;
  std::size_t size() const;

 private:
  struct Generations {
    std::shared_ptr<const Map> large;
    std::shared_ptr<const Map> recent;
  };
  Snapshot<Generations> generations_;
};

// Thread-safe for readers; each Apply() has one caller at a time.
class RevocationState {
 public:
  using Monotonic = std::chrono::steady_clock;

  // `age_max`: how old the news may be for a device to be trusted. `clock`, which must outlive it,
  // is the one that certificates are judged by: the sender's alone makes nothing forgotten.
  explicit RevocationState(std::chrono::milliseconds age_max, const Clock& clock = SystemTime());

  // For the feeds: what arrived, now. A heartbeat is a message without changes. Parts of a set
  // count once the last one is there, whose message has a sequence number. False: one is
  // none, and the stream must begin anew.
  bool Apply(const ca::v1::WatchRevocationsResponse& message);
  void Apply(const org::v1::WatchSessionsResponse& message);
  // A stream of revocations is opened: parts of a set that came on the one before are dropped.
  void BeginRevocationStream();
  // The sender's store was replaced: the next message begins from 0. What is known stays.
  void BeginRevocationsAnew() { revocation_sequence_ = 0; }
  void BeginSessionsAnew() { session_sequence_ = 0; }
  std::int64_t revocation_sequence() const { return revocation_sequence_; }
  std::int64_t session_sequence() const { return session_sequence_; }

  // Of a certificate whose issuer is one of the CA's. By its whole serial, or the first 12 octets
  // of one that has as many: see RevokedSerials.
  bool IsRevoked(const std::string& serial_hex) const;
  // The session ended, or its user was deactivated after it began.
  bool IsEnded(const std::string& session_id, const std::string& user_id,
               WallTime authenticated_at) const;
  // Both streams said within `age_max` that this is all. Else no device is trusted.
  bool IsFresh() const;

 private:
  static const Clock& SystemTime();
  // Whether one that the sender takes for expired is so here too, and stays it.
  bool MayForget(const ca::v1::Revocation& expired) const;

  const std::chrono::milliseconds age_max_;
  const Clock& clock_;
  RevokedSerials revoked_;
  std::vector<pki::SerialKey> set_keys_;  // Of parts that have come; of Apply() alone.
  std::vector<std::string> set_serials_;
  TimedSet ended_;        // Session id to when it ended.
  TimedSet deactivated_;  // User id to when.
  std::atomic<std::int64_t> revocation_sequence_{0};
  std::atomic<std::int64_t> session_sequence_{0};
  // Ticks of Monotonic; the smallest value: never.
  std::atomic<Monotonic::rep> revocations_at_{
      Monotonic::time_point::min().time_since_epoch().count()};
  std::atomic<Monotonic::rep> sessions_at_{Monotonic::time_point::min().time_since_epoch().count()};
  const std::vector<metrics::Reading> readings_;  // Of the above; last, so they end first.
};

}  // namespace devicetrust::gateway
