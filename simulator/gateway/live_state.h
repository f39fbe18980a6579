// What the two streams told: revoked certificates, ended sessions, deactivated people. Fed by
// one thread a stream (feeds.h), read by all others without waiting for either.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "devicetrust/ca/v1/ca.pb.h"
#include "devicetrust/org/v1/sessions.pb.h"
#include "libs/base/clock.h"
#include "simulator/gateway/browser_state.h"
#include "simulator/gateway/snapshot.h"

namespace devicetrust::gateway {

// Name to moment, growing. One writer; readers see immutable snapshots. A small recent part
// is copied at each change, and joins the large one when it is no longer small: a change
// costs little however much there is (100,000 revocations).
class LiveSet {
 public:
  using Map = std::unordered_map<std::string, WallTime>;

  LiveSet();
  // A name that is there already keeps the later moment.
  void Add(const Map& changes);
  // Forgets what is before `moment`.
  void Forget(WallTime moment);
  std::optional<WallTime> Find(const std::string& name) const;
  std::size_t size() const;

 private:
  struct Parts {
    std::shared_ptr<const Map> large;
    std::shared_ptr<const Map> recent;
  };
  Snapshot<Parts> parts_;
};

class LiveState {
 public:
  using Monotonic = std::chrono::steady_clock;

  explicit LiveState(std::chrono::milliseconds age_max) : age_max_(age_max) {}

  // For the feeds: what arrived, now. A heartbeat is a message without changes.
  void Apply(const ca::v1::WatchRevocationsResponse& message);
  void Apply(const org::v1::WatchSessionsResponse& message, WallTime now);
  // The sender's store was replaced: the next message begins from 0. What is known stays.
  void BeginRevocationsAnew() { revocation_sequence_ = 0; }
  void BeginSessionsAnew() { session_sequence_ = 0; }
  std::int64_t revocation_sequence() const { return revocation_sequence_; }
  std::int64_t session_sequence() const { return session_sequence_; }

  bool IsRevoked(const std::string& serial_hex) const;
  // Ended, its user deactivated after it began, or the certificate it proved revoked.
  bool IsOver(const Session& session) const;
  // Both streams said within age_max that this is all. Else nobody is trusted.
  bool IsFresh() const;

 private:
  const std::chrono::milliseconds age_max_;
  LiveSet revoked_;      // Serial to the end of its validity.
  LiveSet ended_;        // Session id to when it ended.
  LiveSet deactivated_;  // User id to when.
  std::atomic<std::int64_t> revocation_sequence_{0};
  std::atomic<std::int64_t> session_sequence_{0};
  // Ticks of Monotonic; the smallest value: never.
  std::atomic<Monotonic::rep> revocations_at_{
      Monotonic::time_point::min().time_since_epoch().count()};
  std::atomic<Monotonic::rep> sessions_at_{Monotonic::time_point::min().time_since_epoch().count()};
};

}  // namespace devicetrust::gateway
