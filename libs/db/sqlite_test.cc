// What SQLite's stores promise beyond those of every kind.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "libs/db/store_fixture.h"

namespace devicetrust::db {
namespace {

class SqliteDatabaseTest : public ::testing::Test {
 protected:
  std::string Url() const { return "sqlite:" + folder_ / "store.db"; }
  std::unique_ptr<Database> Open(DatabaseOptions options = {}) {
    return Database::Open(Url(), kItems, options).value();
  }

  testing::TempFolder folder_;
};

TEST(SqliteTest, RefusesAFileThatIsInUse) {
  const testing::TempFolder folder;
  const std::string url = "sqlite:" + folder / "ca.db";

  auto first = OpenStore(url);
  DT_ASSERT_OK(first);
  const auto second = OpenStore(url);
  DT_EXPECT_CODE(second, kFailedPrecondition);
  const std::string message(second.status().message());
  EXPECT_NE(message.find(fmt::format(" (pid {}): stop it first", getpid())), std::string::npos)
      << message;
  std::filesystem::create_symlink("ca.db", folder / "link.db");
  DT_EXPECT_CODE(OpenStore("sqlite:" + folder / "link.db"), kFailedPrecondition);
  first->reset();
  DT_EXPECT_OK(OpenStore(url));
}

TEST_F(SqliteDatabaseTest, SaysThatTheStoreIsFullAndGoesOnOnceThereIsRoom) {
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

TEST_F(SqliteDatabaseTest, RefusesASecondOwnerOfTheFileAndAMissingFolder) {
  const auto database = Open();
  const auto second = Database::Open(Url(), kItems);
  DT_EXPECT_CODE(second, kFailedPrecondition);
  EXPECT_NE(std::string(second.status().message()).find("store.db"), std::string::npos);
  DT_EXPECT_CODE(Database::Open("sqlite:/nonexistent-folder/a.db", kItems), kNotFound);
}

// Nobody's value ends the process: a store is a file, which others may have written to.
TEST_F(SqliteDatabaseTest, NamesAColumnThatHoldsAnotherType) {
  const auto store = OpenStore(Url()).value();
  const auto connection = store->Connect(Connection::Mode::kWriter).value();
  Transaction txn = connection->Begin().value();
  DT_ASSERT_OK(txn.Run("CREATE TABLE t (id BIGINT, name TEXT, der BYTEA)"));
  const auto put = [&txn](const char* values) {
    DT_ASSERT_OK(txn.Run("DELETE FROM t"));
    DT_ASSERT_OK(txn.Run(std::string("INSERT INTO t VALUES (") + values + ")"));
  };
  const auto wrong = [&txn](const char* column) {
    const auto rows = txn.Run("SELECT id, name, der FROM t");
    DT_EXPECT_CODE(rows, kDataLoss);
    EXPECT_NE(std::string(rows.status().message()).find(std::string("column ") + column),
              std::string::npos);
  };
  put("1, 'a', x'00'");
  DT_EXPECT_OK(txn.Run("SELECT id, name, der FROM t"));
  put("NULL, NULL, NULL");
  DT_EXPECT_OK(txn.Run("SELECT id, name, der FROM t"));
  put("'one', 'a', x'00'");
  wrong("id");
  put("1, x'61', x'00'");
  wrong("name");
  put("1, 'a', 'text'");
  wrong("der");
  DT_EXPECT_OK(txn.Run("SELECT count(*) FROM t"));
}

TEST(SqliteTest, KeepsAStoreInMemory) {
  const auto database = Database::Open("sqlite::memory:", kItems).value();
  DT_ASSERT_OK(database->Write([](Transaction& txn) { return Insert(txn, 1); }));
  EXPECT_EQ(database->Read(&Count).value(), 1);
}

}  // namespace
}  // namespace devicetrust::db
