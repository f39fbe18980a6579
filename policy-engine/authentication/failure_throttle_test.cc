#include "policy-engine/authentication/failure_throttle.h"

#include <gtest/gtest.h>

namespace devicetrust::policy {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class FailureThrottleTest : public ::testing::Test {
 protected:
  static FailureThrottle::Attempt Of(const std::string& account, const std::string& network) {
    return {account, account, network, false};
  }
  static FailureThrottle::Attempt Known(const std::string& account, const std::string& network) {
    return {account, account, network, true};
  }
  static FailureThrottle::Attempt Nobody(const std::string& name, const std::string& network) {
    return {"", name, network, false};
  }
  // One attempt with a wrong password. False: it was not let through.
  bool Fail(const FailureThrottle::Attempt& attempt) {
    if (throttle_.Begin(attempt, now_)) return false;
    throttle_.Failed(attempt, now_);
    return true;
  }
  bool Succeed(const FailureThrottle::Attempt& attempt) {
    if (throttle_.Begin(attempt, now_)) return false;
    throttle_.Succeeded(attempt);
    return true;
  }
  int FailMany(const FailureThrottle::Attempt& attempt, int count) {
    int tried = 0;
    for (int i = 0; i < count; ++i) tried += Fail(attempt) ? 1 : 0;
    return tried;
  }

  WallTime now_{seconds{1'800'000'000}};
  FailureThrottle throttle_{{}, Bytes(16, 7)};
};

// Directories lock at five in a row: a stranger and one slip of the owner must stay below.
TEST_F(FailureThrottleTest, StaysBelowWhatDirectoriesLockAt) {
  int wrong = 0;
  for (int i = 0; i < 100; ++i) {
    wrong += Fail(Of("ada", "192.0.2." + std::to_string(i))) ? 1 : 0;
  }
  wrong += Fail(Known("ada", "198.51.100.7")) ? 1 : 0;
  EXPECT_LT(wrong, 5);
  EXPECT_TRUE(Succeed(Known("ada", "198.51.100.7")));
}

TEST_F(FailureThrottleTest, RefusesAnAccountUntilItWasLeftInPeace) {
  EXPECT_EQ(FailMany(Of("ada", "192.0.2.1"), 50), 3);
  now_ += minutes{10};
  const auto wait = throttle_.Begin(Of("ada", "192.0.2.1"), now_);
  ASSERT_TRUE(wait);
  EXPECT_EQ(*wait, minutes{20});
  now_ += minutes{20};
  EXPECT_EQ(FailMany(Of("ada", "192.0.2.1"), 50), 3);
  // A directory counts on while less than its window lies between two wrong ones.
  now_ += minutes{30};
  EXPECT_EQ(FailMany(Of("ada", "192.0.2.1"), 2), 2);
  now_ += minutes{29};
  EXPECT_EQ(FailMany(Of("ada", "192.0.2.1"), 50), 1);
}

// The owner of an account signs in from home while strangers guess at it from everywhere.
TEST_F(FailureThrottleTest, LetsTheOwnerInWhileStrangersGuess) {
  for (int i = 0; i < 1000; ++i) {
    Fail(Of("ada", "192.0.2." + std::to_string(i)));
    if (i % 100 != 0) continue;
    EXPECT_TRUE(Succeed(Known("ada", "198.51.100.7"))) << i;
  }
}

// Nothing that a stranger does makes room for further guesses, or takes an owner's place.
TEST_F(FailureThrottleTest, AFloodOfNamesAndAddressesMakesNothingForgotten) {
  EXPECT_EQ(FailMany(Of("ada", "192.0.2.1"), 50), 3);
  EXPECT_EQ(FailMany(Known("bob", "198.51.100.7"), 1), 1);
  EXPECT_EQ(FailMany(Nobody("eve", "192.0.2.1"), 50), 3);
  for (int i = 0; i < 20'000; ++i) {
    Fail(Nobody("nobody" + std::to_string(i), "2001:db8:0:" + std::to_string(i) + "::/64"));
  }
  EXPECT_FALSE(Fail(Of("ada", "192.0.2.1")));
  EXPECT_FALSE(Fail(Of("ada", "203.0.113.9")));
  EXPECT_FALSE(Fail(Nobody("eve", "203.0.113.9")));
  EXPECT_EQ(FailMany(Known("bob", "198.51.100.7"), 50), 3);
}

// One network tries a password on every account; colleagues behind it keep working.
TEST_F(FailureThrottleTest, StopsSprayingButNotTheColleagues) {
  int guesses = 0;
  for (int i = 0; i < 1000; ++i) {
    guesses += Fail(Of("user" + std::to_string(i), "192.0.2.1")) ? 1 : 0;
  }
  EXPECT_EQ(guesses, 200);
  EXPECT_TRUE(Succeed(Known("bob", "192.0.2.1")));
  EXPECT_FALSE(Succeed(Of("carol", "192.0.2.1")));
  EXPECT_TRUE(Succeed(Of("carol", "198.51.100.7")));
  now_ += minutes{30};
  EXPECT_TRUE(Succeed(Of("carol", "192.0.2.1")));
}

TEST_F(FailureThrottleTest, SuccessForgivesTheTypos) {
  for (int round = 0; round < 20; ++round) {
    EXPECT_EQ(FailMany(Of("ada", "192.0.2.1"), 2), 2);
    EXPECT_TRUE(Succeed(Of("ada", "192.0.2.1")));
    EXPECT_EQ(FailMany(Known("ada", "192.0.2.1"), 3), 3);
    EXPECT_TRUE(Succeed(Known("ada", "192.0.2.1")));
  }
}

// Attempts that have not ended count too: a hundred at once are not a hundred guesses.
TEST_F(FailureThrottleTest, CountsAttemptsInFlightAndTakesThemBack) {
  const auto begin_many = [this] {
    int begun = 0;
    for (int i = 0; i < 100; ++i) begun += throttle_.Begin(Of("ada", "192.0.2.1"), now_) ? 0 : 1;
    return begun;
  };
  EXPECT_EQ(begin_many(), 3);
  for (int i = 0; i < 3; ++i) throttle_.Forget(Of("ada", "192.0.2.1"));
  EXPECT_EQ(begin_many(), 3);
  throttle_.Prune(now_ + minutes{30});
  EXPECT_EQ(begin_many(), 3);
}

// The directory begins its row anew at the owner's right password, and may see the strangers'
// attempts only after it.
TEST_F(FailureThrottleTest, ARightPasswordForgivesNothingThatIsUnderWay) {
  EXPECT_EQ(FailMany(Of("ada", "192.0.2.1"), 1), 1);
  EXPECT_FALSE(throttle_.Begin(Of("ada", "192.0.2.1"), now_));
  EXPECT_FALSE(throttle_.Begin(Of("ada", "192.0.2.2"), now_));
  EXPECT_TRUE(Succeed(Known("ada", "198.51.100.7")));
  throttle_.Failed(Of("ada", "192.0.2.1"), now_);
  throttle_.Failed(Of("ada", "192.0.2.2"), now_);
  EXPECT_EQ(FailMany(Of("ada", "192.0.2.3"), 50), 1);
  EXPECT_TRUE(Succeed(Known("ada", "198.51.100.7")));
  EXPECT_EQ(FailMany(Of("ada", "192.0.2.3"), 50), 3);
}

TEST_F(FailureThrottleTest, AClockThatWasSetBackShutsNobodyOutForLong) {
  EXPECT_EQ(FailMany(Of("ada", "192.0.2.1"), 50), 3);
  now_ -= std::chrono::hours{24};
  EXPECT_EQ(FailMany(Of("ada", "192.0.2.1"), 50), 3);
}

}  // namespace
}  // namespace devicetrust::policy
