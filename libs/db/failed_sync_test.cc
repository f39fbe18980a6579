// What docs/adr/0020 says of a disk that fails: nothing that was acknowledged is lost, and nothing
// is served in halves.
#include <gtest/gtest.h>

#include <future>

#include "libs/db/faulty_disk_fixture.h"
#include "libs/db/store_fixture.h"

namespace devicetrust::db {
namespace {

class FailedSyncTest : public ::testing::Test {
 protected:
  static std::unique_ptr<Database> OpenIn(const testing::TempFolder& folder) {
    return Database::Open("sqlite:" + folder / "store.db", kItems).value();
  }
  static std::vector<std::int64_t> Items(Database& database) {
    return database
        .Read([](Transaction& txn) -> absl::StatusOr<std::vector<std::int64_t>> {
          DT_ASSIGN_OR_RETURN(const auto rows, txn.Run("SELECT id FROM items ORDER BY id"));
          std::vector<std::int64_t> items;
          for (const Row& row : rows) items.push_back(Int(row[0]));
          return items;
        })
        .value();
  }
  std::vector<std::int64_t> ItemsAfterPowerCut(const testing::TempFolder& folder) {
    const testing::TempFolder copy;
    disk_.CopyAfterPowerCut(folder.path(), copy.path());
    const FaultyDisk::Faults faults = disk_.SetFaults({});  // Another disk takes over.
    const std::vector<std::int64_t> items = Items(*OpenIn(copy));
    disk_.SetFaults(faults);
    return items;
  }
  using Ids = std::vector<std::int64_t>;

  FaultyDisk disk_;
  testing::TempFolder folder_;
};

TEST_F(FailedSyncTest, RefusesThatCommitAndGoesOnAfterIt) {
  const auto database = OpenIn(folder_);
  DT_ASSERT_OK(Add(*database, 1));
  disk_.SetFaults({.log_syncs = true});
  for (const std::int64_t id : {2, 3}) {
    DT_EXPECT_CODE(Add(*database, id), kUnavailable);
    EXPECT_EQ(Items(*database), Ids{1});
    EXPECT_EQ(ItemsAfterPowerCut(folder_), Ids{1});
  }
  disk_.SetFaults({});
  DT_EXPECT_OK(Add(*database, 4));
  EXPECT_EQ(Items(*database), (Ids{1, 4}));
  EXPECT_EQ(ItemsAfterPowerCut(folder_), (Ids{1, 4}));
}

TEST_F(FailedSyncTest, TellsEveryCallOfTheCommit) {
  const auto database = OpenIn(folder_);
  HeldWriter held(*database);
  std::vector<std::future<absl::Status>> calls;
  for (int id = 1; id <= 5; ++id) {
    calls.push_back(std::async(std::launch::async, [&, id] { return Add(*database, id); }));
  }
  disk_.SetFaults({.log_syncs = true});
  held.Release();
  for (auto& call : calls) DT_EXPECT_CODE(call.get(), kUnavailable);
  EXPECT_EQ(Items(*database), Ids{});
}

// The failed commit is whole in the kernel's memory, so the next owner finds it; what it commits
// itself must not depend on that memory.
TEST_F(FailedSyncTest, LeavesASoundStoreWhenTheProcessDiesOfIt) {
  const auto database = OpenIn(folder_);
  DT_ASSERT_OK(Add(*database, 1));
  disk_.SetFaults({.log_syncs = true});
  DT_EXPECT_CODE(Add(*database, 2), kUnavailable);
  disk_.SetFaults({});

  const testing::TempFolder next_folder;
  disk_.CopyAfterKill(folder_.path(), next_folder.path());
  const auto next = OpenIn(next_folder);
  const Ids served = Items(*next);
  EXPECT_EQ(served, (Ids{1, 2}));
  EXPECT_EQ(ItemsAfterPowerCut(next_folder), served);
  DT_EXPECT_OK(Add(*next, 3));
  EXPECT_EQ(ItemsAfterPowerCut(next_folder), (Ids{1, 2, 3}));
}

TEST_F(FailedSyncTest, RefusesToStartOnADiskThatFails) {
  const auto database = OpenIn(folder_);
  DT_ASSERT_OK(Add(*database, 1));
  const testing::TempFolder next_folder;
  disk_.CopyAfterKill(folder_.path(), next_folder.path());
  disk_.SetFaults({.log_syncs = true});
  DT_EXPECT_CODE(Database::Open("sqlite:" + next_folder / "store.db", kItems), kUnavailable);
  disk_.SetFaults({});
  EXPECT_EQ(Items(*OpenIn(next_folder)), Ids{1});
}

// Commits go on in the log, which is folded once the file's disk is well again.
TEST_F(FailedSyncTest, LosesNothingWhenTheLogCannotBeFolded) {
  const auto database = OpenIn(folder_);
  disk_.SetFaults({.file_syncs = true});
  Ids expected;
  for (std::int64_t id = 1; id <= 34; ++id) {  // The log is folded at 32 MiB.
    DT_ASSERT_OK(Add(*database, id, 1024 * 1024));
    expected.push_back(id);
  }
  EXPECT_EQ(Items(*database), expected);
  EXPECT_EQ(ItemsAfterPowerCut(folder_), expected);
}

TEST_F(FailedSyncTest, TakesAFullDiskForATime) {
  const auto database = OpenIn(folder_);
  DT_ASSERT_OK(Add(*database, 1));
  disk_.SetFaults({.full = true});
  DT_EXPECT_CODE(Add(*database, 2), kResourceExhausted);
  EXPECT_EQ(Items(*database), Ids{1});
  disk_.SetFaults({});
  DT_EXPECT_OK(Add(*database, 3));
  EXPECT_EQ(ItemsAfterPowerCut(folder_), (Ids{1, 3}));
}

TEST_F(FailedSyncTest, ServesOnFromADiskThatBecameReadOnly) {
  const auto database = OpenIn(folder_);
  DT_ASSERT_OK(Add(*database, 1));
  disk_.SetFaults({.read_only = true});
  DT_EXPECT_CODE(Add(*database, 2), kUnavailable);
  EXPECT_EQ(Items(*database), Ids{1});
  disk_.SetFaults({});
  DT_EXPECT_OK(Add(*database, 3));
  EXPECT_EQ(ItemsAfterPowerCut(folder_), (Ids{1, 3}));
}

}  // namespace
}  // namespace devicetrust::db
