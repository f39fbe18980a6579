#include "libs/db/database.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "libs/db/sequence.h"
#include "libs/db/store_fixture.h"

namespace devicetrust::db {
namespace {

using DatabaseTest = StoreTest;

TEST_P(DatabaseTest, KeepsWhatItAcknowledgedOverAReopen) {
  {
    const auto database = Open();
    DT_ASSERT_OK(Add(*database, 1));
    EXPECT_EQ(database->Read(&Count).value(), 1);
  }
  EXPECT_EQ(Open()->Read(&Count).value(), 1);
}

// One call fails, its neighbours of the same commit stand, and each caller learns its own.
TEST_P(DatabaseTest, GroupsCallsInOneCommitAndUndoesOnlyTheFailedOne) {
  const auto database = Open();
  HeldWriter held(*database);
  std::vector<std::future<absl::Status>> calls;
  for (int i = 0; i < 20; ++i) {
    calls.push_back(std::async(std::launch::async, [&database, i] {
      return database->Write([i](Transaction& txn) -> absl::Status {
        DT_RETURN_IF_ERROR(Insert(txn, i));
        return i == 7 ? absl::PermissionDeniedError("no") : absl::OkStatus();
      });
    }));
  }
  held.Release();
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(calls[static_cast<std::size_t>(i)].get().code(),
              i == 7 ? absl::StatusCode::kPermissionDenied : absl::StatusCode::kOk);
  }
  EXPECT_EQ(database->Read(&Count).value(), 19);
  EXPECT_EQ(database->writes(), 21U);
}

// A refusal that changed nothing leaves nothing to undo, so its neighbours run but once.
TEST_P(DatabaseTest, RunsNeighboursAgainOnlyForWhatMustBeUndone) {
  const auto database = Open();
  DT_ASSERT_OK(Add(*database, 1));
  for (const bool changes : {false, true}) {
    int runs = 0;
    HeldWriter held(*database);
    auto neighbour = std::async(std::launch::async, [&] {
      return database->Write([&runs](Transaction&) {
        ++runs;
        return absl::OkStatus();
      });
    });
    auto refused = std::async(std::launch::async, [&] {
      return database->Write([changes](Transaction& txn) -> absl::Status {
        if (changes) DT_RETURN_IF_ERROR(Insert(txn, 2));
        return Insert(txn, 1);
      });
    });
    held.Release();
    DT_EXPECT_OK(neighbour.get());
    DT_EXPECT_CODE(refused.get(), kAlreadyExists);
    if (!changes) {
      EXPECT_EQ(runs, 1);
    }
    EXPECT_EQ(database->Read(&Count).value(), 1);
  }
}

TEST_P(DatabaseTest, ReturnsValuesAndRefusesToWriteWhileReading) {
  const auto database = Open();
  const absl::StatusOr<std::int64_t> counted =
      database->Write([](Transaction& txn) -> absl::StatusOr<std::int64_t> {
        DT_RETURN_IF_ERROR(Insert(txn, 1));
        return Count(txn);
      });
  EXPECT_EQ(counted.value(), 1);
  DT_EXPECT_CODE(database->Read([](Transaction& txn) { return Insert(txn, 2); }), kUnavailable);
  DT_EXPECT_CODE(Add(*database, 1), kAlreadyExists);
}

// A reader sees neither an open transaction nor a later commit, and waits for neither.
TEST_P(DatabaseTest, ReadsASnapshotBesideAnOpenWrite) {
  const auto database = Open();
  DT_ASSERT_OK(Add(*database, 1));
  DT_ASSERT_OK(database->Read([&](Transaction& txn) -> absl::Status {
    EXPECT_EQ(Count(txn).value(), 1);
    DT_EXPECT_OK(Add(*database, 2));
    EXPECT_EQ(Count(txn).value(), 1);
    return absl::OkStatus();
  }));
  HeldWriter held(*database);
  EXPECT_EQ(database->Read(&Count).value(), 2);
  held.Release();
}

TEST_P(DatabaseTest, AppliesOnlyMissingStepsAndRefusesForeignOnes) {
  DT_ASSERT_OK(Add(*Open(), 1));
  const std::array<Migration, 2> grown = {
      kItems[0], Migration{2, "names", {}, {"ALTER TABLE items ADD COLUMN name TEXT"}}};
  EXPECT_EQ(Database::Open(Url(), grown).value()->Read(&Count).value(), 1);
  EXPECT_EQ(Open()->Read(&Count).value(), 1);  // The previous release, rolled back to.

  const std::array<Migration, 1> foreign = {Migration{1, "people", {}}};
  DT_EXPECT_CODE(Database::Open(Url(), foreign), kFailedPrecondition);
}

// Each step is one transaction: one that ends half-way leaves the store as it was.
TEST_P(DatabaseTest, AStepThatEndsHalfWayLeavesNothing) {
  DT_ASSERT_OK(Add(*Open(), 1));
  const Migration whole{2, "names", {}, {"ALTER TABLE items ADD COLUMN name TEXT"}};
  Migration half = whole;
  half.tables.push_back({.name = "more", .columns = "id BIGINT PRIMARY KEY"});
  half.statements.push_back("INSERT INTO nothing (id) VALUES (1)");
  const std::array<Migration, 2> broken = {kItems[0], half};
  EXPECT_FALSE(Database::Open(Url(), broken).ok());
  EXPECT_EQ(Open()->Read(&Count).value(), 1);

  const std::array<Migration, 2> grown = {kItems[0], whole};
  const auto mended = Database::Open(Url(), grown).value();
  DT_EXPECT_OK(mended->Read(
      [](Transaction& txn) -> absl::Status { return txn.Run("SELECT name FROM items").status(); }));
  EXPECT_FALSE(mended
                   ->Read([](Transaction& txn) -> absl::Status {
                     return txn.Run("SELECT id FROM more").status();
                   })
                   .ok());
}

TEST_P(DatabaseTest, GivesSequenceNumbersWithoutGaps) {
  const auto database = Open();
  const auto next = [&](bool fail) {
    return database->Write([fail](Transaction& txn) -> absl::StatusOr<std::int64_t> {
      DT_ASSIGN_OR_RETURN(const std::int64_t value, NextSequence(txn, "revocations"));
      if (fail) return absl::PermissionDeniedError("not this one");
      return value;
    });
  };
  EXPECT_EQ(next(false).value(), 1);
  DT_EXPECT_CODE(next(true), kPermissionDenied);
  EXPECT_EQ(next(false).value(), 2);
}

TEST_P(DatabaseTest, GivesSeveralSequenceNumbersAtOnceAndNoneBelowTheLeast) {
  const auto database = Open();
  const auto next = [&](std::int64_t count, std::int64_t least) {
    return database
        ->Write([&](Transaction& txn) { return NextSequences(txn, "events", count, least); })
        .value();
  };
  const auto last = [](Transaction& txn) { return LastSequence(txn, "events"); };
  EXPECT_EQ(database->Read(last).value(), 0);
  EXPECT_EQ(next(3, 100), 100);
  EXPECT_EQ(database->Read(last).value(), 102);
  EXPECT_EQ(next(2, 100), 103);
  EXPECT_EQ(next(1, 101), 105);
  EXPECT_EQ(next(2, 1000), 1000);
  EXPECT_EQ(database->Read(last).value(), 1001);
}

// One notice for a commit, before its calls return; none for what was undone or announces nothing.
TEST_P(DatabaseTest, TellsThoseWhoWatchWhatWasAnnouncedAndCommitted) {
  const auto database = Open();
  std::atomic<int> items{0};
  std::atomic<int> others{0};
  const Watch watch = database->WatchTopic("items", [&] { ++items; });
  const Watch other = database->WatchTopic("others", [&] { ++others; });
  const auto add = [&](std::int64_t id, absl::Status end) {
    return database->Write([&, id](Transaction& txn) -> absl::Status {
      DT_RETURN_IF_ERROR(Insert(txn, id));
      txn.Announce("items");
      txn.Announce("items");
      return end;
    });
  };
  DT_EXPECT_OK(add(1, absl::OkStatus()));
  EXPECT_EQ(items, 1);
  DT_EXPECT_CODE(add(2, absl::PermissionDeniedError("no")), kPermissionDenied);
  DT_EXPECT_OK(Add(*database, 3));
  EXPECT_EQ(items, 1);

  HeldWriter held(*database);  // The next two share a commit.
  auto undone =
      std::async(std::launch::async, [&] { return add(4, absl::PermissionDeniedError("no")); });
  auto kept = std::async(std::launch::async, [&] { return add(5, absl::OkStatus()); });
  held.Release();
  DT_EXPECT_CODE(undone.get(), kPermissionDenied);
  DT_EXPECT_OK(kept.get());
  EXPECT_EQ(items, 2);
  EXPECT_EQ(others, 0);
}

TEST_P(DatabaseTest, TellsNobodyWhoseWatchHasEnded) {
  const auto database = Open();
  std::atomic<int> told{0};
  const auto announce = [](Transaction& txn) -> absl::Status {
    txn.Announce("items");
    return absl::OkStatus();
  };
  {
    Watch watch = database->WatchTopic("items", [&] { ++told; });
    const Watch moved = std::move(watch);
    DT_EXPECT_OK(database->Write(announce));
  }
  DT_EXPECT_OK(database->Write(announce));
  EXPECT_EQ(told, 1);
}

INSTANTIATE_TEST_SUITE_P(Stores, DatabaseTest, ::testing::ValuesIn(Stores()));

}  // namespace
}  // namespace devicetrust::db
