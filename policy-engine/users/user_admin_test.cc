#include "policy-engine/users/user_admin.h"

#include <gmock/gmock.h>

#include "libs/testing/status.h"
#include "policy-engine/users/admin_store.h"
#include "policy-engine/users/totp.h"
#include "policy-engine/users/user_admin_fixture.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(UserAdminTest, ImportsAndUpdatesByKeepingIdAndStatus) {
  ASSERT_TRUE(Import({NewUser("ann", 1), NewUser("bob", 2)}).ok());
  EXPECT_EQ(imported_.added(), 2);
  const std::string ann = imported_.user_ids(0);
  DT_ASSERT_OK(SetStatus(ann, v1::USER_STATUS_DEACTIVATED));

  v1::UserImport changed = NewUser("ann", 1);
  changed.set_principal("ann.lee@corp.test");
  changed.add_groups("Admins");
  ASSERT_TRUE(Import({changed}).ok());
  EXPECT_EQ(imported_.added(), 0);
  EXPECT_EQ(imported_.updated(), 1);
  EXPECT_EQ(imported_.user_ids(0), ann);
  const auto user = GetByPrincipal("ANN.Lee@corp.test");
  DT_ASSERT_OK(user);
  EXPECT_EQ(user->id(), ann);
  EXPECT_EQ(user->status(), v1::USER_STATUS_DEACTIVATED);
  EXPECT_THAT(user->groups(), ElementsAre("Staff", "Admins"));
  EXPECT_EQ(GetByPrincipal("ann@corp.test").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(UserAdminTest, AHelpDeskShutsNoAdministratorOut) {
  ASSERT_TRUE(Import({NewUser("ann", 1), NewUser("bob", 2), NewUser("eve", 3)}).ok());
  const auto give = [&](int user, access::v1::Role role) {
    DT_ASSERT_OK(database_->Write([&](db::Transaction& txn) {
      return StoreAdminRole(txn, {imported_.user_ids(user), role, "admin:test", clock_.Now()});
    }));
  };
  give(0, access::v1::ROLE_HELP_DESK);
  give(1, access::v1::ROLE_READ_ONLY);
  rpc::Caller ann{rpc::Caller::Kind::kAdmin, "ann@corp.test", "admin", "acme",
                  imported_.user_ids(0)};
  v1::SetUserStatusRequest request;
  request.set_status(v1::USER_STATUS_DEACTIVATED);
  request.set_user_id(imported_.user_ids(1));
  EXPECT_EQ(ReasonOf(users_->SetStatus(ann, request).status()),
            reason::v1::REASON_CALLER_NOT_ALLOWED);
  request.set_user_id(imported_.user_ids(2));
  DT_EXPECT_OK(users_->SetStatus(ann, request));
  give(0, access::v1::ROLE_SUPER_ADMIN);
  request.set_user_id(imported_.user_ids(1));
  DT_EXPECT_OK(users_->SetStatus(ann, request));
}

TEST_F(UserAdminTest, ListsInPages) {
  std::vector<v1::UserImport> users;
  for (int i = 0; i < 25; ++i) users.push_back(NewUser("u" + std::to_string(100 + i), i + 1));
  users.push_back(NewUser("a_b", 90));
  ASSERT_TRUE(Import(users).ok());
  v1::ListUsersRequest request;
  request.set_page_size(10);
  request.set_query("U1");
  std::vector<std::string> seen;
  int pages = 0;
  do {
    const auto page = users_->List(request);
    DT_ASSERT_OK(page);
    for (const v1::User& user : page->users()) seen.push_back(user.principal());
    request.set_page_token(page->next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(pages, 3);
  EXPECT_THAT(seen, SizeIs(25));
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));

  request.Clear();
  request.set_query("a_");  // No wildcard.
  EXPECT_THAT(users_->List(request).value().users(), SizeIs(1));
  request.set_query("%");
  EXPECT_THAT(users_->List(request).value().users(), IsEmpty());
  request.set_page_token("!");
  DT_EXPECT_CODE(users_->List(request), kInvalidArgument);
}

TEST_F(UserAdminTest, DeactivatingEndsSessionsAndRevokes) {
  const std::string id = ImportOne("ann");
  const auto response = SetStatus(id, v1::USER_STATUS_DEACTIVATED);
  DT_ASSERT_OK(response);
  EXPECT_EQ(response->user().status(), v1::USER_STATUS_DEACTIVATED);
  EXPECT_EQ(response->certificates_revoked(), 3);
  const auto revoked = ca_.WaitForRevoked(1);
  ASSERT_THAT(revoked, SizeIs(1));
  EXPECT_EQ(revoked[0].user_id(), id);
  EXPECT_EQ(revoked[0].requested_by(), "admin:ada");
  EXPECT_EQ(revoker_->Pending().value(), 0);
  const auto changes = sessions_->After(0, 10).value().changes;
  ASSERT_THAT(changes, SizeIs(1));
  EXPECT_EQ(changes[0].deactivated_user_id(), id);

  DT_ASSERT_OK(SetStatus(id, v1::USER_STATUS_ACTIVE));
  EXPECT_EQ(GetByPrincipal("ann@corp.test")->status(), v1::USER_STATUS_ACTIVE);
  EXPECT_EQ(sessions_->After(changes[0].sequence(), 10)->changes.at(0).activated_user_id(), id);
  EXPECT_EQ(ca_.calls(), 1);
}

// The promise outlives the CA's absence and this process.
TEST_F(UserAdminTest, KeepsThePromiseOnceTheCaIsBack) {
  const std::string id = ImportOne("ann");
  ca_.SetAway(true);
  const auto response = SetStatus(id, v1::USER_STATUS_DEACTIVATED);
  DT_ASSERT_OK(response);
  EXPECT_FALSE(response->has_certificates_revoked());
  EXPECT_EQ(response->user().status(), v1::USER_STATUS_DEACTIVATED);
  EXPECT_EQ(revoker_->Pending().value(), 1);
  revoker_->Stop();
  EXPECT_EQ(revoker_->Pending().value(), 1);

  ca_.SetAway(false);
  UserRevoker next(*database_, ca_, {.retry_min = std::chrono::milliseconds{5}});
  const auto revoked = ca_.WaitForRevoked(1);
  ASSERT_THAT(revoked, SizeIs(1));
  EXPECT_EQ(revoked[0].user_id(), id);
  next.Stop();
  EXPECT_EQ(next.Pending().value(), 0);
}

// Else the promise, kept late, would take the new certificates along.
TEST_F(UserAdminTest, IsNotActivatedBeforeTheCertificatesOfBeforeAreRevoked) {
  const std::string id = ImportOne("ann");
  ca_.SetAway(true);
  DT_ASSERT_OK(SetStatus(id, v1::USER_STATUS_DEACTIVATED));
  const auto early = SetStatus(id, v1::USER_STATUS_ACTIVE);
  EXPECT_EQ(early.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(rpc::ReasonOf(early.status()), reason::v1::REASON_DEPENDENCY_UNAVAILABLE);
  EXPECT_EQ(GetByPrincipal("ann@corp.test")->status(), v1::USER_STATUS_DEACTIVATED);
  ca_.SetAway(false);
  DT_ASSERT_OK(SetStatus(id, v1::USER_STATUS_ACTIVE));
  EXPECT_EQ(revoker_->Pending().value(), 0);
  EXPECT_EQ(GetByPrincipal("ann@corp.test")->status(), v1::USER_STATUS_ACTIVE);
}

TEST_F(UserAdminTest, RepeatsUntilTheCaTakesIt) {
  const std::string id = ImportOne("ann");
  ca_.SetAway(true);
  DT_ASSERT_OK(SetStatus(id, v1::USER_STATUS_DEACTIVATED));
  ca_.SetAway(false);
  EXPECT_THAT(ca_.WaitForRevoked(1), SizeIs(1));
}

TEST_F(UserAdminTest, RefusesUnknownUsersAndStatuses) {
  EXPECT_EQ(rpc::ReasonOf(SetStatus("nobody", v1::USER_STATUS_DEACTIVATED).status()),
            reason::v1::REASON_USER_UNKNOWN);
  EXPECT_EQ(ca_.calls(), 0);
  EXPECT_EQ(SetStatus("nobody", v1::USER_STATUS_UNSPECIFIED).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(UserAdminTest, TellsTheSystemLog) {
  const std::string id = ImportOne("ann");
  DT_ASSERT_OK(SetStatus(id, v1::USER_STATUS_DEACTIVATED));
  DT_ASSERT_OK(SetStatus(id, v1::USER_STATUS_DEACTIVATED));  // No change, no event.
  const std::vector<v1::Event> delivered = EventsOf("");
  ASSERT_THAT(delivered, SizeIs(2));
  EXPECT_EQ(delivered[0].type(), "user.import");
  EXPECT_EQ(delivered[1].type(), "user.lifecycle.deactivate");
  EXPECT_EQ(delivered[1].targets(0).id(), id);
  EXPECT_EQ(delivered[1].actor().display_name(), "admin:ada");
}

TEST_F(UserAdminTest, TakesEachCodeOnce) {
  v1::UserImport user = NewUser("ann", 1);
  const std::string secret = "12345678901234567890";
  user.set_totp_secret(secret);
  ASSERT_TRUE(Import({user}).ok());
  const std::string id = imported_.user_ids(0);
  EXPECT_TRUE(GetByPrincipal("ann@corp.test")->factors().size() == 1);
  const std::int64_t step = TotpStepOf(clock_.Now());
  const auto code = [&](std::int64_t at) { return TotpCode(AsBytes(secret), at); };
  EXPECT_EQ(Verify(id, "000000"), FactorVerdict::kWrong);
  EXPECT_EQ(Verify(id, code(step)), FactorVerdict::kAccepted);
  EXPECT_EQ(Verify(id, code(step)), FactorVerdict::kReused);
  EXPECT_EQ(Verify(id, code(step - 1)), FactorVerdict::kReused);  // Older than the last one.
  EXPECT_EQ(Verify(id, code(step + 1)), FactorVerdict::kAccepted);
  EXPECT_EQ(Verify("nobody", code(step)), FactorVerdict::kNotEnrolled);
  clock_.Advance(std::chrono::seconds(90));
  EXPECT_EQ(Verify(id, code(step + 3)), FactorVerdict::kAccepted);
}

TEST_F(UserAdminTest, EnrollsAFactorWhoseSecretIsToldOnce) {
  const std::string id = ImportOne("ann");
  v1::EnrollFactorRequest request;
  request.set_user_id(id);
  EXPECT_EQ(ReasonOf(users_->EnrollFactor(admin_, request).status()),
            reason::v1::REASON_MALFORMED_REQUEST);
  request.mutable_totp();
  const auto enrolled = users_->EnrollFactor(admin_, request);
  DT_ASSERT_OK(enrolled);
  EXPECT_THAT(enrolled->totp().secret(), SizeIs(20));
  EXPECT_THAT(enrolled->totp().otpauth_uri(), HasSubstr("otpauth://totp/acme:ann%40corp.test"));
  const std::string code = TotpCode(AsBytes(enrolled->totp().secret()), TotpStepOf(clock_.Now()));
  EXPECT_EQ(Verify(id, code), FactorVerdict::kAccepted);
}

TEST_F(UserAdminTest, TakesFactorsAwayAndSaysSoOnce) {
  v1::UserImport user = NewUser("ann", 1);
  user.set_totp_secret("12345678901234567890");
  ASSERT_TRUE(Import({user}).ok());
  v1::ResetFactorsRequest request;
  request.set_user_id(imported_.user_ids(0));
  for (int i = 0; i < 2; ++i) {
    const auto reset = users_->ResetFactors(admin_, request);
    DT_ASSERT_OK(reset);
    EXPECT_THAT(reset->user().factors(), IsEmpty());
  }
  EXPECT_THAT(GetByPrincipal("ann@corp.test")->factors(), IsEmpty());
  EXPECT_EQ(Verify(request.user_id(), "123456"), FactorVerdict::kNotEnrolled);
  const auto events = EventsOf("user.mfa.factor.reset_all");
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(events[0].targets(0).display_name(), "ann@corp.test");
  request.set_user_id("nobody");
  EXPECT_EQ(ReasonOf(users_->ResetFactors(admin_, request).status()),
            reason::v1::REASON_USER_UNKNOWN);
}

// An import seals for the id that the org knows the user by.
TEST_F(UserAdminTest, AnotherImportReplacesTheFactor) {
  const std::string id = ImportOne("ann", 1);
  const std::string secret = "abcdefghijklmnopqrst";
  v1::UserImport user = NewUser("ann", 1);
  user.set_totp_secret(secret);
  ASSERT_TRUE(Import({user}).ok());
  EXPECT_EQ(imported_.updated(), 1);
  EXPECT_EQ(Verify(id, TotpCode(AsBytes(secret), TotpStepOf(clock_.Now()))),
            FactorVerdict::kAccepted);
}

// A mirror imports the same again: wrong codes stay counted, and spent ones stay spent.
TEST_F(UserAdminTest, AnImportOfTheSameSecretLeavesTheFactorAsItIs) {
  v1::UserImport user = NewUser("ann", 1);
  user.set_totp_secret("12345678901234567890");
  ASSERT_TRUE(Import({user}).ok());
  const std::string id = imported_.user_ids(0);
  const std::string code = TotpCode(AsBytes(user.totp_secret()), TotpStepOf(clock_.Now()));
  EXPECT_EQ(Verify(id, code), FactorVerdict::kAccepted);
  ASSERT_TRUE(Import({user}).ok());
  EXPECT_EQ(Verify(id, code), FactorVerdict::kReused);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Verify(id, "000000"), FactorVerdict::kWrong);
  ASSERT_TRUE(Import({user}).ok());
  EXPECT_EQ(Verify(id, "000000"), FactorVerdict::kThrottled);
}

TEST_F(UserAdminTest, KeepsSecretsSealedForTheirUser) {
  const std::string ann = ImportOne("ann", 1);
  const std::string bob = ImportOne("bob", 2);
  const std::string secret = "12345678901234567890";
  const SealedFactor factor = factors_.Seal(ann, AsBytes(secret)).value();
  EXPECT_EQ(ToString(factor.sealed).find(secret), std::string::npos);
  // Ann's row under Bob's name does not open.
  DT_ASSERT_OK(database_->Write([&](db::Transaction& txn) {
    return TotpFactors::Store(txn, {bob, factor.sealed});
  }));
  const auto verdict = database_->Write([&](db::Transaction& txn) {
    return factors_.Verify(txn, {bob, "123456", "192.0.2.1"}, clock_.Now());
  });
  EXPECT_EQ(verdict.status().code(), absl::StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace devicetrust::policy
