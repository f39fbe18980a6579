#include "simulator/gateway/upstream/revocation_state.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "libs/testing/settable_clock.h"

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

std::string LongSerial(std::uint64_t number) {
  return fmt::format("019a00000000{:012x}{:016x}", number * 0x9e3779b97f4a7c15ULL >> 16, number);
}

TEST(RevokedSerialsTest, ManyChangesOneByOneLikeASet) {
  RevokedSerials revoked;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const std::vector<RevokedSerials::Change> change = {{LongSerial(i), true},
                                                        {LongSerial(i / 2), i % 3 != 0}};
    revoked.Apply(change);
    EXPECT_TRUE(i < 2 || revoked.Contains(LongSerial(i)));
    EXPECT_EQ(revoked.Contains(LongSerial(i / 2)), i % 3 != 0);
  }
  std::size_t count = 0;
  for (std::uint64_t i = 0; i < 2000; ++i) count += revoked.Contains(LongSerial(i)) ? 1 : 0;
  EXPECT_EQ(revoked.size(), count);
  EXPECT_FALSE(revoked.Contains(LongSerial(2000)));
}

ca::v1::WatchRevocationsResponse Part(const std::vector<std::uint64_t>& numbers,
                                      std::int64_t sequence) {
  std::vector<pki::SerialKey> keys;
  for (const std::uint64_t number : numbers) {
    keys.push_back(pki::SerialKeyOf(LongSerial(number)).value());
  }
  ca::v1::WatchRevocationsResponse message;
  auto parts = pki::SerialSet::Of(std::move(keys)).Encode(100);
  message.mutable_set()->set_keys(parts.empty() ? "" : parts.at(0));
  message.set_sequence(sequence);
  message.set_more(true);
  return message;
}

TEST(RevocationStateTest, ForgetsWhatTheCaSaysHasExpired) {
  const testing::SettableClock clock(kBegin + std::chrono::days{8});
  RevocationState state(minutes{10}, clock);
  EXPECT_TRUE(state.Apply(Part({1, 2}, 7)));
  state.Apply(Revoked("0b", 8));
  ca::v1::WatchRevocationsResponse message;
  for (const std::string& serial : {LongSerial(1), std::string("0b")}) {
    ca::v1::Revocation& expired = *message.add_revocations();
    expired.set_serial(serial);
    expired.set_expired(true);
    expired.mutable_not_after()->set_seconds(UnixSeconds(kBegin));
  }
  EXPECT_TRUE(state.Apply(message));
  EXPECT_FALSE(state.IsRevoked(LongSerial(1)));
  EXPECT_FALSE(state.IsRevoked("0b"));
  EXPECT_TRUE(state.IsRevoked(LongSerial(2)));
  EXPECT_EQ(state.revocation_sequence(), 8);
}

TEST(RevocationStateTest, ForgetsNothingThatIsGoodByItsOwnClock) {
  const testing::SettableClock clock(kBegin);
  RevocationState state(minutes{10}, clock);
  state.Apply(Revoked("0b", 8));
  state.Apply(Revoked("0c", 9));
  ca::v1::WatchRevocationsResponse message;
  message.add_revocations()->set_serial("0b");
  message.add_revocations()->set_serial("0c");
  for (ca::v1::Revocation& expired : *message.mutable_revocations()) expired.set_expired(true);
  // A session that it proved may go on.
  message.mutable_revocations(0)->mutable_not_after()->set_seconds(UnixSeconds(kBegin) - 60);
  EXPECT_TRUE(state.Apply(message));
  EXPECT_TRUE(state.IsRevoked("0b"));
  EXPECT_TRUE(state.IsRevoked("0c"));  // Nobody says when it ended.
}

TEST(RevocationStateTest, TakesASetWhenItsLastPartIsThere) {
  RevocationState state(minutes{10});
  state.Apply(org::v1::WatchSessionsResponse());
  EXPECT_TRUE(state.Apply(Part({1, 2}, 0)));
  EXPECT_FALSE(state.IsRevoked(LongSerial(1)));
  auto last = Part({3}, 7);
  last.mutable_set()->add_serials("0a");
  EXPECT_TRUE(state.Apply(last));
  for (const std::uint64_t number : {1, 2, 3}) EXPECT_TRUE(state.IsRevoked(LongSerial(number)));
  EXPECT_TRUE(state.IsRevoked("0a"));
  EXPECT_FALSE(state.IsRevoked(LongSerial(4)));
  EXPECT_EQ(state.revocation_sequence(), 7);
  EXPECT_FALSE(state.IsFresh());  // What came since is not yet told.
  state.Apply(ca::v1::WatchRevocationsResponse());
  EXPECT_TRUE(state.IsFresh());
}

TEST(RevocationStateTest, DropsThePartsOfAStreamThatBroke) {
  RevocationState state(minutes{10});
  EXPECT_TRUE(state.Apply(Part({1}, 0)));
  state.BeginRevocationStream();  // Meanwhile 1 was released.
  EXPECT_TRUE(state.Apply(Part({2}, 8)));
  EXPECT_FALSE(state.IsRevoked(LongSerial(1)));
  EXPECT_TRUE(state.IsRevoked(LongSerial(2)));
  ca::v1::WatchRevocationsResponse bad = Part({3}, 9);
  bad.mutable_set()->set_keys("\xff\xff");
  EXPECT_FALSE(state.Apply(bad));
  EXPECT_EQ(state.revocation_sequence(), 8);
}

// A set of an older store must not make good what a newer one revoked.
TEST(RevocationStateTest, ASetAddsToWhatIsKnown) {
  RevocationState state(minutes{10});
  EXPECT_TRUE(state.Apply(Part({1}, 5)));
  state.Apply(Revoked(LongSerial(2), 6));
  state.BeginRevocationsAnew();
  EXPECT_TRUE(state.Apply(Part({3}, 4)));
  for (const std::uint64_t number : {1, 2, 3}) EXPECT_TRUE(state.IsRevoked(LongSerial(number)));
}

TEST(RevocationStateTest, AReleasedCertificateIsGoodAtOnce) {
  RevocationState state(minutes{10});
  EXPECT_TRUE(state.Apply(Part({1}, 5)));
  auto released = Revoked(LongSerial(1), 6);
  released.mutable_revocations(0)->set_released(true);
  state.Apply(released);
  EXPECT_FALSE(state.IsRevoked(LongSerial(1)));
  state.Apply(Revoked(LongSerial(1), 7));  // Held again.
  EXPECT_TRUE(state.IsRevoked(LongSerial(1)));
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
