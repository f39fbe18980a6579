// How many wrong codes a factor bears, and whom they shut out.
#include "policy-engine/users/totp_factors.h"

#include <gtest/gtest.h>

#include "libs/base/random.h"
#include "libs/testing/settable_clock.h"
#include "libs/testing/status.h"
#include "policy-engine/migrations.h"
#include "policy-engine/users/recovery_codes.h"
#include "policy-engine/users/totp.h"

namespace devicetrust::policy {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr const char* kHome = "198.51.100.7";
constexpr const char* kElsewhere = "203.0.113.9";

class TotpFactorsTest : public ::testing::Test {
 protected:
  TotpFactorsTest() { Enroll(); }

  void Enroll() {
    const SealedFactor factor = factors_.Seal("ada", secret_).value();
    DT_ASSERT_OK(
        database_->Write([&](db::Transaction& txn) { return TotpFactors::Store(txn, factor); }));
  }
  FactorAnswer Show(const std::string& code, const std::string& network) {
    return database_
        ->Write([&](db::Transaction& txn) {
          return factors_.Verify(txn, {"ada", code, network}, clock_.Now());
        })
        .value();
  }
  NewRecoveryCodes GiveRecoveryCodes() {
    const NewRecoveryCodes codes = MakeRecoveryCodes(random_).value();
    DT_EXPECT_OK(database_->Write(
        [&](db::Transaction& txn) { return StoreRecoveryCodes(txn, "ada", codes); }));
    return codes;
  }
  FactorAnswer Recover(const std::string& code, const std::string& network) {
    return database_
        ->Write([&](db::Transaction& txn) {
          return factors_.Verify(txn, {"ada", code, network, /*recovery=*/true}, clock_.Now());
        })
        .value();
  }
  FactorVerdict ShowRight(const std::string& network) {
    clock_.Advance(kTotpStep);  // Each code is good once.
    return Show(TotpCode(secret_, TotpStepOf(clock_.Now())), network).verdict;
  }
  // Guesses from addresses of their own until none is looked at; how many were.
  int GuessFromEverywhere(int at_most) {
    int guesses = 0;
    while (guesses < at_most) {
      const FactorAnswer answer = Show("guess", "192.0.2." + std::to_string(guesses));
      if (answer.verdict == FactorVerdict::kLocked) break;
      EXPECT_EQ(answer.verdict, FactorVerdict::kWrong);
      ++guesses;
      locks_ += answer.locks ? 1 : 0;
    }
    return guesses;
  }

  testing::SettableClock clock_{WallTime(seconds(1'800'000'000))};
  SystemRandom random_;
  pki::AeadKey kek_ = pki::AeadKey::Create("kek-test", Bytes(pki::kAeadKeyBytes, 7)).value();
  const Bytes secret_ = Bytes(20, 'x');
  std::unique_ptr<db::Database> database_ =
      db::Database::Open("sqlite::memory:", OrgMigrations()).value();
  TotpFactors factors_{kek_, random_};
  int locks_ = 0;
};

TEST_F(TotpFactorsTest, KnowsTheCodeThatItTookLast) {
  const auto took = [&](const std::string& code, WallTime at) {
    return database_
        ->Write([&](db::Transaction& txn) {
          return factors_.TookLast(txn, {"ada", code, kHome}, at);
        })
        .value();
  };
  const std::string code = TotpCode(secret_, TotpStepOf(clock_.Now()));
  EXPECT_FALSE(took(code, clock_.Now()));
  EXPECT_EQ(Show(code, kHome).verdict, FactorVerdict::kAccepted);
  EXPECT_TRUE(took(code, clock_.Now()));
  EXPECT_FALSE(took(TotpCode(secret_, TotpStepOf(clock_.Now()) + 1), clock_.Now()));
  EXPECT_FALSE(took("guess", clock_.Now()));
  EXPECT_EQ(ShowRight(kHome), FactorVerdict::kAccepted);
  EXPECT_FALSE(took(code, clock_.Now()));
}

TEST_F(TotpFactorsTest, PausesOneNetworkLongerEachTime) {
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Show("guess", kElsewhere).retry_after, seconds(0));
  seconds pause{60};
  for (int i = 0; i < 6; ++i, pause *= 2) {
    EXPECT_EQ(Show("guess", kElsewhere).retry_after, pause);
    const FactorAnswer paused = Show(TotpCode(secret_, TotpStepOf(clock_.Now())), kElsewhere);
    EXPECT_EQ(paused.verdict, FactorVerdict::kThrottled);
    EXPECT_EQ(paused.retry_after, pause);
    clock_.Advance(pause);
  }
  EXPECT_EQ(Show("guess", kElsewhere).retry_after, minutes(60));  // The longest.
  clock_.Advance(minutes(60));
  EXPECT_EQ(ShowRight(kElsewhere), FactorVerdict::kAccepted);
  EXPECT_EQ(Show("guess", kElsewhere).retry_after, seconds(0));
}

TEST_F(TotpFactorsTest, TheOwnersCodeIsTakenWhileAStrangerMustWait) {
  for (int i = 0; i < 5; ++i) Show("guess", kElsewhere);
  clock_.Advance(seconds(60));
  Show("guess", kElsewhere);
  EXPECT_EQ(ShowRight(kElsewhere), FactorVerdict::kThrottled);
  EXPECT_EQ(ShowRight(kHome), FactorVerdict::kAccepted);
  EXPECT_EQ(ShowRight(kElsewhere), FactorVerdict::kThrottled);  // It has forgiven nothing there.
}

TEST_F(TotpFactorsTest, LocksAfterAHundredInARowUntilAnotherIsEnrolled) {
  EXPECT_EQ(GuessFromEverywhere(1000), 100);
  EXPECT_EQ(locks_, 1);
  EXPECT_EQ(ShowRight(kHome), FactorVerdict::kLocked);
  clock_.Advance(std::chrono::hours(24 * 365));
  EXPECT_EQ(ShowRight(kHome), FactorVerdict::kLocked);
  Enroll();
  EXPECT_EQ(ShowRight(kHome), FactorVerdict::kAccepted);
}

TEST_F(TotpFactorsTest, ALockDoesNotShutTheOwnerOutOfAKnownNetwork) {
  EXPECT_EQ(ShowRight(kHome), FactorVerdict::kAccepted);
  EXPECT_EQ(GuessFromEverywhere(1000), 100);
  EXPECT_EQ(ShowRight(kElsewhere), FactorVerdict::kLocked);
  EXPECT_EQ(ShowRight(kHome), FactorVerdict::kAccepted);
  EXPECT_EQ(ShowRight(kElsewhere), FactorVerdict::kAccepted);  // A right code has ended the row.
}

// Nobody gets to guess without end where the owner is known.
TEST_F(TotpFactorsTest, AKnownNetworkIsLockedByItsOwnFailures) {
  EXPECT_EQ(ShowRight(kHome), FactorVerdict::kAccepted);
  int guesses = 0;
  for (;; ++guesses) {
    const FactorAnswer answer = Show("guess", kHome);
    if (answer.verdict == FactorVerdict::kLocked) break;
    clock_.Advance(answer.retry_after);
  }
  EXPECT_EQ(guesses, 100);
}

TEST_F(TotpFactorsTest, ForgetsANetworkAfterADayButNotTheRow) {
  for (int i = 0; i < 5; ++i) Show("guess", kElsewhere);
  clock_.Advance(std::chrono::hours(25));
  DT_ASSERT_OK(database_->Write(
      [this](db::Transaction& txn) { return TotpFactors::PruneNetworks(txn, clock_.Now()); }));
  EXPECT_EQ(Show("guess", kElsewhere).retry_after, seconds(0));
  EXPECT_EQ(GuessFromEverywhere(1000), 94);
}

TEST_F(TotpFactorsTest, AClockThatWasSetBackShutsNobodyOutForLong) {
  for (int i = 0; i < 5; ++i) Show("guess", kElsewhere);
  clock_.Advance(-std::chrono::hours(1000));
  EXPECT_EQ(ShowRight(kElsewhere), FactorVerdict::kAccepted);
}

// A hundred wrong codes by a stranger must not keep the owner out, wherever the owner is.
TEST_F(TotpFactorsTest, ARecoveryCodeEndsALockAnywhere) {
  const NewRecoveryCodes codes = GiveRecoveryCodes();
  EXPECT_EQ(GuessFromEverywhere(1000), 100);
  EXPECT_EQ(ShowRight(kElsewhere), FactorVerdict::kLocked);
  EXPECT_EQ(Recover("0000-0000-0000-0000", kElsewhere).verdict, FactorVerdict::kWrong);
  const FactorAnswer answer = Recover(codes.codes[3], kElsewhere);
  EXPECT_EQ(answer.verdict, FactorVerdict::kAccepted);
  EXPECT_EQ(answer.recovery_codes_left, 9);
  EXPECT_EQ(ShowRight(kElsewhere), FactorVerdict::kAccepted);
  EXPECT_EQ(Recover(codes.codes[3], kElsewhere).verdict, FactorVerdict::kReused);
}

TEST_F(TotpFactorsTest, WrongRecoveryCodesCountAsWrongCodesDo) {
  const NewRecoveryCodes codes = GiveRecoveryCodes();
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(Recover("0000-0000-0000-0000", kElsewhere).retry_after, seconds(0));
  }
  EXPECT_EQ(Recover("not one at all", kElsewhere).retry_after, minutes(1));
  EXPECT_EQ(Recover(codes.codes[0], kElsewhere).verdict, FactorVerdict::kThrottled);
  EXPECT_EQ(Recover(codes.codes[0], kHome).verdict, FactorVerdict::kAccepted);  // It was not spent.
  EXPECT_EQ(ShowRight(kElsewhere), FactorVerdict::kThrottled);
}

TEST_F(TotpFactorsTest, RecoveryCodesGoWithTheirFactor) {
  const NewRecoveryCodes codes = GiveRecoveryCodes();
  Enroll();
  EXPECT_EQ(Recover(codes.codes[0], kHome).verdict, FactorVerdict::kWrong);
  const NewRecoveryCodes others = GiveRecoveryCodes();
  DT_ASSERT_OK(
      database_->Write([](db::Transaction& txn) { return TotpFactors::Remove(txn, "ada"); }));
  EXPECT_EQ(Recover(others.codes[0], kHome).verdict, FactorVerdict::kNotEnrolled);
}

}  // namespace
}  // namespace devicetrust::policy
