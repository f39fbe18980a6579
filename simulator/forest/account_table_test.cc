#include "simulator/forest/account_table.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "libs/throwaway/seeded_random.h"

namespace devicetrust::simulator {
namespace {

class AccountTableTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto table = AccountTable::Create(path_, 30'000, clock_, random_);
    DT_ASSERT_OK(table);
    table_ = *std::move(table);
    auto realm = table_->AddRealm({.name = "CORP.TEST", .netbios = "CORP"});
    DT_ASSERT_OK(realm);
    corp_ = *realm;
  }
  absl::StatusOr<std::uint32_t> AddOne(NewAccount account) {
    return table_->Add(corp_, {&account, 1});
  }

  testing::TempFolder folder_;
  const std::string path_ = folder_ / "accounts";
  SystemClock clock_;
  throwaway::SeededRandom random_{7};
  std::unique_ptr<AccountTable> table_;
  std::uint32_t corp_ = 0;
};

TEST_F(AccountTableTest, AnAccountIsFoundByEveryName) {
  const auto staff = table_->AddGroup(corp_, "Staff");
  DT_ASSERT_OK(staff);
  const auto slot = AddOne({.name = "ada",
                            .password = "Kq7-u2m",
                            .group_rids = {*staff},
                            .display_name = "Ada, Countess of Lovelace",
                            .ou = "Staff"});
  DT_ASSERT_OK(slot);
  const auto reader = AccountView::Open(path_);
  DT_ASSERT_OK(reader);
  const Row row = reader->Read(*slot);
  EXPECT_EQ(row.person.dn.view(), "CN=Ada\\, Countess of Lovelace,OU=Staff,DC=corp,DC=test");
  EXPECT_EQ(row.person.upn.view(), "ada@corp.test");
  EXPECT_EQ(reader->FindPrincipal("ada@CORP.TEST"), *slot);
  EXPECT_EQ(reader->FindName(corp_, "ADA"), *slot);
  EXPECT_EQ(reader->FindUpn("Ada@corp.test"), *slot);
  EXPECT_EQ(reader->FindDn("cn=ada\\, countess of lovelace,ou=staff,dc=corp,dc=test"), *slot);
  EXPECT_EQ(reader->FindRid(corp_, row.account.rid), *slot);
  EXPECT_EQ(reader->FindGroup(corp_, *staff)->name.view(), "Staff");
}

TEST_F(AccountTableTest, APrincipalIsExact) {
  DT_ASSERT_OK(AddOne({.name = "ada"}));
  const AccountView& view = table_->view();
  EXPECT_TRUE(view.FindPrincipal("Ada@CORP.TEST"));
  EXPECT_FALSE(view.FindPrincipal("ada@corp.test"));
  EXPECT_FALSE(view.FindPrincipal("ada"));
  EXPECT_FALSE(view.FindPrincipal("krbtgt/OTHER.TEST@CORP.TEST"));
  EXPECT_TRUE(view.FindPrincipal("krbtgt/CORP.TEST@CORP.TEST"));
}

TEST_F(AccountTableTest, DoublesAreRefusedAndNothingIsAdded) {
  DT_ASSERT_OK(AddOne({.name = "ada"}));
  const std::uint32_t before = table_->view().size();
  const std::vector<NewAccount> batch = {{.name = "grace"}, {.name = "ADA"}};
  DT_EXPECT_CODE(table_->Add(corp_, batch), kAlreadyExists);
  const std::vector<NewAccount> twins = {{.name = "tom"}, {.name = "Tom"}};
  DT_EXPECT_CODE(table_->Add(corp_, twins), kAlreadyExists);
  EXPECT_EQ(table_->view().size(), before);
  EXPECT_FALSE(table_->view().FindName(corp_, "grace"));
}

TEST_F(AccountTableTest, BadInputIsNamed) {
  DT_EXPECT_CODE(AddOne({.name = std::string(200, 'x')}), kInvalidArgument);
  DT_EXPECT_CODE(AddOne({.name = "a@b"}), kInvalidArgument);
  DT_EXPECT_CODE(AddOne({.name = ""}), kInvalidArgument);
  DT_EXPECT_CODE(table_->SetFlag(corp_, "nobody", kDisabled, true), kNotFound);
  DT_EXPECT_CODE(table_->AddRealm({.name = "CORP.TEST", .netbios = "C"}), kAlreadyExists);
}

TEST_F(AccountTableTest, AMoveChangesTheDn) {
  const auto slot = AddOne({.kind = AccountKind::kComputer, .name = "PC1$"});
  DT_ASSERT_OK(slot);
  EXPECT_EQ(table_->view().FindDn("CN=PC1,CN=Computers,DC=corp,DC=test"), *slot);
  DT_ASSERT_OK(table_->Move(corp_, "PC1$", "North"));
  EXPECT_EQ(table_->view().FindDn("CN=PC1,OU=North,DC=corp,DC=test"), *slot);
  EXPECT_FALSE(table_->view().FindDn("CN=PC1,CN=Computers,DC=corp,DC=test"));
}

TEST_F(AccountTableTest, ANewPasswordIsANewKeyVersion) {
  const auto slot = AddOne({.name = "ada", .password = "old"});
  DT_ASSERT_OK(slot);
  const Row before = table_->view().Read(*slot);
  DT_ASSERT_OK(table_->SetPassword(corp_, "ada", "new"));
  const Row after = table_->view().Read(*slot);
  EXPECT_EQ(after.account.kvno, before.account.kvno + 1);
  EXPECT_EQ(after.account.password.view(), "new");
  EXPECT_NE(after.account.key, before.account.key);
  EXPECT_GT(after.usn, before.usn);
}

TEST_F(AccountTableTest, AnotherFileIsRefused) {
  DT_EXPECT_CODE(AccountView::Open(path_ + ".none"), kNotFound);
  DT_EXPECT_CODE(AccountView::Open("/proc/self/exe"), kFailedPrecondition);
}

TEST_F(AccountTableTest, TwentyThousandAccountsAreAddedAtOnce) {
  std::vector<NewAccount> accounts;
  for (int i = 0; i < 20'000; ++i) {
    accounts.push_back({.name = fmt::format("user{}", i), .password = fmt::format("pw{}", i)});
  }
  DT_ASSERT_OK(table_->Add(corp_, accounts));
  EXPECT_TRUE(table_->view().FindUpn("user0@corp.test"));
  EXPECT_TRUE(table_->view().FindUpn("user19999@corp.test"));
}

TEST_F(AccountTableTest, AReaderNeverSeesHalfAChange) {
  const auto slot = AddOne({.name = "ada", .password = "1", .display_name = "x"});
  DT_ASSERT_OK(slot);
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int i = 2; !stop; ++i) {
      ASSERT_TRUE(table_->SetPassword(corp_, "ada", std::to_string(i)).ok());
    }
  });
  const auto reader = AccountView::Open(path_);
  ASSERT_TRUE(reader.ok());
  for (int i = 0; i < 20'000; ++i) {
    const Row row = reader->Read(*slot);
    ASSERT_EQ(row.account.password.view(), std::to_string(row.account.kvno));
  }
  stop = true;
  writer.join();
}

}  // namespace
}  // namespace devicetrust::simulator
