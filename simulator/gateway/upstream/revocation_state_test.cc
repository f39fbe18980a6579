#include "simulator/gateway/upstream/revocation_state.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace devicetrust::gateway {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr WallTime kBegin{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};

ca::v1::WatchRevocationsResponse Revoked(const std::string& serial, std::int64_t sequence,
                                         bool more = false) {
  ca::v1::WatchRevocationsResponse message;
  message.add_revocations()->set_serial(serial);
  message.set_sequence(sequence);
  message.set_more(more);
  return message;
}

org::v1::WatchSessionsResponse Changed(std::int64_t sequence, WallTime at,
                                       const std::string& ended_session,
                                       const std::string& deactivated_user) {
  org::v1::WatchSessionsResponse message;
  for (const bool session : {true, false}) {
    org::v1::SessionChange* change = message.add_changes();
    change->mutable_at()->set_seconds(UnixSeconds(at));
    if (session) {
      change->set_ended_session_id(ended_session);
    } else {
      change->set_deactivated_user_id(deactivated_user);
    }
  }
  message.set_sequence(sequence);
  return message;
}

TEST(TimedSetTest, GrowsAndForgets) {
  TimedSet set;
  for (int i = 0; i < 2000; ++i) {
    set.Add({{fmt::format("{:04x}", i), kBegin + seconds{i}}});
  }
  EXPECT_EQ(set.size(), 2000U);
  EXPECT_TRUE(set.Find("0000"));
  EXPECT_TRUE(set.Find("07cf"));
  EXPECT_FALSE(set.Find("07d0"));
  set.Add({{"0000", kBegin - seconds{1}}});
  EXPECT_EQ(set.Find("0000"), kBegin);  // The later moment stays.
  set.Forget(kBegin + seconds{1000});
  EXPECT_FALSE(set.Find("0001"));
  EXPECT_TRUE(set.Find("03e8"));
}

TEST(RevocationStateTest, IsFreshWhenBothStreamsHaveSaidAllThereIs) {
  RevocationState state(minutes{10});
  EXPECT_FALSE(state.IsFresh());
  state.Apply(org::v1::WatchSessionsResponse());
  EXPECT_FALSE(state.IsFresh());
  state.Apply(Revoked("01", 1, /*more=*/true));
  EXPECT_TRUE(state.IsRevoked("01"));
  EXPECT_FALSE(state.IsFresh());
  state.Apply(Revoked("02", 2));
  EXPECT_TRUE(state.IsFresh());
  RevocationState impatient(minutes{0});
  impatient.Apply(ca::v1::WatchRevocationsResponse());
  impatient.Apply(org::v1::WatchSessionsResponse());
  EXPECT_FALSE(impatient.IsFresh());
}

TEST(RevocationStateTest, KeepsWhatItKnowsWhenAStreamBeginsAnew) {
  RevocationState state(minutes{10});
  state.Apply(Revoked("01", 7));
  state.Apply(Changed(9, kBegin, "s-1", "u-1"));
  EXPECT_EQ(state.revocation_sequence(), 7);
  EXPECT_EQ(state.session_sequence(), 9);
  state.Apply(ca::v1::WatchRevocationsResponse());  // A heartbeat goes back to no number.
  EXPECT_EQ(state.revocation_sequence(), 7);
  state.BeginRevocationsAnew();
  state.BeginSessionsAnew();
  EXPECT_EQ(state.revocation_sequence(), 0);
  EXPECT_EQ(state.session_sequence(), 0);
  EXPECT_TRUE(state.IsRevoked("01"));
  EXPECT_TRUE(state.IsEnded("s-1", "u-2", kBegin));
}

TEST(RevocationStateTest, ADeactivationEndsTheSessionsBeforeIt) {
  RevocationState state(minutes{10});
  state.Apply(Changed(1, kBegin, "s-1", "u-1"));
  EXPECT_TRUE(state.IsEnded("s-1", "u-9", kBegin + seconds{5}));
  EXPECT_TRUE(state.IsEnded("s-2", "u-1", kBegin - seconds{5}));
  EXPECT_TRUE(state.IsEnded("s-2", "u-1", kBegin));
  EXPECT_FALSE(state.IsEnded("s-2", "u-1", kBegin + seconds{1}));  // Activated again since.
  EXPECT_FALSE(state.IsEnded("s-2", "u-2", kBegin));
}

TEST(RevocationStateTest, ForgetsEndedSessionsThatAreOverAnyway) {
  RevocationState state(minutes{10});
  for (int i = 0; i < 600; ++i) {  // More than what is held as recent.
    state.Apply(Changed(i, kBegin, fmt::format("s-{}", i), "u-1"));
  }
  const WallTime later = kBegin + std::chrono::hours{13};
  org::v1::WatchSessionsResponse message = Changed(600, later, "s-600", "u-2");
  message.mutable_oldest_session_at()->set_seconds(UnixSeconds(kBegin + seconds{1}));
  state.Apply(message);
  EXPECT_FALSE(state.IsEnded("s-0", "u-9", later));
  EXPECT_TRUE(state.IsEnded("s-600", "u-9", later));
}

}  // namespace
}  // namespace devicetrust::gateway
