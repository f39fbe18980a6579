// People and their second factors over a real store; the CA is a function here.
#include <gmock/gmock.h>

#include <condition_variable>
#include <mutex>

#include "libs/testing/status.h"
#include "policy-engine/org_fixture.h"
#include "policy-engine/people/people_service.h"
#include "policy-engine/people/totp.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A CA that can be away, and remembers whom it was asked to revoke.
class FakeCa {
 public:
  absl::StatusOr<ca::v1::RevokeForUserResponse> Revoke(
      const ca::v1::RevokeForUserRequest& request) {
    const std::lock_guard lock(mutex_);
    ++calls_;
    changed_.notify_all();
    if (away_) return absl::UnavailableError("the CA is away");
    revoked_.push_back(request);
    ca::v1::RevokeForUserResponse response;
    response.set_revoked(3);
    return response;
  }
  void SetAway(bool away) {
    const std::lock_guard lock(mutex_);
    away_ = away;
  }
  // Waits until it has revoked for this many users, or gives up.
  std::vector<ca::v1::RevokeForUserRequest> WaitForRevoked(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds{10}, [&] { return revoked_.size() >= count; });
    return revoked_;
  }
  int calls() {
    const std::lock_guard lock(mutex_);
    return calls_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool away_ = false;
  int calls_ = 0;
  std::vector<ca::v1::RevokeForUserRequest> revoked_;
};

class PeopleTest : public OrgFixture {
 protected:
  PeopleTest() {
    revoker_.emplace(
        *database_, [this](const auto& request) { return ca_.Revoke(request); },
        PeopleRevokerOptions{.retry_min = std::chrono::milliseconds{5},
                             .retry_max = std::chrono::milliseconds{20}});
    service_.emplace(PeopleService::Parts{*database_, *events_, *sessions_, *revoker_, factors_,
                                          clock_, random_, "acme", Lookup()});
  }

  static v1::UserImport NewPerson(const std::string& name, int rid) {
    v1::UserImport person;
    person.set_sid("S-1-5-21-1-2-3-" + std::to_string(rid));
    person.set_principal(name + "@Corp.Test");
    person.set_account_name(name);
    person.set_display_name("Person " + name);
    person.add_groups("Staff");
    return person;
  }
  grpc::Status Import(const std::vector<v1::UserImport>& people) {
    v1::ImportUsersRequest request;
    for (const auto& person : people) *request.add_users() = person;
    return service_->ImportUsers(nullptr, &request, &imported_);
  }
  std::string ImportOne(const std::string& name, int rid = 1105) {
    EXPECT_TRUE(Import({NewPerson(name, rid)}).ok());
    return imported_.user_ids(0);
  }
  absl::StatusOr<v1::SetUserStatusResponse> SetStatus(const std::string& id,
                                                      v1::UserStatus status) {
    v1::SetUserStatusRequest request;
    request.set_user_id(id);
    request.set_status(status);
    v1::SetUserStatusResponse response;
    const grpc::Status answer = service_->SetUserStatus(nullptr, &request, &response);
    if (!answer.ok()) return rpc::FromGrpc(answer);
    return response;
  }
  absl::StatusOr<v1::User> GetByPrincipal(const std::string& principal) {
    v1::GetUserRequest request;
    request.set_principal(principal);
    v1::GetUserResponse response;
    const grpc::Status answer = service_->GetUser(nullptr, &request, &response);
    if (!answer.ok()) return rpc::FromGrpc(answer);
    return response.user();
  }
  FactorVerdict Verify(const std::string& id, const std::string& code) {
    return database_
        ->Write([&](db::Transaction& txn) { return factors_.Verify(txn, id, code, clock_.Now()); })
        .value();
  }

  Factors factors_{*kek_, random_};
  FakeCa ca_;
  std::optional<PeopleRevoker> revoker_;
  std::optional<PeopleService> service_;
  v1::ImportUsersResponse imported_;
};

TEST_F(PeopleTest, ImportsAndUpdatesByKeepingIdAndStatus) {
  ASSERT_TRUE(Import({NewPerson("ann", 1), NewPerson("bob", 2)}).ok());
  EXPECT_EQ(imported_.added(), 2);
  const std::string ann = imported_.user_ids(0);
  DT_ASSERT_OK(SetStatus(ann, v1::USER_STATUS_DEACTIVATED));

  v1::UserImport changed = NewPerson("ann", 1);
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

TEST_F(PeopleTest, RefusesABadImportAsAWhole) {
  const auto refused = [this](v1::UserImport bad) {
    const grpc::Status status = Import({NewPerson("good", 9), std::move(bad)});
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    return status.error_message();
  };
  v1::UserImport person = NewPerson("bad", 10);
  person.set_sid("S-1-5-21)(x");
  EXPECT_THAT(refused(person), HasSubstr("SID"));
  person = NewPerson("bad", 10);
  person.set_principal("");
  EXPECT_THAT(refused(person), HasSubstr("principal"));
  person = NewPerson("bad", 9);
  EXPECT_THAT(refused(person), HasSubstr("share"));
  person = NewPerson("GOOD", 10);
  EXPECT_THAT(refused(person), HasSubstr("share"));
  person = NewPerson("bad", 10);
  person.add_groups("two\nlines");
  EXPECT_THAT(refused(person), HasSubstr("control"));
  person = NewPerson("bad", 10);
  person.set_totp_secret("short");
  EXPECT_THAT(refused(person), HasSubstr("TOTP"));
  ImportOne("taken", 11);
  person = NewPerson("taken", 12);  // Another SID with a principal that the org has.
  EXPECT_THAT(refused(person), HasSubstr("principal"));
  EXPECT_EQ(GetByPrincipal("good@corp.test").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(PeopleTest, ListsInPages) {
  std::vector<v1::UserImport> people;
  for (int i = 0; i < 25; ++i) people.push_back(NewPerson("u" + std::to_string(100 + i), i + 1));
  people.push_back(NewPerson("a_b", 90));
  ASSERT_TRUE(Import(people).ok());
  v1::ListUsersRequest request;
  request.set_page_size(10);
  request.set_query("U1");
  std::vector<std::string> seen;
  int pages = 0;
  do {
    v1::ListUsersResponse response;
    ASSERT_TRUE(service_->ListUsers(nullptr, &request, &response).ok());
    for (const v1::User& user : response.users()) seen.push_back(user.principal());
    request.set_page_token(response.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(pages, 3);
  EXPECT_THAT(seen, SizeIs(25));
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));

  v1::ListUsersResponse response;
  request.Clear();
  request.set_query("a_");  // No wildcard.
  ASSERT_TRUE(service_->ListUsers(nullptr, &request, &response).ok());
  EXPECT_THAT(response.users(), SizeIs(1));
  request.set_query("%");
  response.Clear();
  ASSERT_TRUE(service_->ListUsers(nullptr, &request, &response).ok());
  EXPECT_THAT(response.users(), IsEmpty());
  request.set_page_token("!");
  EXPECT_EQ(service_->ListUsers(nullptr, &request, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(PeopleTest, DeactivatingEndsSessionsAndRevokes) {
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
TEST_F(PeopleTest, KeepsThePromiseOnceTheCaIsBack) {
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
  PeopleRevoker next(*database_, [this](const auto& request) { return ca_.Revoke(request); },
                     {.retry_min = std::chrono::milliseconds{5}});
  const auto revoked = ca_.WaitForRevoked(1);
  ASSERT_THAT(revoked, SizeIs(1));
  EXPECT_EQ(revoked[0].user_id(), id);
  next.Stop();
  EXPECT_EQ(next.Pending().value(), 0);
}

// Else the promise, kept late, would take the new certificates along.
TEST_F(PeopleTest, IsNotActivatedBeforeTheCertificatesOfBeforeAreRevoked) {
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

TEST_F(PeopleTest, RepeatsUntilTheCaTakesIt) {
  const std::string id = ImportOne("ann");
  ca_.SetAway(true);
  DT_ASSERT_OK(SetStatus(id, v1::USER_STATUS_DEACTIVATED));
  ca_.SetAway(false);
  EXPECT_THAT(ca_.WaitForRevoked(1), SizeIs(1));
}

TEST_F(PeopleTest, RefusesUnknownUsersAndCallersWhoAreNoAdmins) {
  EXPECT_EQ(rpc::ReasonOf(SetStatus("nobody", v1::USER_STATUS_DEACTIVATED).status()),
            reason::v1::REASON_USER_UNKNOWN);
  EXPECT_EQ(ca_.calls(), 0);
  EXPECT_EQ(SetStatus("nobody", v1::USER_STATUS_UNSPECIFIED).status().code(),
            absl::StatusCode::kInvalidArgument);
  const std::string id = ImportOne("ann");
  BecomeComponent("gateway-1", "gateway");
  EXPECT_EQ(rpc::ReasonOf(SetStatus(id, v1::USER_STATUS_DEACTIVATED).status()),
            reason::v1::REASON_CALLER_NOT_ALLOWED);
  EXPECT_EQ(Import({NewPerson("x", 77)}).error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(PeopleTest, TellsTheSystemLog) {
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

TEST_F(PeopleTest, TakesEachCodeOnce) {
  v1::UserImport person = NewPerson("ann", 1);
  const std::string secret = "12345678901234567890";
  person.set_totp_secret(secret);
  ASSERT_TRUE(Import({person}).ok());
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

TEST_F(PeopleTest, PausesAFactorAfterManyWrongCodes) {
  const std::string id = ImportOne("ann");
  v1::EnrollFactorRequest request;
  request.set_user_id(id);
  v1::EnrollFactorResponse enrolled;
  EXPECT_EQ(ReasonOf(service_->EnrollFactor(nullptr, &request, &enrolled)),
            reason::v1::REASON_MALFORMED_REQUEST);
  request.mutable_totp();
  ASSERT_TRUE(service_->EnrollFactor(nullptr, &request, &enrolled).ok());
  EXPECT_THAT(enrolled.totp().secret(), SizeIs(20));
  EXPECT_THAT(enrolled.totp().otpauth_uri(), HasSubstr("otpauth://totp/acme:ann%40corp.test"));
  const auto right = [&] {
    return TotpCode(AsBytes(enrolled.totp().secret()), TotpStepOf(clock_.Now()));
  };
  for (int i = 0; i < kFactorFailuresInRowMax; ++i) {
    EXPECT_EQ(Verify(id, "none"), FactorVerdict::kWrong);
  }
  EXPECT_EQ(Verify(id, right()), FactorVerdict::kThrottled);
  clock_.Advance(std::chrono::seconds(60));
  EXPECT_EQ(Verify(id, right()), FactorVerdict::kAccepted);
}

TEST_F(PeopleTest, KeepsSecretsSealedForTheirUser) {
  const std::string ann = ImportOne("ann", 1);
  const std::string bob = ImportOne("bob", 2);
  const std::string secret = "12345678901234567890";
  const SealedFactor factor = factors_.Seal(ann, AsBytes(secret)).value();
  EXPECT_EQ(ToString(factor.sealed).find(secret), std::string::npos);
  // Ann's row under Bob's name does not open.
  DT_ASSERT_OK(database_->Write([&](db::Transaction& txn) {
    return Factors::Store(txn, {bob, factor.sealed});
  }));
  const auto verdict = database_->Write(
      [&](db::Transaction& txn) { return factors_.Verify(txn, bob, "123456", clock_.Now()); });
  EXPECT_EQ(verdict.status().code(), absl::StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace devicetrust::policy
