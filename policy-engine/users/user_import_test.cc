#include "policy-engine/users/user_import.h"

#include <gmock/gmock.h>

#include "libs/testing/status.h"
#include "policy-engine/users/user_admin_fixture.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class UserImportTest : public UserAdminTest {};

TEST_F(UserImportTest, RefusesABadImportAsAWhole) {
  const auto refused = [this](v1::UserImport bad) {
    const absl::Status status = Import({NewUser("good", 9), std::move(bad)});
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  v1::UserImport user = NewUser("bad", 10);
  user.set_sid("S-1-5-21)(x");
  EXPECT_THAT(refused(user), HasSubstr("SID"));
  user = NewUser("bad", 10);
  user.set_principal("");
  EXPECT_THAT(refused(user), HasSubstr("principal"));
  user = NewUser("bad", 9);
  EXPECT_THAT(refused(user), HasSubstr("share"));
  user = NewUser("GOOD", 10);
  EXPECT_THAT(refused(user), HasSubstr("share"));
  user = NewUser("bad", 10);
  user.add_groups("two\nlines");
  EXPECT_THAT(refused(user), HasSubstr("control"));
  user = NewUser("bad", 10);
  user.set_totp_secret("short");
  EXPECT_THAT(refused(user), HasSubstr("TOTP"));
  ImportOne("taken", 11);
  user = NewUser("taken", 12);  // Another SID with a principal that the org has.
  EXPECT_THAT(refused(user), HasSubstr("principal"));
  EXPECT_EQ(GetByPrincipal("good@corp.test").status().code(), absl::StatusCode::kNotFound);
}

// The other 999 are not the worse for it.
TEST_F(UserImportTest, AnswersPersonByPerson) {
  v1::UserImport no_sid = NewUser("bad", 2);
  no_sid.set_sid("none");
  v1::UserImport long_group = NewUser("long", 3);
  long_group.add_groups(std::string(257, 'g'));
  const v1::ImportUsersResponse answer =
      Mirror({NewUser("ann", 1), no_sid, long_group, NewUser("twin", 4), NewUser("TWIN", 5),
              NewUser("zoe", 6)});
  EXPECT_EQ(answer.added(), 2);
  ASSERT_THAT(answer.user_ids(), SizeIs(6));
  EXPECT_NE(answer.user_ids(0), "");
  EXPECT_EQ(answer.user_ids(1), "");
  EXPECT_NE(answer.user_ids(5), "");
  ASSERT_THAT(answer.refused(), SizeIs(4));
  EXPECT_EQ(answer.refused(0).index(), 1);
  EXPECT_EQ(answer.refused(0).principal(), "bad@Corp.Test");
  EXPECT_EQ(answer.refused(0).reason(), reason::v1::REASON_MALFORMED_REQUEST);
  EXPECT_THAT(answer.refused(0).message(), HasSubstr("SID"));
  EXPECT_NE(answer.refused(0).remedy(), "");
  EXPECT_THAT(answer.refused(1).message(), HasSubstr("256 characters"));
  EXPECT_THAT(answer.refused(2).message(), HasSubstr("the 4. and the 5."));
  EXPECT_EQ(answer.refused(3).index(), 4);
  EXPECT_EQ(EventsOf("user.import")[0].debug_data().at("refused"), "4");
}

TEST_F(UserImportTest, APrincipalPassesOnInWhateverOrder) {
  ASSERT_TRUE(Import({NewUser("ann", 1), NewUser("bob", 2), NewUser("eve", 3)}).ok());
  const std::string ann = imported_.user_ids(0);
  const std::string bob = imported_.user_ids(1);
  const std::string eve = imported_.user_ids(2);
  // A circle: each has the name of the next, and the next comes first as often as last.
  ASSERT_TRUE(Import({NewUser("bob", 1), NewUser("eve", 2), NewUser("ann", 3)}).ok());
  EXPECT_EQ(imported_.updated(), 3);
  EXPECT_EQ(PrincipalOf(ann), "bob@corp.test");
  EXPECT_EQ(PrincipalOf(bob), "eve@corp.test");
  EXPECT_EQ(PrincipalOf(eve), "ann@corp.test");
  ASSERT_TRUE(Import({NewUser("new", 3), NewUser("ann", 4)}).ok());
  ASSERT_TRUE(Import({NewUser("new", 5), NewUser("old", 3)}).ok());
  EXPECT_EQ(PrincipalOf(eve), "old@corp.test");
  EXPECT_EQ(GetByPrincipal("new@corp.test")->sid(), "S-1-5-21-1-2-3-5");
  EXPECT_EQ(GetByPrincipal("new@corp.test")->status(), v1::USER_STATUS_ACTIVE);
}

// Deleted and made anew in the directory: the same principal, another SID, another person.
TEST_F(UserImportTest, AnAccountMadeAnewTakesThePrincipalOver) {
  const std::string old_one = ImportOne("ann", 1);
  const v1::ImportUsersResponse answer = Mirror({NewUser("bob", 7), NewUser("ANN", 2)});
  EXPECT_EQ(answer.added(), 2);
  EXPECT_THAT(answer.refused(), IsEmpty());
  ASSERT_THAT(answer.retired(), SizeIs(1));
  EXPECT_EQ(answer.retired(0).user_id(), old_one);
  EXPECT_EQ(answer.retired(0).principal(), "ann@corp.test");
  EXPECT_EQ(answer.retired(0).successor_id(), answer.user_ids(1));
  const auto ann = GetByPrincipal("ann@corp.test");
  EXPECT_EQ(ann->id(), answer.user_ids(1));
  EXPECT_NE(ann->id(), old_one);
  EXPECT_EQ(ann->status(), v1::USER_STATUS_ACTIVE);
  EXPECT_EQ(PrincipalOf(old_one), "retired-" + old_one + "-ann@corp.test");
  // As after any deactivation: sessions end, certificates are revoked, the log tells.
  EXPECT_EQ(sessions_->After(0, 10)->changes.at(0).deactivated_user_id(), old_one);
  EXPECT_EQ(ca_.WaitForRevoked(1).at(0).user_id(), old_one);
  const auto events = EventsOf("user.lifecycle.deactivate");
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(events[0].targets(0).display_name(), "ann@corp.test");
  EXPECT_EQ(events[0].debug_data().at("successor"), ann->id());
  // Again, now that the one before is deactivated already; and a third time with the first SID.
  DT_ASSERT_OK(SetStatus(ann->id(), v1::USER_STATUS_DEACTIVATED));
  EXPECT_THAT(Mirror({NewUser("ann", 3)}).retired(), SizeIs(1));
  EXPECT_EQ(GetByPrincipal("ann@corp.test")->sid(), "S-1-5-21-1-2-3-3");
  EXPECT_EQ(Mirror({NewUser("ann2", 1)}).user_ids(0), old_one);
  EXPECT_EQ(PrincipalOf(old_one), "ann2@corp.test");
}

// In the last of several calls alone can it be said that a name is free.
TEST_F(UserImportTest, TakesNoPrincipalOverUnasked) {
  const std::string old_one = ImportOne("ann", 1);
  ImportOne("bob", 2);
  v1::UserImport refused = NewUser("new", 2);
  refused.add_groups("");
  const v1::ImportUsersResponse answer = Mirror(
      {NewUser("ann", 5), refused, NewUser("bob", 6), NewUser("zoe", 7)}, /*take_over=*/false);
  EXPECT_EQ(answer.added(), 1);
  ASSERT_THAT(answer.refused(), SizeIs(3));
  EXPECT_EQ(answer.refused(0).reason(), reason::v1::REASON_ALREADY_EXISTS);
  EXPECT_EQ(answer.refused(0).owner_sid(), "S-1-5-21-1-2-3-1");
  EXPECT_EQ(answer.refused(1).reason(), reason::v1::REASON_MALFORMED_REQUEST);
  EXPECT_EQ(answer.refused(2).reason(), reason::v1::REASON_ALREADY_EXISTS);  // Of who is refused.
  EXPECT_EQ(PrincipalOf(old_one), "ann@corp.test");
  EXPECT_EQ(GetByPrincipal("ann@corp.test")->status(), v1::USER_STATUS_ACTIVE);
}

TEST_F(UserImportTest, CutsALongDisplayNameBetweenCharacters) {
  std::string long_name;
  for (int i = 0; i < 300; ++i) long_name += "Д";
  v1::UserImport user = NewUser("ann", 1);
  user.set_display_name(long_name);
  ASSERT_TRUE(Import({user}).ok());
  EXPECT_EQ(GetByPrincipal("ann@corp.test")->display_name(), long_name.substr(0, 512));
}

TEST_F(UserImportTest, NamesCompareAsTheDirectoryComparesThem) {
  v1::UserImport user = NewUser(" JÜRGEN", 1);
  user.set_display_name("\u200eÉmile Zola\u00a0");
  user.set_sid("\u200e" + user.sid() + " ");
  ASSERT_TRUE(Import({user}).ok());
  const auto found = GetByPrincipal("jürgen@corp.test");
  DT_ASSERT_OK(found);
  EXPECT_EQ(found->display_name(), "Émile Zola");
  EXPECT_EQ(found->sid(), "S-1-5-21-1-2-3-1");
  DT_EXPECT_OK(GetByPrincipal("JüRGEN@CORP.test"));
  for (const char* query : {"JÜR", "jür", "ÉMILE", "émile"}) {
    v1::ListUsersRequest request;
    request.set_query(query);
    EXPECT_THAT(users_->List(request)->users(), SizeIs(1)) << query;
  }
  const absl::Status twin = Import({NewUser("jürgen", 2)});
  EXPECT_EQ(rpc::ReasonOf(twin), reason::v1::REASON_ALREADY_EXISTS);
}

// Rows of a release that told letters beyond ASCII apart by case.
TEST_F(UserImportTest, FillsInHowNamesOfAnEarlierReleaseCompare) {
  const std::string ann = ImportOne("jürgen", 1);
  const std::string twin = ImportOne("zoë", 2);
  const auto run = [this](auto change) { DT_ASSERT_OK(database_->Write(change)); };
  run([](db::Transaction& txn) {
    return txn.Run("UPDATE users SET principal_key = NULL, display_key = NULL").status();
  });
  run([&](db::Transaction& txn) {
    return txn.Run("UPDATE users SET principal = 'jÜrgen@corp.test' WHERE id = $1", {twin})
        .status();
  });
  for (int i = 0; i < 2; ++i) run([](db::Transaction& txn) { return FillNameKeys(txn); });
  const auto first = GetByPrincipal("JÜRGEN@corp.test");
  DT_ASSERT_OK(first);
  EXPECT_THAT(users_->List({})->users(), SizeIs(2));
  EXPECT_NE(PrincipalOf(ann), PrincipalOf(twin));
  ASSERT_TRUE(Import({NewUser("other", first->id() == ann ? 2 : 1)}).ok());
  DT_EXPECT_OK(GetByPrincipal("OTHER@corp.test"));
}

}  // namespace
}  // namespace devicetrust::policy
