// What the tests of libs/db share. Those of StoreTest are what every driver must pass: they run
// against each URL of Stores(), so against another kind of store, emptied before each test, with
//
//   DT_TEST_STORE_URL=URL build/release/tests/dt_db_test
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "libs/db/database.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"

namespace devicetrust::db {

inline const std::array<Migration, 1> kItems = {
    Migration{1, "items", {{.name = "items", .columns = "id BIGINT PRIMARY KEY, data BYTEA"}}}};

inline absl::Status Insert(Transaction& txn, std::int64_t id, std::size_t bytes = 1) {
  return txn.Run("INSERT INTO items (id, data) VALUES ($1, $2)", {id, Bytes(bytes, 7)}).status();
}

inline absl::StatusOr<std::int64_t> Count(Transaction& txn) {
  DT_ASSIGN_OR_RETURN(const auto rows, txn.Run("SELECT count(*) FROM items"));
  return Int(rows[0][0]);
}

inline absl::Status Add(Database& database, std::int64_t id, std::size_t bytes = 1) {
  return database.Write([&](Transaction& txn) { return Insert(txn, id, bytes); });
}

class StoreTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const auto store = OpenStore(Url()).value();
    const auto connection = store->Connect(Connection::Mode::kWriter).value();
    for (const char* table : {"items", "outbox", "sequences", "schema_migrations"}) {
      Transaction txn = connection->Begin().value();
      DT_ASSERT_OK(txn.Run(std::string("DROP TABLE IF EXISTS ") + table));
      DT_ASSERT_OK(txn.Commit());
    }
  }
  std::string Url() const {
    return GetParam() == "sqlite:" ? GetParam() + folder_ / "store.db" : GetParam();
  }
  std::unique_ptr<Database> Open(DatabaseOptions options = {}) {
    return Database::Open(Url(), kItems, options).value();
  }

  testing::TempFolder folder_;
};

// For INSTANTIATE_TEST_SUITE_P.
inline std::vector<std::string> Stores() {
  std::vector<std::string> urls = {"sqlite:"};
  if (const char* const named = std::getenv("DT_TEST_STORE_URL")) urls.emplace_back(named);
  return urls;
}

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

}  // namespace devicetrust::db
