#include "policy-engine/authentication/failure_throttle.h"

#include <gtest/gtest.h>

namespace devicetrust::policy {
namespace {

using std::chrono::seconds;

class FailureThrottleTest : public ::testing::Test {
 protected:
  // One attempt with a wrong password. False: it was not let through.
  bool Fail(const std::string& account, const std::string& address) {
    return !throttle_.Begin(account, address, now_);
  }
  int FailMany(const std::string& account, const std::string& address, int count) {
    int tried = 0;
    for (int i = 0; i < count; ++i) tried += Fail(account, address) ? 1 : 0;
    return tried;
  }

  WallTime now_{seconds{1'800'000'000}};
  FailureThrottle throttle_{{.per_pair_max = 5,
                             .per_account_max = 20,
                             .per_address_max = 40,
                             .window = seconds{600},
                             .remembered_max = 1000}};
};

TEST_F(FailureThrottleTest, RefusesAPairAfterItsFailuresAndLetsItTryAgainLater) {
  EXPECT_EQ(FailMany("ada", "192.0.2.1", 50), 5);
  const auto refusal = throttle_.Begin("ada", "192.0.2.1", now_);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->retry_after, seconds{120});
  EXPECT_FALSE(refusal->first);
  now_ += seconds{120};
  EXPECT_TRUE(Fail("ada", "192.0.2.1"));
  const auto again = throttle_.Begin("ada", "192.0.2.1", now_);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->first);
  now_ += seconds{600};
  EXPECT_EQ(FailMany("ada", "192.0.2.1", 50), 5);
}

// The owner of an account signs in from home while strangers guess at it from everywhere.
TEST_F(FailureThrottleTest, LetsTheOwnerInWhileStrangersGuess) {
  ASSERT_FALSE(throttle_.Begin("ada", "198.51.100.7", now_));
  throttle_.Succeeded("ada", "198.51.100.7", now_);
  int guesses = 0;
  for (int i = 0; i < 100; ++i) guesses += Fail("ada", "192.0.2." + std::to_string(i)) ? 1 : 0;
  EXPECT_EQ(guesses, 20);
  for (int i = 0; i < 10; ++i) {
    ASSERT_FALSE(throttle_.Begin("ada", "198.51.100.7", now_));
    throttle_.Succeeded("ada", "198.51.100.7", now_);
  }
}

// One address tries a password on every account; colleagues behind it keep working.
TEST_F(FailureThrottleTest, StopsSprayingButNotTheColleagues) {
  ASSERT_FALSE(throttle_.Begin("bob", "192.0.2.1", now_));
  throttle_.Succeeded("bob", "192.0.2.1", now_);
  int guesses = 0;
  for (int i = 0; i < 200; ++i) guesses += Fail("user" + std::to_string(i), "192.0.2.1") ? 1 : 0;
  EXPECT_EQ(guesses, 40);
  EXPECT_FALSE(throttle_.Begin("bob", "192.0.2.1", now_));
  EXPECT_FALSE(throttle_.Begin("user7", "198.51.100.7", now_));
}

TEST_F(FailureThrottleTest, SuccessForgivesTheTypos) {
  for (int round = 0; round < 20; ++round) {
    EXPECT_EQ(FailMany("ada", "192.0.2.1", 4), 4);
    ASSERT_FALSE(throttle_.Begin("ada", "192.0.2.1", now_));
    throttle_.Succeeded("ada", "192.0.2.1", now_);
  }
}

// Attempts that have not ended count too: a hundred at once are not a hundred guesses.
TEST_F(FailureThrottleTest, CountsAttemptsInFlightAndTakesThemBack) {
  EXPECT_EQ(FailMany("ada", "192.0.2.1", 100), 5);
  for (int i = 0; i < 5; ++i) throttle_.Forget("ada", "192.0.2.1", now_);
  EXPECT_EQ(FailMany("ada", "192.0.2.1", 100), 5);
}

TEST_F(FailureThrottleTest, RemembersABoundedNumber) {
  for (int i = 0; i < 5000; ++i) Fail("user" + std::to_string(i), "192.0.2." + std::to_string(i));
  EXPECT_EQ(FailMany("user0", "192.0.2.0", 50), 5);  // Forgotten since.
}

}  // namespace
}  // namespace devicetrust::policy
