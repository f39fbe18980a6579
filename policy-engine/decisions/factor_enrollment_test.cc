#include "policy-engine/decisions/factor_enrollment.h"

#include <gmock/gmock.h>

#include "policy-engine/decisions/sign_on_fixture.h"
#include "policy-engine/users/admin_store.h"
#include "policy-engine/users/pending_factor.h"
#include "policy-engine/users/totp.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using ::testing::HasSubstr;

class FactorEnrollmentTest : public SignOnFixture {
 protected:
  FactorEnrollmentTest() {
    session_.set_session_id("session-1");
    session_.set_user_id(user_id_);
    *session_.mutable_authenticated_at() = rpc::ToTimestamp(clock_.Now());
    LetPeopleEnroll(true);
  }

  void LetPeopleEnroll(bool enabled) {
    v1::SetFactorSelfEnrollmentRequest request;
    request.set_enabled(enabled);
    DT_ASSERT_OK(settings_->SetFactorSelfEnrollment(admin_, request));
  }

  absl::Status Begin() {
    v1::BeginTotpEnrollmentRequest request;
    *request.mutable_session() = session_;
    const auto begun = enrollment_.Begin(request);
    if (begun.ok()) begun_ = *begun;
    return begun.status();
  }
  std::string Code() const {
    const Bytes secret(begun_.secret().begin(), begun_.secret().end());
    return TotpCode(secret, TotpStepOf(clock_.Now()));
  }
  absl::Status Confirm(const std::string& code) {
    v1::ConfirmTotpEnrollmentRequest request;
    *request.mutable_session() = session_;
    request.set_enrollment_id(begun_.enrollment_id());
    request.set_totp_code(code);
    request.mutable_client()->set_address("203.0.113.5");
    const auto confirmed = enrollment_.Confirm(request);
    if (confirmed.ok()) confirmed_ = *confirmed;
    return confirmed.status();
  }
  void Enroll() {
    DT_ASSERT_OK(Begin());
    DT_ASSERT_OK(Confirm(Code()));
  }
  FactorVerdict Show(const std::string& code, bool recovery = false) {
    return database_
        ->Write([&](db::Transaction& txn) {
          return factors_.Verify(txn, {user_id_, code, "203.0.113.5", recovery}, clock_.Now());
        })
        .value()
        .verdict;
  }
  v1::GetFactorStatusResponse Status() {
    v1::GetFactorStatusRequest request;
    request.set_user_id(user_id_);
    return enrollment_.Status(request).value();
  }
  absl::StatusOr<v1::MakeRecoveryCodesResponse> MakeCodes(const rpc::Caller& caller,
                                                          bool by_session) {
    v1::MakeRecoveryCodesRequest request;
    if (by_session) {
      *request.mutable_session() = session_;
    } else {
      request.set_user_id(user_id_);
    }
    return enrollment_.MakeCodes(caller, request);
  }

  TotpFactors factors_{*kek_, random_};
  FactorEnrollment enrollment_{
      FactorEnrollment::Parts{*database_, *store_, *events_, factors_, clock_, random_}};
  v1::SessionInfo session_;
  v1::BeginTotpEnrollmentResponse begun_;
  v1::ConfirmTotpEnrollmentResponse confirmed_;
};

TEST_F(FactorEnrollmentTest, CountsOnlyOnceACodeWasShown) {
  v1::SetDisplayNameRequest name;
  name.set_display_name("Example Inc.");
  DT_ASSERT_OK(settings_->SetDisplayName(admin_, name));
  DT_ASSERT_OK(Begin());
  EXPECT_THAT(begun_.otpauth_uri(), HasSubstr("otpauth://totp/Example%20Inc.:ada%40corp.test?"));
  EXPECT_THAT(begun_.otpauth_uri(), HasSubstr("&issuer=Example%20Inc.&"));
  EXPECT_TRUE(Status().enrollment_begun());
  EXPECT_FALSE(Status().totp());
  EXPECT_EQ(Show(Code()), FactorVerdict::kNotEnrolled);
  EXPECT_EQ(ReasonOf(Confirm("000000")), reason::v1::REASON_FACTOR_WRONG);
  EXPECT_FALSE(Status().totp());

  const std::string code = Code();
  DT_ASSERT_OK(Confirm(code));
  EXPECT_EQ(confirmed_.recovery_codes_size(), 10);
  EXPECT_EQ(rpc::FromTimestamp(confirmed_.factor_at()), clock_.Now());
  EXPECT_TRUE(Status().totp());
  EXPECT_EQ(Status().recovery_codes_left(), 10);
  EXPECT_FALSE(Status().enrollment_begun());
  EXPECT_EQ(Show(code), FactorVerdict::kReused);  // It was spent with the enrollment.
  EXPECT_EQ(Show(confirmed_.recovery_codes(0), true), FactorVerdict::kAccepted);
  EXPECT_EQ(ReasonOf(Confirm(code)), reason::v1::REASON_FACTOR_NEEDED);
  const auto events = EventsOf("user.mfa.factor.activate");
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].actor().id(), user_id_);
}

TEST_F(FactorEnrollmentTest, AnEnrollmentEndsByTimeGuessesAndAnotherOne) {
  DT_ASSERT_OK(Begin());
  clock_.Advance(kPendingFactorFor);
  EXPECT_EQ(ReasonOf(Confirm(Code())), reason::v1::REASON_ENROLLMENT_UNKNOWN);

  DT_ASSERT_OK(Begin());
  for (std::int64_t i = 0; i < kPendingFailuresMax; ++i) {
    EXPECT_EQ(ReasonOf(Confirm("guess")), reason::v1::REASON_FACTOR_WRONG);
  }
  EXPECT_EQ(ReasonOf(Confirm(Code())), reason::v1::REASON_ENROLLMENT_UNKNOWN);

  DT_ASSERT_OK(Begin());
  v1::BeginTotpEnrollmentResponse first = begun_;
  DT_ASSERT_OK(Begin());
  begun_.Swap(&first);
  EXPECT_EQ(ReasonOf(Confirm(Code())), reason::v1::REASON_ENROLLMENT_UNKNOWN);
}

TEST_F(FactorEnrollmentTest, IsOfItsSession) {
  DT_ASSERT_OK(Begin());
  session_.set_session_id("session-2");
  EXPECT_EQ(ReasonOf(Confirm(Code())), reason::v1::REASON_ENROLLMENT_UNKNOWN);
  session_.set_session_id("session-1");
  *session_.mutable_authenticated_at() = rpc::ToTimestamp(clock_.Now() - std::chrono::hours(13));
  EXPECT_EQ(ReasonOf(Confirm(Code())), reason::v1::REASON_SESSION_EXPIRED);
  *session_.mutable_authenticated_at() = rpc::ToTimestamp(clock_.Now());
  DT_ASSERT_OK(database_->Write([&](db::Transaction& txn) {
    return WriteUserStatus(txn, user_id_, v1::USER_STATUS_DEACTIVATED, clock_.Now());
  }));
  EXPECT_EQ(ReasonOf(Confirm(Code())), reason::v1::REASON_SESSION_ENDED);
  EXPECT_EQ(ReasonOf(Begin()), reason::v1::REASON_SESSION_ENDED);
}

// Whoever has only the password replaces no factor.
TEST_F(FactorEnrollmentTest, AFactorIsReplacedByItsOwnerOnly) {
  Enroll();
  EXPECT_EQ(ReasonOf(Begin()), reason::v1::REASON_FACTOR_NEEDED);
  *session_.mutable_factor_at() = rpc::ToTimestamp(clock_.Now() - kFactorFreshFor);
  EXPECT_EQ(ReasonOf(Begin()), reason::v1::REASON_FACTOR_NEEDED);
  *session_.mutable_factor_at() = rpc::ToTimestamp(clock_.Now() + std::chrono::hours(1));
  EXPECT_EQ(ReasonOf(Begin()), reason::v1::REASON_FACTOR_NEEDED);
  *session_.mutable_factor_at() = rpc::ToTimestamp(clock_.Now());
  const std::string recovery = confirmed_.recovery_codes(0);
  Enroll();
  EXPECT_EQ(Show(recovery, true), FactorVerdict::kWrong);  // Of the factor that went.
}

// An enrollment that was begun while there was no factor does not outlive one that came meanwhile.
TEST_F(FactorEnrollmentTest, AFactorThatComesMeanwhileEndsTheEnrollment) {
  DT_ASSERT_OK(Begin());
  const SealedFactor other = factors_.Seal(user_id_, Bytes(20, 'o')).value();
  DT_ASSERT_OK(
      database_->Write([&](db::Transaction& txn) { return TotpFactors::Store(txn, other); }));
  EXPECT_EQ(ReasonOf(Confirm(Code())), reason::v1::REASON_FACTOR_NEEDED);
  *session_.mutable_factor_at() = rpc::ToTimestamp(clock_.Now());
  EXPECT_EQ(ReasonOf(Confirm(Code())), reason::v1::REASON_ENROLLMENT_UNKNOWN);
}

TEST_F(FactorEnrollmentTest, RecoveryCodesAreMadeAnewByOwnerAndAdmin) {
  const rpc::Caller gateway = Component("gateway-1", "gateway");
  EXPECT_EQ(ReasonOf(MakeCodes(admin_, false).status()), reason::v1::REASON_FACTOR_NOT_ENROLLED);
  Enroll();
  const std::string old = confirmed_.recovery_codes(0);
  EXPECT_EQ(ReasonOf(MakeCodes(gateway, true).status()), reason::v1::REASON_FACTOR_NEEDED);
  EXPECT_EQ(ReasonOf(MakeCodes(gateway, false).status()), reason::v1::REASON_CALLER_NOT_ALLOWED);
  DT_EXPECT_CODE(enrollment_.MakeCodes(admin_, {}), kInvalidArgument);
  *session_.mutable_factor_at() = rpc::ToTimestamp(clock_.Now());
  const auto by_owner = MakeCodes(gateway, true);
  DT_ASSERT_OK(by_owner);
  EXPECT_EQ(Show(old, true), FactorVerdict::kWrong);
  const auto by_admin = MakeCodes(admin_, false);
  DT_ASSERT_OK(by_admin);
  EXPECT_EQ(Show(by_owner->recovery_codes(0), true), FactorVerdict::kWrong);
  EXPECT_EQ(Show(by_admin->recovery_codes(0), true), FactorVerdict::kAccepted);
  EXPECT_EQ(Status().recovery_codes_left(), 9);
  const auto events = EventsOf("user.mfa.recovery_codes.make");
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].actor().type(), "User");
  EXPECT_EQ(events[1].actor().id(), "ada");
}

// A recovery code in place of one of the telephone: the event says so.
TEST_F(FactorEnrollmentTest, ARecoveryCodeFinishesADecision) {
  Enroll();
  FactorCompletion completion(
      FactorCompletion::Parts{*database_, *store_, *events_, factors_, clock_});
  v1::CompleteFactorRequest request;
  request.set_code(Evaluate(Trusted()).code());
  request.set_session_id("session-1");
  request.mutable_client()->set_address("203.0.113.5");
  request.set_recovery_code("0000-0000-0000-0000");
  EXPECT_EQ(ReasonOf(completion.Complete(request).status()), reason::v1::REASON_FACTOR_WRONG);
  request.set_recovery_code(confirmed_.recovery_codes(2));
  const auto completed = completion.Complete(request);
  DT_ASSERT_OK(completed);
  EXPECT_EQ(completed->result().outcome(), v1::OUTCOME_ALLOWED);
  EXPECT_EQ(completed->recovery_codes_left(), 9);
  const auto again = completion.Complete(request);  // A second click.
  DT_ASSERT_OK(again);
  EXPECT_EQ(again->SerializeAsString(), completed->SerializeAsString());
  const auto events = EventsOf("user.authentication.verify");
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[1].debug_data().at("factor"), "recovery code");
  EXPECT_EQ(events[1].debug_data().at("recovery_codes_left"), "9");

  request.set_code(Evaluate(Trusted()).code());
  EXPECT_EQ(ReasonOf(completion.Complete(request).status()), reason::v1::REASON_FACTOR_REUSED);
}

TEST_F(FactorEnrollmentTest, TheFirstFactorIsEnrolledWhereTheOrgLetsPeople) {
  LetPeopleEnroll(false);
  EXPECT_EQ(ReasonOf(Begin()), reason::v1::REASON_FACTOR_SELF_ENROLLMENT_OFF);
  LetPeopleEnroll(true);
  DT_ASSERT_OK(Begin());
  LetPeopleEnroll(false);
  EXPECT_EQ(ReasonOf(Confirm(Code())), reason::v1::REASON_FACTOR_SELF_ENROLLMENT_OFF);
  LetPeopleEnroll(true);
  DT_ASSERT_OK(Confirm(Code()));
  // Whoever has one and shows it replaces it, whatever the setting says.
  LetPeopleEnroll(false);
  *session_.mutable_factor_at() = rpc::ToTimestamp(clock_.Now());
  DT_ASSERT_OK(Begin());
}

// With the password alone it would open the console.
TEST_F(FactorEnrollmentTest, AnAdministratorsFirstFactorComesFromAnother) {
  DT_ASSERT_OK(Begin());
  DT_ASSERT_OK(database_->Write([&](db::Transaction& txn) {
    return StoreAdminRole(txn,
                          {user_id_, access::v1::ROLE_READ_ONLY, admin_.ToString(), clock_.Now()});
  }));
  EXPECT_EQ(ReasonOf(Confirm(Code())), reason::v1::REASON_FACTOR_SELF_ENROLLMENT_OFF);
  EXPECT_EQ(ReasonOf(Begin()), reason::v1::REASON_FACTOR_SELF_ENROLLMENT_OFF);
  DT_ASSERT_OK(database_->Write(
      [&](db::Transaction& txn) { return RemoveAdminRole(txn, user_id_).status(); }));
  Enroll();
  // Who has one replaces it as anybody does.
  DT_ASSERT_OK(database_->Write([&](db::Transaction& txn) {
    return StoreAdminRole(txn,
                          {user_id_, access::v1::ROLE_READ_ONLY, admin_.ToString(), clock_.Now()});
  }));
  *session_.mutable_factor_at() = rpc::ToTimestamp(clock_.Now());
  DT_EXPECT_OK(Begin());
}

TEST_F(FactorEnrollmentTest, AFactorIsShownOutsideOfASignOn) {
  const auto show = [&](const std::string& code, bool recovery) {
    v1::ShowFactorRequest request;
    *request.mutable_session() = session_;
    if (recovery) {
      request.set_recovery_code(code);
    } else {
      request.set_totp_code(code);
    }
    request.mutable_client()->set_address("203.0.113.5");
    return enrollment_.Show(request);
  };
  EXPECT_EQ(ReasonOf(show("123456", false).status()), reason::v1::REASON_FACTOR_NOT_ENROLLED);
  Enroll();
  EXPECT_EQ(ReasonOf(Begin()), reason::v1::REASON_FACTOR_NEEDED);
  EXPECT_EQ(ReasonOf(show(Code(), false).status()), reason::v1::REASON_FACTOR_REUSED);
  EXPECT_EQ(ReasonOf(show("000000", false).status()), reason::v1::REASON_FACTOR_WRONG);
  clock_.Advance(std::chrono::seconds(60));
  const auto shown = show(Code(), false);
  DT_ASSERT_OK(shown);
  EXPECT_EQ(rpc::FromTimestamp(shown->factor_at()), clock_.Now());
  *session_.mutable_factor_at() = shown->factor_at();
  DT_ASSERT_OK(Begin());
  const auto recovered = show(confirmed_.recovery_codes(0), true);
  DT_ASSERT_OK(recovered);
  EXPECT_EQ(recovered->recovery_codes_left(), 9);
  EXPECT_EQ(EventsOf("user.authentication.verify").size(), 4u);
  // Guessing is paused as at a sign-on.
  for (int i = 0; i < 5; ++i) show("guess", false).IgnoreError();
  EXPECT_EQ(ReasonOf(show("guess", false).status()), reason::v1::REASON_THROTTLED);
}

}  // namespace
}  // namespace devicetrust::policy
