// What a crash between the two transactions of an issuance leaves, and how it is taken up.
#include "ca-service/issuance.h"

#include <thread>

#include "ca-service/ca_fixture.h"
#include "libs/pki/der.h"

namespace devicetrust::ca {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

class IssuanceTest : public CaTest {
 protected:
  // Puts the store back to the moment after the plan of this certificate and before its record,
  // where a crash would have left it.
  void Unrecord(const StoredCertificate& certificate) {
    EXPECT_TRUE(outbox_->WaitUntilEmpty(seconds(10)));
    const Bytes content = [&] {
      const auto parts = pki::SplitEcdsaSigned(certificate.der);
      return Bytes(parts->content.begin(), parts->content.end());
    }();
    DT_ASSERT_OK(database_->Write([&](db::Transaction& txn) -> absl::Status {
      DT_RETURN_IF_ERROR(
          txn.Run("DELETE FROM certificates WHERE serial = $1", {certificate.serial}).status());
      DT_ASSIGN_OR_RETURN(const auto state, CertificateStore(txn).FindEnrollmentState(
                                                {.user_id = certificate.user_id}));
      return PlanStore(txn).Insert({certificate, content, state.revocation_epoch, "192.0.2.7"});
    }));
  }
  std::int64_t CountPlans() {
    return database_
        ->Read([](db::Transaction& txn) -> absl::StatusOr<std::int64_t> {
          DT_ASSIGN_OR_RETURN(const auto plans, PlanStore(txn).After({}, 1000));
          return static_cast<std::int64_t>(plans.size());
        })
        .value();
  }
  static Bytes ContentOf(const Bytes& der) {
    const auto parts = pki::SplitEcdsaSigned(der);
    return {parts->content.begin(), parts->content.end()};
  }
};

TEST_F(IssuanceTest, LeavesNoPlanBehind) {
  DT_ASSERT_OK(Enroll(Token(key_), key_));
  EXPECT_EQ(CountPlans(), 0);
}

TEST_F(IssuanceTest, TheNextCallGoesOnFromThePlan) {
  const token::UserToken token = Token(key_);
  const auto first = Enroll(token, key_).value();
  Unrecord(first);
  Open();
  const std::size_t asked = org_.requests.size();
  const auto again = Enroll(token, key_);
  DT_ASSERT_OK(again);
  EXPECT_EQ(ContentOf(again->der), ContentOf(first.der));
  EXPECT_EQ(again->enrollment_id, first.enrollment_id);
  EXPECT_EQ(org_.requests.size(), asked) << "the org had said yes";
  EXPECT_EQ(CountCertificates(), 1);
  EXPECT_EQ(CountPlans(), 0);
  EXPECT_EQ(EventCounts()["pki.cert.issue"], 1);
}

TEST_F(IssuanceTest, ARestartCompletesWhatWasPlanned) {
  const token::UserToken token = Token(key_);
  const auto first = Enroll(token, key_).value();
  Unrecord(first);
  Open();
  EXPECT_EQ(enroller_->CompletePlanned().value(), 1);
  EXPECT_EQ(enroller_->CompletePlanned().value(), 0);
  EXPECT_EQ(CountPlans(), 0);
  const auto answer = Enroll(token, key_);
  DT_ASSERT_OK(answer);
  EXPECT_EQ(answer->serial, first.serial);
  EXPECT_EQ(EventCounts()["user.credential.enroll"], 1);
}

// The rollover came between the two: the one that planned it signs it.
TEST_F(IssuanceTest, TheIssuerOfThePlanSignsIt) {
  const auto first = Enroll(Token(key_), key_).value();
  Unrecord(first);
  const std::string next = issuers_->Add().value();
  DT_ASSERT_OK(issuers_->Activate(next, /*insist=*/true));
  EXPECT_EQ(enroller_->CompletePlanned().value(), 1);
  const auto completed = Enroll(Token(key_), key_).value();
  EXPECT_EQ(completed.serial, first.serial);
  EXPECT_EQ(completed.issuer_id, first.issuer_id);
}

TEST_F(IssuanceTest, APlannedTokenIsSpentForOtherKeys) {
  const token::UserToken token = Token(key_);
  Unrecord(Enroll(token, key_).value());
  const auto other = pki::PrivateKey::Generate().value();
  token::UserToken doubled = Token(other);
  doubled.envelope.id = token.envelope.id;
  EXPECT_EQ(rpc::ReasonOf(Enroll(doubled, other).status()), reason::v1::REASON_TOKEN_REPLAYED);
  EXPECT_EQ(CountCertificates(), 0);
}

// Signed is signed: it is accounted for, and nobody can use it.
TEST_F(IssuanceTest, APlanOfAUserRevokedMeanwhileEndsRevoked) {
  const token::UserToken token = Token(key_);
  const auto first = Enroll(token, key_).value();
  Unrecord(first);
  DT_ASSERT_OK(revocations_->RevokeForUser(first.user_id, v1::REVOCATION_REASON_SUPERSEDED, "org"));
  const auto refused = Enroll(token, key_);
  EXPECT_EQ(rpc::ReasonOf(refused.status()), reason::v1::REASON_USER_REVOKED_MEANWHILE);
  EXPECT_EQ(CountCertificates(), 1);
  EXPECT_EQ(CountPlans(), 0);
  EXPECT_EQ(EventCounts()["pki.cert.revoke"], 1);
  const auto feed = revocations_->After(0, 10).value();
  ASSERT_EQ(feed.size(), 1U);
  EXPECT_EQ(feed[0].serial, first.serial);
}

TEST_F(IssuanceTest, ManyThatGoOnFromOnePlanGetOneCertificate) {
  const token::UserToken token = Token(key_);
  Unrecord(Enroll(token, key_).value());
  std::vector<Bytes> answers(8);
  std::vector<std::thread> threads;
  for (Bytes& answer : answers) {
    threads.emplace_back([&] { answer = Enroll(token, key_).value().der; });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Bytes& answer : answers) EXPECT_EQ(answer, answers[0]);
  EXPECT_EQ(CountCertificates(), 1);
}

TEST_F(IssuanceTest, AComputerGetsSoManyCertificatesADayAndNoMore) {
  device_daily_max_ = 3;
  Open();
  for (int i = 0; i < 3; ++i) {
    const auto key = pki::PrivateKey::Generate().value();
    DT_ASSERT_OK(Enroll(Token(key), key));
    clock_.Advance(hours(1));
  }
  const auto refused = Enroll(Token(key_), key_);
  DT_EXPECT_CODE(refused, kResourceExhausted);
  const auto detail = rpc::DetailOf(refused.status());
  EXPECT_EQ(detail->reason(), reason::v1::REASON_TOO_MANY_REQUESTS);
  EXPECT_EQ(detail->subject(), "PC0042$");
  EXPECT_EQ(detail->retry_after().seconds(), 21 * 3600);
  token::UserToken elsewhere = Token(key_);
  elsewhere.computer_sid = "S-1-5-21-1-2-3-2002";
  DT_EXPECT_OK(Enroll(elsewhere, key_));

  clock_.Advance(hours(21));
  const auto later = pki::PrivateKey::Generate().value();
  DT_EXPECT_OK(Enroll(Token(later), later));
}

TEST_F(IssuanceTest, AUserGetsSoManyCertificatesADayWhateverTheComputer) {
  user_daily_max_ = 2;
  Open();
  for (int i = 0; i < 3; ++i) {
    const auto key = pki::PrivateKey::Generate().value();
    token::UserToken token = Token(key);
    token.computer_sid += std::to_string(i);
    const auto answer = Enroll(token, key);
    EXPECT_EQ(answer.ok(), i < 2) << answer.status();
    if (i == 2) {
      EXPECT_EQ(rpc::DetailOf(answer.status())->subject(), "alice@CORP.TEST");
    }
  }
}

}  // namespace
}  // namespace devicetrust::ca
