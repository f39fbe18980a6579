#include "libs/db/connection.h"

#include <gtest/gtest.h>

#include <array>
#include <filesystem>

#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"

namespace devicetrust::db {
namespace {

TEST(ConnectionTest, KeepsBytesAndTextApart) {
  const auto db = Connection::Open("sqlite::memory:").value();
  Transaction txn = db->Begin().value();
  DT_ASSERT_OK(txn.Run("CREATE TABLE t (name TEXT, der BLOB, empty BLOB, none BLOB)"));
  const Row row = {std::string("pc-1"), Bytes{0x30, 0x00, 0xFF}, Bytes{}, nullptr};
  DT_ASSERT_OK(txn.Run("INSERT INTO t VALUES ($1, $2, $3, $4)", row));

  EXPECT_EQ(txn.Run("SELECT name, der, empty, none FROM t").value(), std::vector<Row>{row});
  EXPECT_EQ(txn.Run("SELECT typeof(name), typeof(der) FROM t").value(),
            (std::vector<Row>{{std::string("text"), std::string("blob")}}));
}

TEST(ConnectionTest, TakesParametersByTheirNumbers) {
  auto connection = Connection::Open("sqlite::memory:").value();
  Transaction txn = connection->Begin().value();
  const auto rows = txn.Run("SELECT $2, $1, $2", {std::int64_t{1}, std::int64_t{2}});
  DT_ASSERT_OK(rows);
  EXPECT_EQ(Int(rows->at(0)[0]), 2);
  EXPECT_EQ(Int(rows->at(0)[1]), 1);
  EXPECT_EQ(Int(rows->at(0)[2]), 2);
  DT_EXPECT_CODE(txn.Run("SELECT $1, $3", {std::int64_t{1}, std::int64_t{2}}), kInternal);
}

// The second run uses the kept statement: it must not see the first one's values.
TEST(ConnectionTest, RunsAStatementAgainWithOtherValues) {
  const auto db = Connection::Open("sqlite::memory:").value();
  Transaction txn = db->Begin().value();
  DT_ASSERT_OK(txn.Run("CREATE TABLE t (id INTEGER PRIMARY KEY)"));
  const std::string insert = "INSERT INTO t VALUES ($1)";
  const std::array<Value, 1> one = {std::int64_t{1}};
  const std::array<Value, 1> two = {std::int64_t{2}};
  DT_EXPECT_OK(txn.Run(insert, one));
  DT_EXPECT_CODE(txn.Run(insert, one), kAlreadyExists);
  DT_EXPECT_OK(txn.Run(insert, two));
  EXPECT_EQ(txn.Run("SELECT count(*) FROM t").value(), (std::vector<Row>{{std::int64_t{2}}}));
}

TEST(ConnectionTest, RefusesAFileThatIsInUse) {
  const testing::TempFolder folder;
  const std::string url = "sqlite:" + folder / "ca.db";

  auto first = Connection::Open(url);
  DT_ASSERT_OK(first);
  DT_EXPECT_CODE(Connection::Open(url), kFailedPrecondition);
  std::filesystem::create_symlink("ca.db", folder / "link.db");
  DT_EXPECT_CODE(Connection::Open("sqlite:" + folder / "link.db"), kFailedPrecondition);
  first->reset();
  DT_EXPECT_OK(Connection::Open(url));
}

}  // namespace
}  // namespace devicetrust::db
