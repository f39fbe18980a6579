#include "policy-engine/people_sync/people_sync.h"

#include <gmock/gmock.h>

#include "libs/testing/temp_folder.h"
#include "policy-engine/people_sync/people_sync_fixture.h"
#include "policy-engine/users/group_store.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(PeopleSyncTest, PeopleComeWithTheirGroupsThroughOthersToo) {
  controller_.Join("Staff", "Everybody");
  controller_.Join("Everybody", "Staff");  // Round and round.
  directory::ListedPerson& ada = controller_.Add("ada", 1105, {"Staff"});
  ada.display_name = "Ada Lovelace";
  ada.principal.clear();
  controller_.Add("guest", 501).enabled = false;
  DT_ASSERT_OK(Pass());
  const v1::User user = UserOf(1105);
  EXPECT_EQ(user.principal(), "ada@corp.test");
  EXPECT_EQ(user.display_name(), "Ada Lovelace");
  EXPECT_EQ(user.synced_from(), "corp.test");
  EXPECT_EQ(user.status(), v1::USER_STATUS_ACTIVE);
  EXPECT_THAT(GroupsOf(user), ElementsAre("Domain Users", "Everybody", "Staff"));
  EXPECT_EQ(UserOf(501).id(), "");
  EXPECT_EQ(Status().people(), 1);
  EXPECT_EQ(Status().last().added(), 1);
  EXPECT_THAT(EventsOf("user.lifecycle.create"), SizeIs(1));
}

TEST_F(PeopleSyncTest, AChangeIsReadAlone) {
  AddMany(50);
  DT_ASSERT_OK(Pass());
  controller_.Change("user7").display_name = "Seven";
  controller_.Join("user8", "Everybody");
  controller_.Part("user9", "Staff");
  controller_.Add("new", 1200, {"Everybody"});
  DT_ASSERT_OK(Pass());
  EXPECT_EQ(controller_.everybody, 1);
  EXPECT_EQ(controller_.changes, 1);
  EXPECT_EQ(UserOf(2007).display_name(), "Seven");
  EXPECT_THAT(GroupsOf(UserOf(2007)), ElementsAre("Domain Users", "Staff"));
  EXPECT_THAT(GroupsOf(UserOf(2008)), ElementsAre("Domain Users", "Everybody", "Staff"));
  EXPECT_THAT(GroupsOf(UserOf(2009)), ElementsAre("Domain Users"));
  EXPECT_EQ(UserOf(1200).principal(), "new@corp.test");
  EXPECT_EQ(Status().last().updated(), 3);
  EXPECT_EQ(Status().last().added(), 1);
  DT_ASSERT_OK(Pass());
  EXPECT_EQ(Status().last().updated() + Status().last().added(), 0);
  EXPECT_THAT(EventsOf("people.sync"), SizeIs(2));  // Of nothing there is nothing to tell.
}

TEST_F(PeopleSyncTest, ThePictureOutlivesARestart) {
  AddMany(5);
  DT_ASSERT_OK(Pass());
  Begin();
  controller_.Join("Staff", "Everybody");
  DT_ASSERT_OK(Pass());
  EXPECT_EQ(controller_.everybody, 1);
  EXPECT_THAT(GroupsOf(UserOf(2003)), ElementsAre("Domain Users", "Everybody", "Staff"));
  EXPECT_EQ(Status().last().updated(), 5);
}

TEST_F(PeopleSyncTest, AnotherControllerOrARestoredOneIsReadWhole) {
  AddMany(5);
  DT_ASSERT_OK(Pass());
  controller_.invocation_id = "fedcba9876543210";
  DT_ASSERT_OK(Pass());
  EXPECT_EQ(controller_.everybody, 2);
  controller_.usn -= 3;  // A copy of yesterday that kept its id.
  DT_ASSERT_OK(Pass());
  EXPECT_EQ(controller_.everybody, 3);
  clock_.Advance(std::chrono::hours(25));
  DT_ASSERT_OK(Pass());
  EXPECT_EQ(controller_.everybody, 4);
  DT_ASSERT_OK(Pass());
  EXPECT_EQ(controller_.everybody, 4);
  EXPECT_EQ(Status().last().updated(), 0);
}

TEST_F(PeopleSyncTest, WhoIsGoneOrDisabledIsDeactivatedAndRevoked) {
  AddMany(5);
  DT_ASSERT_OK(Pass());
  controller_.Change("user0").enabled = false;
  controller_.Remove("user1");
  controller_.Change("user2").expires_at = clock_.Now() + std::chrono::hours(1);
  DT_ASSERT_OK(Pass());
  for (const int rid : {2000, 2001}) {
    EXPECT_EQ(UserOf(rid).status(), v1::USER_STATUS_DEACTIVATED) << rid;
    EXPECT_TRUE(UserOf(rid).deactivated_by_directory());
  }
  EXPECT_EQ(UserOf(2002).status(), v1::USER_STATUS_ACTIVE);
  EXPECT_THAT(ca_.WaitForRevoked(2), SizeIs(2));
  clock_.Advance(std::chrono::hours(2));  // Nothing changes in the directory.
  DT_ASSERT_OK(Pass());
  EXPECT_EQ(UserOf(2002).status(), v1::USER_STATUS_DEACTIVATED);
  EXPECT_THAT(EventsOf("user.lifecycle.deactivate"), SizeIs(3));
  EXPECT_EQ(Status().people(), 2);
}

TEST_F(PeopleSyncTest, WhoseDeletionIsNotShownIsMissedWhenEverybodyIsRead) {
  controller_.shows_deleted = false;
  AddMany(5);
  DT_ASSERT_OK(Pass());
  controller_.deleted.clear();
  controller_.people.erase("user1");
  DT_ASSERT_OK(Pass());
  EXPECT_EQ(UserOf(2001).status(), v1::USER_STATUS_ACTIVE);
  EXPECT_FALSE(Status().shows_deleted());
  clock_.Advance(std::chrono::minutes(61));
  DT_ASSERT_OK(Pass());
  EXPECT_EQ(UserOf(2001).status(), v1::USER_STATUS_DEACTIVATED);
}

TEST_F(PeopleSyncTest, WhoComesBackIsActiveAgain) {
  AddMany(3);
  DT_ASSERT_OK(Pass());
  ca_.SetAway(true);
  controller_.Change("user0").enabled = false;
  DT_ASSERT_OK(Pass());
  controller_.Change("user0").enabled = true;
  DT_ASSERT_OK(Pass());
  // The CA would revoke what is issued from now on, too.
  EXPECT_EQ(UserOf(2000).status(), v1::USER_STATUS_DEACTIVATED);
  ca_.SetAway(false);
  revoker_->Wake();
  EXPECT_THAT(ca_.WaitForRevoked(1), SizeIs(1));
  while (revoker_->Pending().value() > 0) std::this_thread::yield();
  DT_ASSERT_OK(Pass());
  EXPECT_EQ(UserOf(2000).status(), v1::USER_STATUS_ACTIVE);
  EXPECT_THAT(EventsOf("user.lifecycle.activate"), SizeIs(1));
}

TEST_F(PeopleSyncTest, WhomAnAdminDeactivatedAnAdminAloneBringsBack) {
  AddMany(3);
  DT_ASSERT_OK(Pass());
  DT_ASSERT_OK(SetStatus(UserOf(2000).id(), v1::USER_STATUS_DEACTIVATED));
  controller_.Change("user0").enabled = false;
  DT_ASSERT_OK(Pass());
  controller_.Change("user0").enabled = true;
  DT_ASSERT_OK(Pass());
  DT_ASSERT_OK(Pass(/*everybody=*/true));
  EXPECT_EQ(UserOf(2000).status(), v1::USER_STATUS_DEACTIVATED);
  EXPECT_FALSE(UserOf(2000).deactivated_by_directory());
  EXPECT_TRUE(SetStatus(UserOf(2000).id(), v1::USER_STATUS_ACTIVE).ok());
  EXPECT_EQ(UserOf(2000).status(), v1::USER_STATUS_ACTIVE);
}

TEST_F(PeopleSyncTest, NobodyStaysActiveWhomTheDirectoryHasDisabled) {
  AddMany(3);
  DT_ASSERT_OK(Pass());
  controller_.Change("user0").enabled = false;
  DT_ASSERT_OK(Pass());
  EXPECT_THAT(ca_.WaitForRevoked(1), SizeIs(1));
  while (revoker_->Pending().value() > 0) std::this_thread::yield();
  DT_ASSERT_OK(SetStatus(UserOf(2000).id(), v1::USER_STATUS_ACTIVE));
  DT_ASSERT_OK(Pass());
  EXPECT_EQ(UserOf(2000).status(), v1::USER_STATUS_ACTIVE);
  DT_ASSERT_OK(Pass(/*everybody=*/true));
  EXPECT_EQ(UserOf(2000).status(), v1::USER_STATUS_DEACTIVATED);
  EXPECT_EQ(Status().last().deactivated(), 1);
}

TEST_F(PeopleSyncTest, PeopleOfADomainThatIsSyncedNoMoreAreReleased) {
  controller_.Add("ada", 1105);
  DT_ASSERT_OK(Pass());
  DT_ASSERT_OK(sync_->ReleaseOthers());
  EXPECT_EQ(UserOf(1105).synced_from(), "corp.test");
  PeopleSync none({*database_, *events_, *revoker_, clock_, random_, {}}, {});
  DT_ASSERT_OK(none.ReleaseOthers());
  EXPECT_EQ(UserOf(1105).synced_from(), "");
  EXPECT_EQ(UserOf(1105).status(), v1::USER_STATUS_ACTIVE);
  DT_ASSERT_OK(Import({NewUser("countess", 1105)}));
  EXPECT_EQ(UserOf(1105).principal(), "countess@corp.test");
}

TEST_F(PeopleSyncTest, TooManyDeactivationsStopAndAsk) {
  AddMany(100);
  DT_ASSERT_OK(Pass());
  for (int i = 0; i < 30; ++i) controller_.Remove(fmt::format("user{}", i));
  controller_.Add("new", 1200);
  const absl::Status stopped = Pass();
  EXPECT_EQ(stopped.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(stopped.message(), HasSubstr("30 people less"));
  EXPECT_THAT(stopped.message(), HasSubstr("dtctl people sync --approve corp.test"));
  EXPECT_EQ(Status().state(), v1::PeopleSyncStatus::STATE_STOPPED);
  EXPECT_EQ(Status().deactivations(), 30);
  EXPECT_THAT(Status().deactivated_examples(), SizeIs(10));
  EXPECT_EQ(UserOf(2000).status(), v1::USER_STATUS_ACTIVE);
  EXPECT_EQ(UserOf(1200).id(), "");  // Nobody at all is changed.
  EXPECT_FALSE(Pass().ok());
  EXPECT_THAT(EventsOf("people.sync.stop"), SizeIs(1));

  v1::ApprovePeopleSyncRequest approval;
  approval.set_domain("corp.test");
  approval.set_deactivations(29);
  EXPECT_EQ(sync_->Approve(admin_, approval).status().code(),
            absl::StatusCode::kFailedPrecondition);
  approval.set_deactivations(30);
  DT_ASSERT_OK(sync_->Approve(admin_, approval));
  controller_.Remove("user50");  // One more than was approved.
  EXPECT_FALSE(Pass().ok());
  EXPECT_EQ(Status().deactivations(), 31);
  approval.set_deactivations(31);
  DT_ASSERT_OK(sync_->Approve(admin_, approval));
  DT_ASSERT_OK(Pass());
  EXPECT_EQ(Status().last().deactivated(), 31);
  EXPECT_EQ(UserOf(2000).status(), v1::USER_STATUS_DEACTIVATED);
  EXPECT_EQ(UserOf(1200).status(), v1::USER_STATUS_ACTIVE);
  EXPECT_FALSE(sync_->Approve(admin_, approval).ok());  // It is spent.
}

TEST_F(PeopleSyncTest, TwentyMayGoAtOnceHoweverFewThereAre) {
  AddMany(40);
  DT_ASSERT_OK(Pass());
  for (int i = 0; i < 20; ++i) controller_.Remove(fmt::format("user{}", i));
  DT_ASSERT_OK(Pass());
  EXPECT_EQ(Status().people(), 20);
}

TEST_F(PeopleSyncTest, ADirectoryThatIsGoneOrIllChangesNobody) {
  AddMany(10);
  DT_ASSERT_OK(Pass());
  const auto untouched = [this](const absl::Status& status) {
    EXPECT_FALSE(status.ok());
    EXPECT_EQ(Status().state(), v1::PeopleSyncStatus::STATE_FAILED);
    EXPECT_EQ(Status().error(), std::string(status.message()));
    for (int rid = 2000; rid < 2010; ++rid) {
      EXPECT_EQ(UserOf(rid).status(), v1::USER_STATUS_ACTIVE) << rid;
    }
  };
  controller_.begin_fault = absl::UnavailableError("directory ldaps://dc1: gone");
  untouched(Pass());
  controller_.begin_fault = absl::OkStatus();
  controller_.fault = absl::UnavailableError("directory ldaps://dc1: busy");  // In the middle.
  untouched(Pass());
  untouched(Pass(/*everybody=*/true));
  controller_.fault = absl::OkStatus();
  // It answers, and shows nobody: the account that reads has lost its right.
  const auto people = std::exchange(controller_.people, {});
  untouched(Pass(/*everybody=*/true));
  EXPECT_THAT(Status().error(), HasSubstr("shows no people at all"));
  controller_.people = people;
  DT_EXPECT_OK(Pass());
  EXPECT_EQ(Status().state(), v1::PeopleSyncStatus::STATE_WAITING);
  EXPECT_EQ(Status().error(), "");
}

TEST_F(PeopleSyncTest, ANewNameIsTheSamePerson) {
  controller_.Add("ada", 1105);
  DT_ASSERT_OK(Pass());
  const std::string id = UserOf(1105).id();
  directory::ListedPerson& ada = controller_.Change("ada");
  ada.principal = "king@corp.test";
  ada.account_name = "king";
  ada.distinguished_name = "CN=king,OU=People,DC=corp,DC=test";
  DT_ASSERT_OK(Pass());
  EXPECT_EQ(UserOf(1105).id(), id);
  EXPECT_EQ(UserOf(1105).principal(), "king@corp.test");
}

TEST_F(PeopleSyncTest, PrincipalsPassOnInWhateverOrder) {
  controller_.Add("ada", 1105);
  controller_.Add("bob", 1106);
  controller_.Add("cy", 1107);
  DT_ASSERT_OK(Pass());
  controller_.Change("ada").principal = "bob@corp.test";
  controller_.Change("bob").principal = "ada@corp.test";
  controller_.Remove("cy");
  controller_.Add("cy", 1207);  // Another account of that name.
  DT_ASSERT_OK(Pass());
  EXPECT_EQ(UserOf(1105).principal(), "bob@corp.test");
  EXPECT_EQ(UserOf(1106).principal(), "ada@corp.test");
  EXPECT_EQ(UserOf(1106).status(), v1::USER_STATUS_ACTIVE);
  EXPECT_EQ(UserOf(1207).principal(), "cy@corp.test");
  EXPECT_EQ(UserOf(1107).status(), v1::USER_STATUS_DEACTIVATED);
  EXPECT_EQ(Status().last().refused(), 0);
}

TEST_F(PeopleSyncTest, ADoubleIsRefusedAndTheOthersAreNot) {
  controller_.Add("ada", 1105);
  DT_ASSERT_OK(Pass());
  controller_.Add("eve", 1106).principal = "ADA@corp.test";
  controller_.Add("bob", 1107);
  DT_ASSERT_OK(Pass());
  EXPECT_EQ(UserOf(1105).principal(), "ada@corp.test");
  EXPECT_EQ(UserOf(1106).id(), "");
  EXPECT_EQ(UserOf(1107).principal(), "bob@corp.test");
  EXPECT_EQ(Status().last().refused(), 1);
  EXPECT_THAT(Status().refused(0), HasSubstr("S-1-5-21-1-2-3-1105"));
  controller_.Change("eve").principal = "eve@corp.test";
  DT_ASSERT_OK(Pass());
  EXPECT_EQ(UserOf(1106).principal(), "eve@corp.test");
}

TEST_F(PeopleSyncTest, MembersOfAGroupAloneAreTheOrgs) {
  Begin({.group = "Everybody"});
  controller_.Add("ada", 1105, {"Staff"});
  controller_.Add("bob", 1106, {"Everybody"});
  DT_ASSERT_OK(Pass());
  EXPECT_EQ(UserOf(1105).id(), "");
  EXPECT_EQ(UserOf(1106).status(), v1::USER_STATUS_ACTIVE);
  controller_.Join("Staff", "Everybody");  // Nothing changes at ada.
  controller_.Part("bob", "Everybody");
  DT_ASSERT_OK(Pass());
  EXPECT_EQ(controller_.everybody, 1);
  EXPECT_EQ(UserOf(1105).principal(), "ada@corp.test");
  EXPECT_EQ(UserOf(1106).status(), v1::USER_STATUS_DEACTIVATED);
  controller_.groups.at("Everybody").group.security = false;
  controller_.groups.at("Everybody").usn = ++controller_.usn;
  EXPECT_THAT(Pass().message(), HasSubstr("no security group \"Everybody\""));
  EXPECT_EQ(UserOf(1105).status(), v1::USER_STATUS_ACTIVE);
}

TEST_F(PeopleSyncTest, WhoMovesOutOfTheBaseLeaves) {
  Begin({.base = "OU=People,DC=corp,DC=test"});
  AddMany(2);
  DT_ASSERT_OK(Pass());
  controller_.Change("user0").distinguished_name = "CN=user0,OU=Gone,DC=corp,DC=test";
  DT_ASSERT_OK(Pass());
  EXPECT_EQ(UserOf(2000).status(), v1::USER_STATUS_DEACTIVATED);
  controller_.Change("user0").distinguished_name = "CN=user0,OU=People,DC=corp,DC=test";
  while (revoker_->Pending().value() > 0) std::this_thread::yield();
  DT_ASSERT_OK(Pass());
  EXPECT_EQ(UserOf(2000).status(), v1::USER_STATUS_ACTIVE);
}

TEST_F(PeopleSyncTest, GroupsThatAreRenamedOrGoAreSoForTheirMembers) {
  AddMany(3);
  DT_ASSERT_OK(Pass());
  auto& staff = controller_.groups.at("Staff");
  staff.group.name = "Crew";
  staff.usn = ++controller_.usn;
  DT_ASSERT_OK(Pass());
  EXPECT_THAT(GroupsOf(UserOf(2000)), ElementsAre("Crew", "Domain Users"));
  const auto find = [](db::Transaction& txn) { return FindGroup(txn, "Staff"); };
  EXPECT_EQ(database_->Read(find).value(), "");
  controller_.deleted[staff.group.guid] = ++controller_.usn;
  controller_.groups.erase("Staff");
  DT_ASSERT_OK(Pass());
  EXPECT_THAT(GroupsOf(UserOf(2000)), ElementsAre("Domain Users"));
}

// Whoever may name a group in one domain gives nobody a group of another.
TEST_F(PeopleSyncTest, NamesOfGroupsAreWhatTheySeem) {
  controller_.AddGroup("a\nAdmins", 700);
  controller_.AddGroup("HQ\\Admins", 701);
  controller_.AddGroup("List", 702).security = false;
  controller_.AddGroup("Administrators", 544).builtin = true;
  controller_.Add("eve", 1105, {"a\nAdmins", "HQ\\Admins", "List", "Administrators", "Staff"});
  Begin({.prefix = "PARTNER\\"});
  DT_ASSERT_OK(Pass());
  EXPECT_THAT(GroupsOf(UserOf(1105)), ElementsAre("PARTNER\\Domain Users", "PARTNER\\Staff"));
}

TEST_F(PeopleSyncTest, ImportedPeopleStandBesideAndAreTakenOverBySid) {
  DT_ASSERT_OK(Import({NewUser("ada", 1105), NewUser("visitor", 9001)}));
  const std::string id = UserOf(1105).id();
  controller_.Add("ada", 1105, {"Everybody"});
  DT_ASSERT_OK(Pass());
  EXPECT_EQ(UserOf(1105).id(), id);
  EXPECT_EQ(UserOf(1105).synced_from(), "corp.test");
  EXPECT_THAT(GroupsOf(UserOf(1105)), ElementsAre("Domain Users", "Everybody"));
  EXPECT_EQ(UserOf(9001).status(), v1::USER_STATUS_ACTIVE);
  EXPECT_EQ(UserOf(9001).synced_from(), "");
  // From now on the directory says what the person is called, and no import.
  DT_ASSERT_OK(Import({NewUser("other", 1105)}));
  EXPECT_EQ(UserOf(1105).principal(), "ada@corp.test");
  EXPECT_THAT(GroupsOf(UserOf(1105)), ElementsAre("Domain Users", "Everybody"));
  const auto taken = Mirror({NewUser("ada", 1300)});
  ASSERT_THAT(taken.refused(), SizeIs(1));
  EXPECT_EQ(taken.refused(0).owner_sid(), "S-1-5-21-1-2-3-1105");
}

TEST_F(PeopleSyncTest, AnImportedPersonWhomTheDirectoryHasDisabledLeaves) {
  DT_ASSERT_OK(Import({NewUser("ada", 1105)}));
  controller_.Add("ada", 1105).enabled = false;
  DT_ASSERT_OK(Pass());
  EXPECT_EQ(UserOf(1105).status(), v1::USER_STATUS_DEACTIVATED);
}

TEST_F(PeopleSyncTest, ADirectoryOfAnotherDomainIsRefused) {
  controller_.Add("ada", 1105).sid = "S-1-5-21-9-9-9-1105";
  EXPECT_THAT(Pass().message(), HasSubstr("domain-sid"));
}

TEST_F(PeopleSyncTest, MorePeopleThanABatchHolds) {
  AddMany(2500);
  DT_ASSERT_OK(Pass());
  EXPECT_EQ(Status().last().added(), 2500);
  EXPECT_THAT(EventsOf("user.lifecycle.create"), IsEmpty());
  const auto sums = EventsOf("people.sync");
  ASSERT_THAT(sums, SizeIs(1));
  EXPECT_EQ(sums[0].debug_data().at("added"), "2500");
  controller_.Join("Staff", "Everybody");
  DT_ASSERT_OK(Pass());
  EXPECT_EQ(Status().last().updated(), 2500);
}

// What was stored before the store was full stays, and a later pass adds what is missing.
TEST_F(PeopleSyncTest, AFullStoreIsGoneOnWith) {
  const testing::TempFolder folder;
  AddMany(4000);
  const auto pass = [&](std::int64_t bytes_max) {
    const auto database =
        db::Database::Open("sqlite:" + folder / "org.db", OrgMigrations(), {.bytes_max = bytes_max})
            .value();
    db::Outbox outbox(*database, {}, DeliverTo(*log_));
    EventSink events(outbox, random_);
    UserRevoker revoker(*database, ca_);
    std::vector<PeopleSync::Domain> domains;
    domains.push_back(DomainOf());
    PeopleSync sync({*database, events, revoker, clock_, random_, {}}, std::move(domains));
    absl::Status status = sync.RunPass("corp.test");
    outbox.Stop();
    return std::pair(std::move(status), sync.Get().domains(0));
  };
  const auto [full, stopped] = pass(1 << 20);
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted) << full;
  EXPECT_EQ(stopped.state(), v1::PeopleSyncStatus::STATE_FAILED);
  const auto [done, status] = pass(0);
  DT_EXPECT_OK(done);
  EXPECT_EQ(status.people(), 4000);
  EXPECT_LT(status.last().added(), 4000);
  EXPECT_GT(status.last().added(), 0);
}

TEST_F(PeopleSyncTest, RunsInItsTurnAndWhenAsked) {
  controller_.Add("ada", 1105);
  sync_->Start();
  const auto wait_for = [this](std::int64_t passes) {
    while (Status().passes() < passes) std::this_thread::yield();
  };
  wait_for(1);
  EXPECT_EQ(UserOf(1105).principal(), "ada@corp.test");
  const std::int64_t before = users_->version();
  controller_.Change("ada").display_name = "Ada";
  v1::RunPeopleSyncRequest request;
  request.set_domain("none.test");
  EXPECT_EQ(sync_->Run(request).status().code(), absl::StatusCode::kNotFound);
  request.set_domain("corp.test");
  request.set_everybody(true);
  DT_ASSERT_OK(sync_->Run(request));
  wait_for(2);
  EXPECT_EQ(UserOf(1105).display_name(), "Ada");
  EXPECT_EQ(controller_.everybody, 2);
  EXPECT_GT(users_->version(), before);
  sync_->Stop();
}

}  // namespace
}  // namespace devicetrust::policy
