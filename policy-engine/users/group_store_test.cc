#include "policy-engine/users/group_store.h"

#include <gtest/gtest.h>

#include "libs/db/database.h"
#include "libs/testing/status.h"
#include "policy-engine/migrations.h"
#include "policy-engine/users/user_store.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

class GroupStoreTest : public ::testing::Test {
 protected:
  void Import(const std::vector<std::pair<std::string, std::vector<std::string>>>& people) {
    DT_ASSERT_OK(database_->Write([&](db::Transaction& txn) -> absl::Status {
      GroupChanges changes;
      for (const auto& [name, groups] : people) {
        v1::UserImport user;
        user.set_sid("S-1-5-21-1-2-3-" + name);
        user.set_principal(name + "@corp.test");
        for (const std::string& group : groups) user.add_groups(group);
        DT_RETURN_IF_ERROR(StoreUser(txn, user, "id-" + name, changes).status());
      }
      return changes.Write(txn);
    }));
  }
  std::string Find(const std::string& name) {
    return database_->Read([&](db::Transaction& txn) { return FindGroup(txn, name); }).value();
  }

  const std::unique_ptr<db::Database> database_ =
      db::Database::Open("sqlite::memory:", OrgMigrations()).value();
};

TEST_F(GroupStoreTest, FindsAGroupAsLongAsSomebodyIsInIt) {
  Import({{"ada", {"Support", "Zürich"}}, {"bob", {"support"}}, {"carol", {}}});
  EXPECT_EQ(Find("SUPPORT"), "Support");
  EXPECT_EQ(Find("zÜRICH"), "Zürich");
  EXPECT_EQ(Find("Sales"), "");
  EXPECT_EQ(Find(""), "");
  Import({{"ada", {"Sales"}}});
  EXPECT_EQ(Find("Support"), "Support");  // Of Bob.
  EXPECT_EQ(Find("Zürich"), "");
  EXPECT_EQ(Find("Sales"), "Sales");
  Import({{"bob", {}}});
  EXPECT_EQ(Find("Support"), "");
}

TEST_F(GroupStoreTest, CountsAPersonOnceHoweverOftenImported) {
  Import({{"ada", {"Support", "SUPPORT"}}});
  for (int i = 0; i < 3; ++i) Import({{"ada", {"support"}}});
  // Who leaves and who comes in one call even each other out.
  Import({{"ada", {}}, {"bob", {"Support"}}});
  EXPECT_EQ(Find("Support"), "Support");
  Import({{"bob", {}}});
  EXPECT_EQ(Find("Support"), "");
}

TEST_F(GroupStoreTest, CountsWhomAnEarlierReleaseStored) {
  Import({{"ada", {"Support"}}, {"bob", {"Support", "Sales"}}});
  const auto run = [this](auto change) { DT_ASSERT_OK(database_->Write(change)); };
  run([](db::Transaction& txn) { return txn.Run("DELETE FROM user_groups").status(); });
  for (int i = 0; i < 2; ++i) run([](db::Transaction& txn) { return FillGroups(txn); });
  Import({{"ada", {}}});
  EXPECT_EQ(Find("support"), "Support");
  Import({{"bob", {"Sales"}}});
  EXPECT_EQ(Find("support"), "");
  EXPECT_EQ(Find("sales"), "Sales");
}

}  // namespace
}  // namespace devicetrust::policy
