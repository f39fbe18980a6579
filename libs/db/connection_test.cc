#include "libs/db/connection.h"

#include <gtest/gtest.h>

#include <array>

#include "libs/db/store_fixture.h"

namespace devicetrust::db {
namespace {

// No transaction of these tests is committed, so none leaves a table.
class ConnectionTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    store_ = OpenStore(Url()).value();
    connection_ = store_->Connect(Connection::Mode::kWriter).value();
  }
  Transaction Begin() { return connection_->Begin().value(); }

  std::unique_ptr<Store> store_;
  std::unique_ptr<Connection> connection_;
};

TEST_P(ConnectionTest, KeepsBytesAndTextApart) {
  Transaction txn = Begin();
  DT_ASSERT_OK(txn.Run("CREATE TABLE t (name TEXT, der BYTEA, empty BYTEA, none BYTEA)"));
  const Row row = {std::string("pc-1"), Bytes{0x30, 0x00, 0xFF}, Bytes{}, nullptr};
  DT_ASSERT_OK(txn.Run("INSERT INTO t VALUES ($1, $2, $3, $4)", row));

  EXPECT_EQ(txn.Run("SELECT name, der, empty, none FROM t").value(), std::vector<Row>{row});
}

TEST_P(ConnectionTest, TakesParametersByTheirNumbers) {
  Transaction txn = Begin();
  const auto rows = txn.Run("SELECT $2, $1, $2", {std::int64_t{1}, std::int64_t{2}});
  DT_ASSERT_OK(rows);
  EXPECT_EQ(Int(rows->at(0)[0]), 2);
  EXPECT_EQ(Int(rows->at(0)[1]), 1);
  EXPECT_EQ(Int(rows->at(0)[2]), 2);
  DT_EXPECT_CODE(txn.Run("SELECT $1, $3", {std::int64_t{1}, std::int64_t{2}}), kInternal);
}

// The second run uses the kept statement: it must not see the first one's values.
TEST_P(ConnectionTest, RunsAStatementAgainWithOtherValues) {
  Transaction txn = Begin();
  DT_ASSERT_OK(txn.Run("CREATE TABLE t (id BIGINT PRIMARY KEY)"));
  const std::string insert = "INSERT INTO t VALUES ($1)";
  const std::array<Value, 1> one = {std::int64_t{1}};
  const std::array<Value, 1> two = {std::int64_t{2}};
  DT_EXPECT_OK(txn.Run(insert, one));
  DT_EXPECT_OK(txn.Run(insert, two));
  EXPECT_EQ(txn.Run("SELECT count(*) FROM t").value(), (std::vector<Row>{{std::int64_t{2}}}));
  DT_EXPECT_CODE(txn.Run(insert, one), kAlreadyExists);
}

TEST_P(ConnectionTest, RollsBackWhatWasNotCommitted) {
  {
    Transaction txn = Begin();
    DT_ASSERT_OK(txn.Run("CREATE TABLE t (id BIGINT PRIMARY KEY)"));
  }
  Transaction txn = Begin();
  DT_EXPECT_CODE(txn.Run("SELECT id FROM t"), kInternal);
}

// What Database undoes one call of a commit with.
TEST_P(ConnectionTest, GoesOnAfterARollbackToASavepoint) {
  Transaction txn = Begin();
  DT_ASSERT_OK(txn.Run("CREATE TABLE t (id BIGINT PRIMARY KEY)"));
  DT_ASSERT_OK(txn.Run("INSERT INTO t VALUES (1)"));
  DT_ASSERT_OK(txn.Run("SAVEPOINT one_call"));
  DT_ASSERT_OK(txn.Run("INSERT INTO t VALUES (2)"));
  DT_EXPECT_CODE(txn.Run("INSERT INTO t VALUES (1)"), kAlreadyExists);
  DT_ASSERT_OK(txn.Run("ROLLBACK TO one_call"));
  DT_ASSERT_OK(txn.Run("RELEASE one_call"));
  DT_ASSERT_OK(txn.Run("INSERT INTO t VALUES (3)"));
  EXPECT_EQ(txn.Run("SELECT id FROM t ORDER BY id").value(),
            (std::vector<Row>{{std::int64_t{1}}, {std::int64_t{3}}}));
}

TEST_P(ConnectionTest, MakesTablesWithEachKindOfKey) {
  Transaction txn = Begin();
  constexpr Table kNumbered = {
      .name = "numbered", .number_key = "number", .columns = "name TEXT NOT NULL"};
  constexpr Table kClustered = {.name = "clustered",
                                .columns = "a TEXT NOT NULL, b BIGINT NOT NULL, PRIMARY KEY (a, b)",
                                .clustered = true};
  for (Table table : {kNumbered, kClustered}) {
    DT_ASSERT_OK(txn.Run(connection_->CreateTable(table))) << table.name;
    table.if_missing = true;
    DT_EXPECT_OK(txn.Run(connection_->CreateTable(table))) << table.name;
  }
  constexpr std::int64_t kLarge = 0x7fff'ffff'ffff'ffff;
  DT_ASSERT_OK(txn.Run("INSERT INTO numbered (number, name) VALUES ($1, 'x')", {kLarge}));
  EXPECT_EQ(txn.Run("SELECT number, name FROM numbered").value(),
            (std::vector<Row>{{kLarge, std::string("x")}}));
  DT_ASSERT_OK(txn.Run("INSERT INTO clustered (a, b) VALUES ('x', 1), ('x', 2)"));
  DT_EXPECT_CODE(txn.Run("INSERT INTO clustered (a, b) VALUES ('x', 1)"), kAlreadyExists);
}

INSTANTIATE_TEST_SUITE_P(Stores, ConnectionTest, ::testing::ValuesIn(Stores()));

TEST(CheckUrlTest, TakesTheKindsThatThereAre) {
  DT_EXPECT_OK(CheckUrl("sqlite:/var/lib/dt/ca.db"));
  DT_EXPECT_OK(CheckUrl("sqlite::memory:"));
  for (const char* url : {"", "sqlite:", "mysql://a", "/var/lib/dt/ca.db"}) {
    DT_EXPECT_CODE(CheckUrl(url), kInvalidArgument) << url;
    DT_EXPECT_CODE(OpenStore(url), kInvalidArgument) << url;
  }
}

}  // namespace
}  // namespace devicetrust::db
