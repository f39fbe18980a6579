#include "libs/db/database.h"

#include <gtest/gtest.h>

#include <array>
#include <future>
#include <latch>
#include <thread>

#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"

namespace devicetrust::db {
namespace {

const std::array<Migration, 1> kSchema = {
    Migration{1, "items", {"CREATE TABLE items (id BIGINT PRIMARY KEY, data BYTEA)"}}};

absl::Status Insert(Transaction& txn, std::int64_t id, std::size_t bytes = 1) {
  return txn.Run("INSERT INTO items (id, data) VALUES ($1, $2)", {id, Bytes(bytes, 7)}).status();
}

absl::StatusOr<std::int64_t> Count(Transaction& txn) {
  DT_ASSIGN_OR_RETURN(const auto rows, txn.Run("SELECT count(*) FROM items"));
  return Int(rows[0][0]);
}

class DatabaseTest : public ::testing::Test {
 protected:
  std::string Url() const { return "sqlite:" + folder_ / "store.db"; }
  std::unique_ptr<Database> Open(DatabaseOptions options = {}) {
    return Database::Open(Url(), kSchema, options).value();
  }
  static absl::Status Add(Database& database, std::int64_t id, std::size_t bytes = 1) {
    return database.Write([&](Transaction& txn) { return Insert(txn, id, bytes); });
  }

  testing::TempFolder folder_;
};

// Holds the writer thread inside one call, so that others gather behind it.
class HeldWriter {
 public:
  explicit HeldWriter(Database& database)
      : thread_([this, &database] {
          DT_EXPECT_OK(database.Write([this](Transaction&) {
            inside_.count_down();
            open_.wait();
            return absl::OkStatus();
          }));
        }) {
    inside_.wait();
  }
  void Release() {
    open_.count_down();
    thread_.join();
  }

 private:
  std::latch inside_{1};
  std::latch open_{1};
  std::thread thread_;
};

TEST_F(DatabaseTest, KeepsWhatItAcknowledgedOverAReopen) {
  {
    const auto database = Open();
    DT_ASSERT_OK(Add(*database, 1));
    EXPECT_EQ(database->Read(&Count).value(), 1);
  }
  EXPECT_EQ(Open()->Read(&Count).value(), 1);
}

// One call fails, its neighbours of the same commit stand, and each caller learns its own.
TEST_F(DatabaseTest, GroupsCallsInOneCommitAndUndoesOnlyTheFailedOne) {
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
TEST_F(DatabaseTest, RunsNeighboursAgainOnlyForWhatMustBeUndone) {
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

TEST_F(DatabaseTest, ReturnsValuesAndRefusesToWriteWhileReading) {
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
TEST_F(DatabaseTest, ReadsASnapshotBesideAnOpenWrite) {
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

TEST_F(DatabaseTest, SaysThatTheStoreIsFullAndGoesOnOnceThereIsRoom) {
  const auto database = Open({.bytes_max = 256 * 1024});
  absl::Status status;
  std::int64_t id = 0;
  while (status.ok() && id < 1000) status = Add(*database, ++id, 16 * 1024);
  DT_EXPECT_CODE(status, kResourceExhausted);
  EXPECT_NE(std::string(status.message()).find("free disk space"), std::string::npos);
  EXPECT_EQ(database->Read(&Count).value(), id - 1);

  DT_ASSERT_OK(database->Write([](Transaction& txn) -> absl::Status {
    return txn.Run("DELETE FROM items WHERE id < 5").status();
  }));
  DT_EXPECT_OK(Add(*database, id, 16 * 1024));
}

TEST_F(DatabaseTest, RefusesASecondOwnerOfTheFileAndAMissingFolder) {
  const auto database = Open();
  const auto second = Database::Open(Url(), kSchema);
  DT_EXPECT_CODE(second, kFailedPrecondition);
  EXPECT_NE(std::string(second.status().message()).find("store.db"), std::string::npos);
  DT_EXPECT_CODE(Database::Open("sqlite:/nonexistent-folder/a.db", kSchema), kNotFound);
  DT_EXPECT_CODE(Database::Open("mysql://a", kSchema), kInvalidArgument);
}

TEST_F(DatabaseTest, AppliesOnlyMissingStepsAndRefusesForeignOnes) {
  DT_ASSERT_OK(Add(*Open(), 1));
  const std::array<Migration, 2> grown = {
      kSchema[0], Migration{2, "names", {"ALTER TABLE items ADD COLUMN name TEXT"}}};
  EXPECT_EQ(Database::Open(Url(), grown).value()->Read(&Count).value(), 1);
  EXPECT_EQ(Open()->Read(&Count).value(), 1);  // The previous release, rolled back to.

  const std::array<Migration, 1> foreign = {Migration{1, "people", {}}};
  DT_EXPECT_CODE(Database::Open(Url(), foreign), kFailedPrecondition);
}

TEST_F(DatabaseTest, GivesSequenceNumbersWithoutGaps) {
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

TEST(InMemoryDatabaseTest, ServesReadsAndWrites) {
  const auto database = Database::Open("sqlite::memory:", kSchema).value();
  DT_ASSERT_OK(database->Write([](Transaction& txn) { return Insert(txn, 1); }));
  EXPECT_EQ(database->Read(&Count).value(), 1);
}

}  // namespace
}  // namespace devicetrust::db
