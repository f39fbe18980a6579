#include "libs/db/outbox.h"

#include <gtest/gtest.h>

#include <array>

#include "libs/base/mutex.h"
#include "libs/base/wait_until.h"
#include "libs/db/store_fixture.h"

namespace devicetrust::db {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A System Log that can be down, or lose its answer after it took the events.
class FakeLog {
 public:
  absl::Status Take(std::span<const OutboxEvent> events) {
    const MutexLock lock(mutex_);
    if (down_) return absl::UnavailableError("down");
    for (const OutboxEvent& event : events) {
      if (event.event_id == unknown_) return absl::UnimplementedError("unknown " + unknown_);
    }
    for (const OutboxEvent& event : events) taken_.push_back(event.event_id);
    if (lose_answers_ > 0) {
      --lose_answers_;
      return absl::DeadlineExceededError("lost");
    }
    return absl::OkStatus();
  }
  void set_down(bool down) {
    const MutexLock lock(mutex_);
    down_ = down;
  }
  void set_unknown(std::string event_id) {  // Empty: it knows all.
    const MutexLock lock(mutex_);
    unknown_ = std::move(event_id);
  }
  void LoseAnswers(int count) {
    const MutexLock lock(mutex_);
    lose_answers_ = count;
  }
  std::vector<std::string> taken() {
    const MutexLock lock(mutex_);
    return taken_;
  }

 private:
  Mutex mutex_;
  bool down_ ABSL_GUARDED_BY(mutex_) = false;
  std::string unknown_ ABSL_GUARDED_BY(mutex_);
  int lose_answers_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::string> taken_ ABSL_GUARDED_BY(mutex_);
};

class OutboxTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    Start();
  }
  void Start(OutboxOptions options = {.linger = milliseconds(1), .retry_min = milliseconds(1)}) {
    outbox_.reset();
    database_.reset();
    const std::array<Migration, 2> schema = {Outbox::Tables(1), Outbox::ParkedTables(2)};
    database_ = Database::Open(Url(), schema).value();
    outbox_ = std::make_unique<Outbox>(*database_, options,
                                       [this](auto events) { return log_.Take(events); });
  }
  absl::Status Append(const std::string& id) {
    return database_->Write([&](Transaction& txn) -> absl::Status {
      DT_RETURN_IF_ERROR(outbox_->RefuseWhenFull(txn));
      return outbox_->Append(txn, id, Bytes{1});
    });
  }

  bool NothingIsParked() {
    const auto none = [this]() -> absl::StatusOr<bool> { return *outbox_->Parked() == 0; };
    return WaitUntil(none, milliseconds(2), seconds(10)).ok();
  }

  FakeLog log_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<Outbox> outbox_;
};

TEST_P(OutboxTest, DeliversInOrderWhatWasCommittedAndNothingElse) {
  DT_ASSERT_OK(Append("a"));
  DT_EXPECT_CODE(database_->Write([&](Transaction& txn) -> absl::Status {
    DT_RETURN_IF_ERROR(outbox_->Append(txn, "undone", Bytes{}));
    return absl::PermissionDeniedError("no");
  }),
                 kPermissionDenied);
  DT_ASSERT_OK(Append("b"));
  ASSERT_TRUE(outbox_->WaitUntilEmpty(seconds(10)));
  EXPECT_EQ(log_.taken(), (std::vector<std::string>{"a", "b"}));
}

TEST_P(OutboxTest, RepeatsWhatWasNotAcknowledged) {
  log_.LoseAnswers(1);
  DT_ASSERT_OK(Append("a"));
  ASSERT_TRUE(outbox_->WaitUntilEmpty(seconds(10)));
  EXPECT_EQ(log_.taken(), (std::vector<std::string>{"a", "a"}));
}

TEST_P(OutboxTest, WhatTheReceiverDoesNotKnowHoldsUpNoOtherAndIsNotLost) {
  log_.set_unknown("b");
  log_.set_down(true);
  for (const char* id : {"a", "b", "c"}) DT_ASSERT_OK(Append(id));
  log_.set_down(false);
  ASSERT_TRUE(outbox_->WaitUntilEmpty(seconds(10)));
  EXPECT_EQ(log_.taken(), (std::vector<std::string>{"a", "c"}));
  EXPECT_EQ(outbox_->Parked().value(), 1);
  DT_ASSERT_OK(Append("d"));
  ASSERT_TRUE(outbox_->WaitUntilEmpty(seconds(10)));
  EXPECT_EQ(outbox_->Parked().value(), 1);

  // An org of a newer release.
  log_.set_unknown("");
  Start({.linger = milliseconds(1), .parked_retry = milliseconds(1)});
  ASSERT_TRUE(NothingIsParked());
  EXPECT_EQ(log_.taken(), (std::vector<std::string>{"a", "c", "d", "b"}));
}

TEST_P(OutboxTest, WhatIsParkedIsTriedAgainAndAgain) {
  Start({.linger = milliseconds(1), .retry_min = milliseconds(1), .parked_retry = milliseconds(5)});
  log_.set_unknown("b");
  DT_ASSERT_OK(Append("b"));
  ASSERT_TRUE(outbox_->WaitUntilEmpty(seconds(10)));
  log_.set_unknown("");
  ASSERT_TRUE(NothingIsParked());
  EXPECT_EQ(log_.taken(), (std::vector<std::string>{"b"}));
}

TEST_P(OutboxTest, SaysNoAtItsBoundAndRecoversWithTheReceiver) {
  Start({.backlog_max = 3, .linger = milliseconds(1), .retry_min = milliseconds(1)});
  log_.set_down(true);
  for (const char* id : {"a", "b", "c"}) DT_ASSERT_OK(Append(id));
  DT_EXPECT_CODE(Append("d"), kUnavailable);
  // What must never stop does not ask.
  DT_EXPECT_OK(
      database_->Write([&](Transaction& txn) { return outbox_->Append(txn, "e", Bytes{}); }));
  EXPECT_EQ(outbox_->Pending().value(), 4);

  log_.set_down(false);
  ASSERT_TRUE(outbox_->WaitUntilEmpty(seconds(10)));
  EXPECT_EQ(log_.taken(), (std::vector<std::string>{"a", "b", "c", "e"}));
  DT_EXPECT_OK(Append("f"));
}

TEST_P(OutboxTest, DeliversAfterARestartWhatAnEarlierRunLeft) {
  log_.set_down(true);
  DT_ASSERT_OK(Append("a"));
  outbox_->Stop();
  log_.set_down(false);
  Start();
  ASSERT_TRUE(outbox_->WaitUntilEmpty(seconds(10)));
  EXPECT_EQ(log_.taken(), (std::vector<std::string>{"a"}));
}

INSTANTIATE_TEST_SUITE_P(Stores, OutboxTest, ::testing::ValuesIn(Stores()));

}  // namespace
}  // namespace devicetrust::db
