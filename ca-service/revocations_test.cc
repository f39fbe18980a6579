#include "ca-service/revocations.h"

#include <thread>

#include "ca-service/ca_fixture.h"
#include "libs/pki/crl.h"

namespace devicetrust::ca {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

class RevocationsTest : public CaTest {
 protected:
  StoredCertificate EnrollNew() {
    const auto key = pki::PrivateKey::Generate().value();
    return Enroll(Token(key), key).value();
  }
  pki::Crl ActiveCrl() { return PublishedCrl(issuers_->Current()->active()); }
};

TEST_F(RevocationsTest, RevokesAllOfAUserOnceInSequence) {
  const auto first = EnrollNew();
  const auto second = EnrollNew();
  const auto revoked =
      revocations_
          ->RevokeForUser(first.user_id, v1::REVOCATION_REASON_PRIVILEGE_WITHDRAWN, "admin:ada")
          .value();
  EXPECT_EQ(revoked.revoked, 2);
  const auto again =
      revocations_->RevokeForUser(first.user_id, v1::REVOCATION_REASON_KEY_COMPROMISE, "admin:ada")
          .value();
  EXPECT_EQ(again.revoked, 0);
  EXPECT_EQ(again.sequence, revoked.sequence);
  EXPECT_EQ(revocations_->RevokeForUser("nobody", v1::REVOCATION_REASON_SUPERSEDED, "admin:ada")
                .value()
                .sequence,
            0);

  const auto feed = revocations_->After(0, 10).value();
  ASSERT_EQ(feed.size(), 2U);
  EXPECT_LT(feed[0].sequence, feed[1].sequence);
  EXPECT_EQ(feed[1].sequence, revoked.sequence);
  EXPECT_EQ(feed[1].reason, v1::REVOCATION_REASON_PRIVILEGE_WITHDRAWN);
  EXPECT_EQ(feed[1].not_after, second.not_after);
  EXPECT_EQ(revocations_->After(feed[0].sequence, 10).value().size(), 1U);
  EXPECT_TRUE(revocations_->After(revoked.sequence, 10).value().empty());
  DT_EXPECT_CODE(revocations_->After(revoked.sequence + 1, 10), kOutOfRange);
  EXPECT_EQ(EventCounts()["pki.cert.revoke"], 2);
}

TEST_F(RevocationsTest, RevokesAllOfAComputer) {
  const auto first = EnrollNew();
  const auto second = EnrollNew();
  ASSERT_EQ(first.device_id, second.device_id);
  const auto revoked =
      revocations_
          ->RevokeForDevice({first.device_id, {}}, v1::REVOCATION_REASON_CESSATION_OF_OPERATION,
                            "admin:ada")
          .value();
  EXPECT_EQ(revoked.revoked, 2);
  EXPECT_EQ(revoked.device_id, first.device_id);
  EXPECT_EQ(revocations_->After(0, 10).value().back().sequence, revoked.sequence);
  EXPECT_EQ(
      revocations_
          ->RevokeForDevice({first.device_id, {}}, v1::REVOCATION_REASON_SUPERSEDED, "admin:ada")
          .value()
          .revoked,
      0);
  EXPECT_EQ(EnrollNew().device_id, first.device_id);  // It may enroll again.
  const auto unknown = revocations_->RevokeForDevice({{}, "S-1-5-21-9"},
                                                     v1::REVOCATION_REASON_SUPERSEDED, "admin:ada");
  EXPECT_EQ(rpc::ReasonOf(unknown.status()), reason::v1::REASON_UNKNOWN_SUBJECT);
}

TEST_F(RevocationsTest, AHoldEndsAndTheCertificateIsGoodAgain) {
  const auto issued = EnrollNew();
  const auto hold = [&] {
    return revocations_
        ->RevokeCertificate(issued.serial, v1::REVOCATION_REASON_CERTIFICATE_HOLD, "admin:ada")
        .value();
  };
  const auto held = hold();
  EXPECT_FALSE(held.was_already_revoked);
  EXPECT_TRUE(hold().was_already_revoked);
  EXPECT_EQ(ActiveCrl().revoked.at(0).reason, pki::CrlReason::kCertificateHold);

  const auto released = revocations_->ReleaseHold(issued.serial, "admin:ada").value();
  EXPECT_TRUE(released.was_on_hold);
  EXPECT_GT(released.sequence, held.certificate.revocation_sequence);
  EXPECT_FALSE(revocations_->ReleaseHold(issued.serial, "admin:ada").value().was_on_hold);
  EXPECT_TRUE(ActiveCrl().revoked.empty());
  const auto feed = revocations_->After(held.certificate.revocation_sequence, 10).value();
  ASSERT_EQ(feed.size(), 1U);
  EXPECT_TRUE(feed[0].released);
  EXPECT_EQ(feed[0].serial, issued.serial);
  EXPECT_EQ(feed[0].sequence, released.sequence);
  EXPECT_EQ(revocations_->After(0, 10).value().size(), 1U);  // Its latest change alone.

  hold();
  EXPECT_EQ(revocations_->After(released.sequence, 10).value().size(), 1U);
  EXPECT_EQ(revocations_->After(0, 10).value().size(), 1U);
  EXPECT_EQ(EventCounts()["pki.cert.revoke"], 2);
  EXPECT_EQ(EventCounts()["ca.certificate.release"], 1);
}

TEST_F(RevocationsTest, AHoldThatBecomesFinalKeepsItsTimeAndStaysSo) {
  const auto issued = EnrollNew();
  DT_ASSERT_OK(revocations_->RevokeCertificate(issued.serial,
                                               v1::REVOCATION_REASON_CERTIFICATE_HOLD, "admin:a"));
  clock_.Advance(hours(1));
  const auto final_one =
      revocations_
          ->RevokeCertificate(issued.serial, v1::REVOCATION_REASON_CESSATION_OF_OPERATION,
                              "admin:ada")
          .value();
  EXPECT_TRUE(final_one.was_on_hold);
  EXPECT_FALSE(final_one.was_already_revoked);
  EXPECT_EQ(final_one.certificate.revoked_at, UnixSeconds(kStart));
  const auto crl = ActiveCrl();
  ASSERT_EQ(crl.revoked.size(), 1U);
  EXPECT_EQ(crl.revoked[0].reason, pki::CrlReason::kCessationOfOperation);
  const auto refused = revocations_->ReleaseHold(issued.serial, "admin:ada").status();
  DT_EXPECT_CODE(refused, kFailedPrecondition);
  EXPECT_EQ(rpc::ReasonOf(refused), reason::v1::REASON_CONFLICTING_STATE);
  EXPECT_TRUE(
      revocations_
          ->RevokeCertificate(issued.serial, v1::REVOCATION_REASON_CERTIFICATE_HOLD, "admin:ada")
          .value()
          .was_already_revoked);
}

// A hold would be worth nothing if the same key got another certificate meanwhile.
TEST_F(RevocationsTest, AKeyWhoseCertificateIsOnHoldGetsNoOther) {
  const auto issued = Enroll(Token(key_), key_).value();
  DT_ASSERT_OK(revocations_->RevokeCertificate(issued.serial,
                                               v1::REVOCATION_REASON_CERTIFICATE_HOLD, "admin:a"));
  const auto refused = Enroll(Token(key_), key_).status();
  EXPECT_EQ(rpc::ReasonOf(refused), reason::v1::REASON_CERTIFICATE_ON_HOLD);
  DT_ASSERT_OK(revocations_->ReleaseHold(issued.serial, "admin:ada"));
  EXPECT_EQ(Enroll(Token(key_), key_).value().serial, issued.serial);
}

TEST_F(RevocationsTest, AUserWhoIsDeactivatedLosesWhatIsOnHoldForGood) {
  const auto held = EnrollNew();
  EnrollNew();
  DT_ASSERT_OK(revocations_->RevokeCertificate(held.serial, v1::REVOCATION_REASON_CERTIFICATE_HOLD,
                                               "admin:a"));
  EXPECT_EQ(
      revocations_->RevokeForUser(held.user_id, v1::REVOCATION_REASON_CERTIFICATE_HOLD, "admin:ada")
          .value()
          .revoked,
      1);
  EXPECT_EQ(
      revocations_->RevokeForUser(held.user_id, v1::REVOCATION_REASON_PRIVILEGE_WITHDRAWN, "policy")
          .value()
          .revoked,
      2);
  DT_EXPECT_CODE(revocations_->ReleaseHold(held.serial, "admin:ada"), kFailedPrecondition);
}

TEST_F(RevocationsTest, KeepsTheFirstTimeAndReasonOfACertificate) {
  const auto issued = EnrollNew();
  const auto first =
      revocations_
          ->RevokeCertificate(issued.serial, v1::REVOCATION_REASON_KEY_COMPROMISE, "admin:ada")
          .value();
  EXPECT_FALSE(first.was_already_revoked);
  clock_.Advance(hours(1));
  const auto second =
      revocations_->RevokeCertificate(issued.serial, v1::REVOCATION_REASON_SUPERSEDED, "admin:ada")
          .value();
  EXPECT_TRUE(second.was_already_revoked);
  EXPECT_EQ(second.certificate.reason, v1::REVOCATION_REASON_KEY_COMPROMISE);
  EXPECT_EQ(second.certificate.revoked_at, first.certificate.revoked_at);
  const auto unknown =
      revocations_->RevokeCertificate("0a", v1::REVOCATION_REASON_SUPERSEDED, "admin:ada");
  EXPECT_EQ(rpc::ReasonOf(unknown.status()), reason::v1::REASON_UNKNOWN_SUBJECT);
}

// Whatever was revoked since, a reader of the lost store sees (fail closed).
TEST_F(RevocationsTest, GivesNoPositionAgainOverARestoreFromABackup) {
  const auto lost = EnrollNew();
  const auto revoked =
      revocations_->RevokeForUser(lost.user_id, v1::REVOCATION_REASON_SUPERSEDED, "admin:ada")
          .value();
  const auto number = ActiveCrl().number;
  store_ = "restored.db";
  Open();
  clock_.Advance(std::chrono::seconds(1));
  const auto issued = EnrollNew();
  DT_ASSERT_OK(revocations_->RevokeCertificate(issued.serial, v1::REVOCATION_REASON_SUPERSEDED,
                                               "admin:ada"));
  EXPECT_GT(ActiveCrl().number, number);
  const auto seen = revocations_->After(revoked.sequence, 10).value();
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].serial, issued.serial);
}

TEST_F(RevocationsTest, WakesAWaiterAndStops) {
  const auto issued = EnrollNew();
  const std::uint64_t seen = revocations_->committed().Generation();
  std::thread revoker([&] {
    DT_EXPECT_OK(revocations_->RevokeCertificate(issued.serial, v1::REVOCATION_REASON_SUPERSEDED,
                                                 "admin:ada"));
  });
  while (revocations_->committed().Generation() == seen) {
    revocations_->committed().WaitForChange(seen, milliseconds(10'000));
  }
  revoker.join();
  revocations_->committed().Stop();
  revocations_->committed().WaitForChange(revocations_->committed().Generation(),
                                          std::chrono::hours(1));
  EXPECT_TRUE(revocations_->committed().stopped());
}

TEST_F(RevocationsTest, PublishesANewListForEachRevocationAndNeverTwoOfOneNumber) {
  const pki::Crl empty = ActiveCrl();
  EXPECT_TRUE(empty.revoked.empty());
  EXPECT_EQ(empty.this_update, kStart - kCrlBackdate);
  EXPECT_EQ(empty.next_update, kStart + kCrlLifetime);

  const auto issued = EnrollNew();
  DT_ASSERT_OK(revocations_->RevokeCertificate(issued.serial, v1::REVOCATION_REASON_KEY_COMPROMISE,
                                               "admin:ada"));
  const pki::Crl crl = ActiveCrl();
  ASSERT_EQ(crl.revoked.size(), 1U);
  EXPECT_EQ(crl.revoked[0].serial_hex, issued.serial);
  EXPECT_EQ(crl.revoked[0].reason, pki::CrlReason::kKeyCompromise);
  EXPECT_GT(crl.number, empty.number);

  Open();
  const pki::Crl after_restart = ActiveCrl();
  EXPECT_EQ(after_restart.revoked.size(), 1U);
  EXPECT_GT(after_restart.number, crl.number);
}

// NSS takes the next of two lists with one thisUpdate for an old one (SEC_ERROR_OLD_CRL).
TEST_F(RevocationsTest, ThisUpdateGrowsByASecondFromListToList) {
  WallTime before = ActiveCrl().this_update;
  const auto expect_later = [&] {
    const pki::Crl crl = ActiveCrl();
    EXPECT_EQ(crl.this_update, before + std::chrono::seconds(1));
    EXPECT_EQ(crl.next_update, kStart + kCrlLifetime);
    before = crl.this_update;
  };
  for (int i = 0; i < 3; ++i) {  // All within one second of the clock.
    const auto issued = EnrollNew();
    DT_ASSERT_OK(revocations_->RevokeCertificate(issued.serial, v1::REVOCATION_REASON_SUPERSEDED,
                                                 "admin:ada"));
    expect_later();
  }
  Open();  // At a restart too.
  expect_later();
  clock_.Advance(-hours(1));  // And when the clock was set back.
  Open();
  EXPECT_EQ(ActiveCrl().this_update, before + std::chrono::seconds(1));
}

TEST_F(RevocationsTest, WhatIsRevokedBetweenTwoListsSharesTheNext) {
  crl_pace_ = milliseconds(hours(1));  // The next list is a long way off.
  Open();
  const Issuer& issuer = issuers_->Current()->active();
  const std::int64_t number = PublishedCrl(issuer).number;
  std::vector<std::promise<std::size_t>> waiting(3);
  for (auto& answer : waiting) {
    const auto issued = EnrollNew();
    DT_ASSERT_OK(revocations_->RevokeCertificate(issued.serial, v1::REVOCATION_REASON_SUPERSEDED,
                                                 "admin:ada"));
    crl_->WhenUpToDate([&](const auto& lists) {
      const auto& list = *lists->at(issuer.id());
      EXPECT_EQ(list.number, number);
      answer.set_value(pki::ParseCrl(list.der, issuer.certificate())->revoked.size());
    });
  }
  crl_->Stop();  // Those who wait are served what there is.
  for (auto& answer : waiting) EXPECT_EQ(answer.get_future().get(), 0U);
  crl_pace_ = milliseconds(0);
  Open();
  EXPECT_EQ(ActiveCrl().revoked.size(), 3U);
}

TEST_F(RevocationsTest, TheRootHasAListOfItsOwnThatNamesNobody) {
  const auto issuers = issuers_->Current();
  const pki::Crl first = PublishedRootCrl(issuers->active());
  EXPECT_TRUE(first.revoked.empty());
  EXPECT_EQ(first.this_update, kStart - kCrlBackdate);
  EXPECT_EQ(first.next_update, kStart + kRootCrlLifetime);

  const auto issued = EnrollNew();
  DT_ASSERT_OK(revocations_->RevokeCertificate(issued.serial, v1::REVOCATION_REASON_SUPERSEDED,
                                               "admin:ada"));
  EXPECT_EQ(ActiveCrl().revoked.size(), 1U);
  EXPECT_EQ(PublishedRootCrl(issuers->active()).number, first.number);  // Not its business.
  clock_.Advance(kRootCrlLifetime / 2);
  while (PublishedRootCrl(issuers->active()).number == first.number) {
    // The publisher looks at the clock when it is woken, and every second.
    const auto next = EnrollNew();
    DT_ASSERT_OK(revocations_->RevokeCertificate(next.serial, v1::REVOCATION_REASON_SUPERSEDED,
                                                 "admin:ada"));
  }
}

TEST_F(RevocationsTest, ALaterListHoldsWhatWasRevokedBeforeItWasAskedFor) {
  for (std::size_t revoked = 1; revoked <= 20; ++revoked) {
    const auto issued = EnrollNew();
    DT_ASSERT_OK(revocations_->RevokeCertificate(issued.serial, v1::REVOCATION_REASON_SUPERSEDED,
                                                 "admin:ada"));
    EXPECT_EQ(ActiveCrl().revoked.size(), revoked);
  }
  crl_->Stop();  // The list that there is, as none will follow.
  EXPECT_EQ(ActiveCrl().revoked.size(), 20U);
}

TEST_F(RevocationsTest, RenewsTheListAtHalfItsLifeAndForgetsTheExpired) {
  const auto issued = EnrollNew();
  DT_ASSERT_OK(revocations_->RevokeCertificate(issued.serial, v1::REVOCATION_REASON_SUPERSEDED,
                                               "admin:ada"));
  const auto number = ActiveCrl().number;
  clock_.Advance(hours(13));
  Open();
  EXPECT_GT(ActiveCrl().number, number);
  EXPECT_EQ(ActiveCrl().revoked.size(), 1U);
  clock_.Advance(std::chrono::days(365));
  Open();
  EXPECT_EQ(ActiveCrl().revoked.size(),
            1U);  // RFC 5280, section 3.3: on one list after its end.
  clock_.Advance(2 * kCrlLifetime);
  Open();
  EXPECT_TRUE(ActiveCrl().revoked.empty());
}

TEST_F(RevocationsTest, ListsNewestFirstPageByPage) {
  std::vector<std::string> issued;
  for (int i = 0; i < 5; ++i) {
    issued.push_back(EnrollNew().serial);
    clock_.Advance(std::chrono::seconds(1));
  }
  std::vector<std::string> listed;
  CertificateFilter filter;
  filter.limit = 2;
  for (int page = 0; page < 3; ++page) {
    const auto rows =
        database_->Read([&](db::Transaction& txn) { return CertificateStore(txn).List(filter); })
            .value();
    for (const auto& row : rows) listed.push_back(row.serial);
    filter.after.emplace(rows.back().issued_at, rows.back().serial);
  }
  std::reverse(issued.begin(), issued.end());
  EXPECT_EQ(listed, issued);
}

}  // namespace
}  // namespace devicetrust::ca
