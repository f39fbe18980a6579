// Trusts as the account table has them: who trusts whom, and where tickets lead.
#include <gtest/gtest.h>

#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "libs/throwaway/seeded_random.h"
#include "simulator/forest/account_table.h"

namespace devicetrust::simulator {
namespace {

using Direction = TrustDirection;

// Forest corp.test with eu.corp.test below it, uk.eu.corp.test below that and the tree shop.test;
// forests partner.test, with lab.partner.test, and far.test.
class TrustsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    table_ = AccountTable::Create(folder_ / "accounts", 100, clock_, random_).value();
    corp_ = Add("CORP.TEST");
    eu_ = Add("EU.CORP.TEST", corp_);
    uk_ = Add("UK.EU.CORP.TEST", corp_);
    shop_ = Add("SHOP.TEST", corp_);
    partner_ = Add("PARTNER.TEST");
    lab_ = Add("LAB.PARTNER.TEST", partner_);
    far_ = Add("FAR.TEST");
    for (const std::uint32_t realm : {eu_, uk_, shop_, lab_}) {
      const auto parent = view().ParentOf(realm);
      ASSERT_TRUE(parent);
      DT_ASSERT_OK(table_->SetTrust(realm, *parent, Direction::kBoth));
    }
  }
  std::uint32_t Add(const std::string& name, std::optional<std::uint32_t> forest = {}) {
    return table_->AddRealm({.name = name, .netbios = name.substr(0, 4), .forest = forest}).value();
  }
  const AccountView& view() const { return table_->view(); }

  testing::TempFolder folder_;
  SystemClock clock_;
  throwaway::SeededRandom random_{7};
  std::unique_ptr<AccountTable> table_;
  std::uint32_t corp_ = 0, eu_ = 0, uk_ = 0, shop_ = 0, partner_ = 0, lab_ = 0, far_ = 0;
};

TEST_F(TrustsTest, AForestIsATreeOfNames) {
  EXPECT_EQ(view().ParentOf(uk_), eu_);
  EXPECT_EQ(view().ParentOf(eu_), corp_);
  EXPECT_EQ(view().ParentOf(shop_), corp_);
  EXPECT_FALSE(view().ParentOf(corp_));
  EXPECT_EQ(view().RealmOfHost("web.uk.eu.corp.test"), uk_);
  EXPECT_EQ(view().RealmOfHost("EU.Corp.Test"), eu_);
  EXPECT_FALSE(view().RealmOfHost("xcorp.test"));
}

TEST_F(TrustsTest, TicketsClimbAndDescendTheTree) {
  EXPECT_EQ(view().NextHop(uk_, shop_), eu_);
  EXPECT_EQ(view().NextHop(eu_, shop_), corp_);
  EXPECT_EQ(view().NextHop(corp_, shop_), shop_);
  EXPECT_EQ(view().NextHop(shop_, uk_), corp_);
  EXPECT_EQ(view().NextHop(corp_, uk_), eu_);
  EXPECT_EQ(view().NextHop(eu_, uk_), uk_);
  EXPECT_FALSE(view().NextHop(uk_, uk_));
  EXPECT_FALSE(view().NextHop(uk_, lab_));
}

TEST_F(TrustsTest, AForestTrustLeadsFromRootToRootAndOneWay) {
  DT_ASSERT_OK(table_->SetTrust(corp_, partner_, Direction::kOutbound));
  EXPECT_EQ(view().NextHop(lab_, uk_), partner_);
  EXPECT_EQ(view().NextHop(partner_, uk_), corp_);
  EXPECT_EQ(view().NextHop(corp_, uk_), eu_);
  EXPECT_FALSE(view().NextHop(uk_, lab_));
  EXPECT_FALSE(view().NextHop(corp_, partner_));
  const Trust ours = view().TrustBetween(corp_, partner_);
  EXPECT_EQ(ours.direction, Direction::kOutbound);
  EXPECT_EQ(ours.attributes, kTrustForestTransitive);
  EXPECT_EQ(view().TrustBetween(partner_, corp_).direction, Direction::kInbound);
  EXPECT_EQ(view().TrustBetween(eu_, corp_).attributes, kTrustWithinForest);
  EXPECT_TRUE(view().FindPrincipal("krbtgt/CORP.TEST@PARTNER.TEST"));
  EXPECT_FALSE(view().FindPrincipal("krbtgt/PARTNER.TEST@CORP.TEST"));
}

TEST_F(TrustsTest, APartnerVouchesForItsOwnForestAlone) {
  DT_ASSERT_OK(table_->SetTrust(corp_, partner_, Direction::kBoth));
  DT_ASSERT_OK(table_->SetTrust(partner_, far_, Direction::kBoth));
  EXPECT_TRUE(view().MayVouch(corp_, partner_, partner_));
  EXPECT_TRUE(view().MayVouch(corp_, partner_, lab_));
  EXPECT_FALSE(view().MayVouch(corp_, partner_, far_));
  EXPECT_FALSE(view().MayVouch(corp_, partner_, corp_));
  EXPECT_FALSE(view().MayVouch(corp_, far_, far_));
  EXPECT_TRUE(view().MayVouch(eu_, corp_, lab_));  // Filtered where it came in.
  EXPECT_FALSE(view().NextHop(far_, corp_));
}

TEST_F(TrustsTest, ATrustOfTwoDomainsIsTheirsAlone) {
  DT_ASSERT_OK(table_->SetTrust(eu_, lab_, Direction::kOutbound));
  EXPECT_EQ(view().TrustBetween(eu_, lab_).attributes, kTrustQuarantined);
  EXPECT_EQ(view().NextHop(lab_, eu_), eu_);
  EXPECT_FALSE(view().NextHop(lab_, uk_));
  EXPECT_FALSE(view().NextHop(partner_, eu_));
  EXPECT_TRUE(view().MayVouch(eu_, lab_, lab_));
  EXPECT_FALSE(view().MayVouch(eu_, lab_, partner_));
}

TEST_F(TrustsTest, ATrustGoesAndComesAgainWithNewKeys) {
  const std::uint32_t rows = view().size();
  DT_ASSERT_OK(table_->SetTrust(corp_, partner_, Direction::kBoth));
  const char* name = "krbtgt/CORP.TEST@PARTNER.TEST";
  const Account first = view().Read(*view().FindPrincipal(name)).account;
  const std::uint64_t usn = view().TrustBetween(corp_, partner_).usn;
  DT_ASSERT_OK(table_->SetTrust(partner_, corp_, Direction::kNone));
  EXPECT_FALSE(view().FindPrincipal(name));
  EXPECT_FALSE(view().NextHop(partner_, corp_));
  EXPECT_EQ(view().TrustBetween(corp_, partner_).direction, Direction::kNone);
  for (int i = 0; i < 50; ++i) {
    DT_ASSERT_OK(table_->SetTrust(corp_, partner_, Direction::kBoth));
    DT_ASSERT_OK(table_->SetTrust(corp_, partner_, Direction::kNone));
  }
  DT_ASSERT_OK(table_->SetTrust(corp_, partner_, Direction::kBoth));
  const Account again = view().Read(*view().FindPrincipal(name)).account;
  EXPECT_NE(again.key, first.key);
  EXPECT_GT(again.kvno, first.kvno);
  EXPECT_GT(view().TrustBetween(corp_, partner_).usn, usn);
  EXPECT_EQ(view().size(), rows + 2);
}

TEST_F(TrustsTest, BadTrustsAreRefused) {
  DT_EXPECT_CODE(table_->SetTrust(corp_, corp_, Direction::kBoth), kInvalidArgument);
  DT_EXPECT_CODE(table_->SetTrust(corp_, 99, Direction::kBoth), kInvalidArgument);
}

TEST_F(TrustsTest, TheScopeOfAGroupSaysWhoMayBeInIt) {
  const auto group = [&](std::uint32_t realm, const char* name, GroupScope scope) {
    return Member{realm, table_->AddGroup(realm, name, scope).value()};
  };
  const Member global = group(corp_, "G", GroupScope::kGlobal);
  const Member universal = group(corp_, "U", GroupScope::kUniversal);
  const Member local = group(corp_, "L", GroupScope::kDomainLocal);
  const Member eu_global = group(eu_, "EG", GroupScope::kGlobal);
  const Member eu_local = group(eu_, "EL", GroupScope::kDomainLocal);
  const Member guests = group(partner_, "PG", GroupScope::kGlobal);
  const auto joins = [&](const Member& member, const Member& into) {
    return table_->SetForeignMember(into.realm, into.rid, member, true).code();
  };
  constexpr auto kRefused = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(joins(eu_global, global), kRefused);
  EXPECT_EQ(joins(eu_global, universal), absl::StatusCode::kOk);
  EXPECT_EQ(joins(guests, universal), kRefused);
  EXPECT_EQ(joins(eu_local, local), kRefused);
  EXPECT_EQ(joins(guests, local), absl::StatusCode::kOk);
  EXPECT_EQ(joins(universal, eu_local), absl::StatusCode::kOk);
  EXPECT_EQ(joins(universal, local), kRefused);  // Of one domain: SetGroupParents().
  EXPECT_EQ(view().ForeignMembers(2), std::vector<Member>{guests});
  DT_EXPECT_OK(table_->SetGroupParents(corp_, universal.rid, std::vector{local.rid}));
  DT_EXPECT_CODE(table_->SetGroupParents(corp_, local.rid, std::vector{universal.rid}),
                 kInvalidArgument);
  DT_EXPECT_OK(table_->SetForeignMember(corp_, local.rid, guests, false));
  EXPECT_TRUE(view().ForeignMembers(2).empty());
}

}  // namespace
}  // namespace devicetrust::simulator
