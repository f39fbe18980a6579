#include "policy-engine/users/recovery_codes.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "libs/testing/status.h"
#include "policy-engine/migrations.h"

namespace devicetrust::policy {
namespace {

constexpr WallTime kNow{std::chrono::seconds(1'800'000'000)};

class RecoveryCodesTest : public ::testing::Test {
 protected:
  NewRecoveryCodes Give(const std::string& user) {
    const NewRecoveryCodes made = MakeRecoveryCodes(random_).value();
    DT_EXPECT_OK(database_->Write(
        [&](db::Transaction& txn) { return StoreRecoveryCodes(txn, user, made); }));
    return made;
  }
  std::optional<FoundRecoveryCode> Find(const std::string& user, const std::string& typed) {
    return database_->Read([&](db::Transaction& txn) { return FindRecoveryCode(txn, user, typed); })
        .value();
  }

  SystemRandom random_;
  std::unique_ptr<db::Database> database_ =
      db::Database::Open("sqlite::memory:", OrgMigrations()).value();
};

TEST_F(RecoveryCodesTest, AreTenDifferentOnesThatPeopleCanType) {
  const NewRecoveryCodes made = Give("ada");
  EXPECT_EQ(std::set<std::string>(made.codes.begin(), made.codes.end()).size(), kRecoveryCodes);
  for (const std::string& code : made.codes) {
    EXPECT_THAT(code, ::testing::MatchesRegex("([0-9A-Z]{4}-){3}[0-9A-Z]{4}"));
    EXPECT_TRUE(Find("ada", code).has_value());
    std::string typed = code;
    std::ranges::transform(typed, typed.begin(), [](char c) {
      return c == '-' ? ' ' : static_cast<char>(c >= 'A' ? c + 32 : c);
    });
    EXPECT_TRUE(Find("ada", typed).has_value());
    EXPECT_FALSE(Find("bob", code).has_value());
  }
  for (const char* const wrong : {"", "123456", "0000-0000-0000-0000", "-", "u"}) {
    EXPECT_FALSE(Find("ada", wrong).has_value());
  }
}

TEST_F(RecoveryCodesTest, AreKeptAsHashesThatSayNothingOfOthers) {
  const NewRecoveryCodes made = Give("ada");
  DT_ASSERT_OK(database_->Write(  // The same codes and salt, of somebody else.
      [&](db::Transaction& txn) { return StoreRecoveryCodes(txn, "bob", made); }));
  const auto rows = database_
                        ->Read([](db::Transaction& txn) {
                          return txn.Run("SELECT user_id, hash, salt FROM recovery_codes");
                        })
                        .value();
  std::set<std::string> hashes;
  for (const db::Row& row : rows) {
    hashes.insert(db::Text(row[1]));
    for (const std::string& code : made.codes) EXPECT_NE(db::Text(row[1]), code);
  }
  EXPECT_EQ(hashes.size(), 2 * kRecoveryCodes);
}

TEST_F(RecoveryCodesTest, EachIsSpentOnceAndNewOnesReplaceAll) {
  const NewRecoveryCodes made = Give("ada");
  const FoundRecoveryCode first = Find("ada", made.codes[0]).value();
  DT_ASSERT_OK(database_->Write(
      [&](db::Transaction& txn) { return SpendRecoveryCode(txn, "ada", first, kNow); }));
  EXPECT_EQ(Find("ada", made.codes[0])->used_at, kNow);
  EXPECT_FALSE(Find("ada", made.codes[1])->used_at.has_value());
  const auto count = [&] {
    return database_->Read([](db::Transaction& txn) { return CountRecoveryCodes(txn, "ada"); });
  };
  EXPECT_EQ(*count(), 9);
  Give("ada");
  EXPECT_EQ(*count(), 10);
  EXPECT_FALSE(Find("ada", made.codes[1]).has_value());
}

}  // namespace
}  // namespace devicetrust::policy
