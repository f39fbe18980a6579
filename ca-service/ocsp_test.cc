#include <atomic>
#include <thread>

#include "ca-service/ca_fixture.h"
#include "ca-service/ocsp_delegates.h"
#include "ca-service/ocsp_fixture.h"
#include "ca-service/ocsp_responder.h"
#include "libs/base/wait_until.h"
#include "libs/testing/soft_hsm.h"

namespace devicetrust::ca {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using Kind = OcspReply::Kind;
using Single = ReadOcspAnswer::Single;

class OcspResponderTest : public CaTest {
 protected:
  void SetUp() override {
    CaTest::SetUp();
    OpenResponder();
  }
  void TearDown() override {
    responder_.reset();
    delegates_.reset();
  }
  void OpenResponder(OcspOptions options = {}) {
    responder_.reset();
    delegates_.reset();
    delegates_ = OcspDelegates::Start({"acme", kek_}, *database_, *issuers_, clock_, random_,
                                      milliseconds(1))
                     .value();
    responder_ = OcspResponder::Start(*database_, *delegates_, clock_, options).value();
  }

  StoredCertificate EnrollNew() {
    const auto key = pki::PrivateKey::Generate().value();
    return Enroll(Token(key), key).value();
  }
  Bytes IdOf(const std::string& serial) { return CertIdOf(ActiveCertificate(), serial); }
  Bytes Asking(const std::string& serial, const Bytes& nonce = {}) {
    return OcspRequestAbout({IdOf(serial)}, nonce);
  }
  // As the HTTP endpoint asks.
  OcspResponder::Reply Reply(const Bytes& request) {
    auto parsed = pki::OcspRequest::Parse(request).value();
    if (auto kept = responder_->Kept(parsed)) return kept;
    std::promise<OcspResponder::Reply> reply;
    responder_->Answer(std::move(parsed),
                       [&](OcspResponder::Reply made) { reply.set_value(std::move(made)); });
    return reply.get_future().get();
  }
  bool IsKept(const Bytes& request) {
    return responder_->Kept(pki::OcspRequest::Parse(request).value()) != nullptr;
  }
  static absl::Status Soon(const std::function<bool()>& done) {
    return WaitUntil([&]() -> absl::StatusOr<bool> { return done(); }, milliseconds(1),
                     std::chrono::seconds(10));
  }
  ReadOcspAnswer Read(const Bytes& request) { return ReadOcsp(Reply(request)->der); }
  Single Status(const std::string& serial) { return Read(Asking(serial)).singles.at(0); }
  void Revoke(const std::string& serial, v1::RevocationReason reason) {
    DT_ASSERT_OK(revocations_->RevokeCertificate(serial, reason, "admin:ada"));
  }

  std::unique_ptr<OcspDelegates> delegates_;
  std::unique_ptr<OcspResponder> responder_;
};

TEST_F(OcspResponderTest, KeepsTheAnswerAboutEachCertificate) {
  const auto issued = EnrollNew();
  const Bytes request = Asking(issued.serial);
  EXPECT_FALSE(IsKept(request));
  const auto first = Reply(request);
  EXPECT_EQ(first->kind, Kind::kGood);
  EXPECT_FALSE(first->etag.empty());
  EXPECT_EQ(responder_->Kept(pki::OcspRequest::Parse(request).value()), first);

  const ReadOcspAnswer answer = ReadOcsp(first->der);
  ASSERT_EQ(answer.singles.size(), 1U);
  EXPECT_EQ(answer.singles[0].cert_id, IdOf(issued.serial));  // As it was asked.
  EXPECT_EQ(answer.singles[0].status, Single::kGood);
  EXPECT_EQ(answer.produced_at, kStart);
  EXPECT_EQ(answer.singles[0].this_update, kStart - minutes(5));
  EXPECT_EQ(answer.singles[0].next_update, kStart + hours(12));
  EXPECT_FALSE(answer.has_nonce);
  EXPECT_EQ(answer.delegate->authority_key_id(), ActiveCertificate().subject_key_id());
  EXPECT_FALSE(answer.delegate->allows_client_auth());
}

TEST_F(OcspResponderTest, MakesKeptAnswersAnewInTime) {
  const auto issued = EnrollNew();
  const Bytes request = Asking(issued.serial);
  const auto first = Reply(request);
  clock_.Advance(hours(6) - milliseconds(1));
  EXPECT_EQ(Reply(request), first);
  clock_.Advance(milliseconds(1));
  EXPECT_EQ(Reply(request), first);  // Nobody waits: the next one is made behind it.
  DT_ASSERT_OK(Soon([&] { return Reply(request) != first; }));
  const auto second = Reply(request);
  EXPECT_EQ(second->produced_at, kStart + hours(6));
  EXPECT_NE(second->etag, first->etag);
  clock_.Advance(hours(9));  // One that was not asked for is too old to be given out.
  EXPECT_EQ(Reply(request)->produced_at, kStart + hours(15));
  clock_.Set(kStart);  // Set back: an answer of the future is refused by clients.
  EXPECT_EQ(Reply(request)->produced_at, kStart);
}

// Revoked yet accepted: a kept answer outlives its certificate.
TEST_F(OcspResponderTest, NeverSaysGoodOnceARevocationIsCommitted) {
  const auto issued = EnrollNew();
  const auto other = EnrollNew();
  ASSERT_EQ(Status(issued.serial).status, Single::kGood);
  ASSERT_EQ(Status(other.serial).status, Single::kGood);
  clock_.Advance(minutes(1));
  Revoke(issued.serial, v1::REVOCATION_REASON_KEY_COMPROMISE);
  const Single revoked = Status(issued.serial);
  EXPECT_EQ(revoked.status, Single::kRevoked);
  // NSS and Java go by it, and their clocks may be behind.
  EXPECT_EQ(revoked.revoked_at, revoked.this_update);
  EXPECT_EQ(revoked.reason, 1);
  EXPECT_TRUE(IsKept(Asking(issued.serial)));
  EXPECT_TRUE(IsKept(Asking(other.serial)));
  EXPECT_EQ(Status(other.serial).status, Single::kGood);
  clock_.Advance(hours(10));
  EXPECT_EQ(Status(issued.serial).revoked_at, kStart + minutes(1));
}

TEST_F(OcspResponderTest, AHoldIsRevokedUntilItEnds) {
  const auto issued = EnrollNew();
  ASSERT_EQ(Status(issued.serial).status, Single::kGood);
  Revoke(issued.serial, v1::REVOCATION_REASON_CERTIFICATE_HOLD);
  EXPECT_EQ(Status(issued.serial).status, Single::kRevoked);
  EXPECT_EQ(Status(issued.serial).reason, 6);
  DT_ASSERT_OK(revocations_->ReleaseHold(issued.serial, "admin:ada"));
  EXPECT_EQ(Status(issued.serial).status, Single::kGood);
  Revoke(issued.serial, v1::REVOCATION_REASON_SUPERSEDED);
  EXPECT_EQ(Status(issued.serial).reason, 4);
}

TEST_F(OcspResponderTest, WhoAsksWhileOthersRevokeIsToldTheTruth) {
  std::vector<std::string> serials;
  for (int i = 0; i < 40; ++i) serials.push_back(EnrollNew().serial);
  std::vector<Bytes> requests;
  for (const std::string& serial : serials) requests.push_back(Asking(serial));
  std::atomic<std::size_t> revoked{0};  // So many, from the first.
  std::atomic<int> lies{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 2; ++i) {
    clients.emplace_back([&] {
      while (revoked < serials.size()) {
        for (std::size_t n = 0; n < requests.size(); ++n) {
          const bool must_be_revoked = n < revoked;
          const auto reply = Reply(requests[n]);
          if (must_be_revoked && reply->kind == Kind::kGood) ++lies;
        }
      }
    });
  }
  for (const std::string& serial : serials) {
    Revoke(serial, v1::REVOCATION_REASON_SUPERSEDED);
    ++revoked;
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(lies, 0);
}

TEST_F(OcspResponderTest, RevocationsByThousandsAreAllForgotten) {
  const auto issued = EnrollNew();
  ASSERT_EQ(Status(issued.serial).status, Single::kGood);
  const auto user = issued.user_id;
  DT_ASSERT_OK(database_->Write([&](db::Transaction& txn) -> absl::Status {
    CertificateStore store(txn);
    for (int i = 0; i < 2500; ++i) {  // More than one page, and the one asked about last.
      StoredCertificate made = issued;
      made.serial = fmt::format("4a{:06x}", i);
      made.enrollment_id = made.serial;
      DT_RETURN_IF_ERROR(store.Insert(made));
      DT_RETURN_IF_ERROR(store.Revoke(made, v1::REVOCATION_REASON_SUPERSEDED, kStart));
    }
    return absl::OkStatus();
  }));
  Revoke(issued.serial, v1::REVOCATION_REASON_SUPERSEDED);
  EXPECT_EQ(Status(issued.serial).status, Single::kRevoked);
}

TEST_F(OcspResponderTest, AnUnknownSerialIsUnknownAndNotKept) {
  for (const char* serial : {"01", "80", "7fffffffffffffffffffffffffffffffffffffff",
                             "ffffffffffffffffffffffffffffffffffffffff"}) {
    const Bytes request = Asking(serial);
    const auto reply = Reply(request);
    EXPECT_EQ(reply->kind, Kind::kUnknown) << serial;
    EXPECT_EQ(ReadOcsp(reply->der).singles.at(0).status, Single::kUnknown);
    EXPECT_FALSE(IsKept(request));
  }
  // Longer than any certificate's, and negative: no row can match.
  const Bytes id = IdOf("01");
  for (const Bytes& serial : {Bytes(200, 1), Bytes{0xff}, Bytes{0x00}}) {
    Bytes odd(id.begin(), id.end() - 3);
    const Bytes number = pki::DerElement(pki::kDerInteger, {serial});
    odd.insert(odd.end(), number.begin(), number.end());
    odd = pki::DerElement(pki::kDerSequence, {pki::DerSpan(odd).subspan(2)});
    EXPECT_EQ(Reply(OcspRequestAbout({odd}))->kind, Kind::kUnknown);
  }
}

// Revoked or not stays so behind the end: whoever asks then may look at something signed before.
TEST_F(OcspResponderTest, GoesOnAboutCertificatesThatHaveExpired) {
  const auto issued = EnrollNew();
  const auto revoked = EnrollNew();
  Revoke(revoked.serial, v1::REVOCATION_REASON_KEY_COMPROMISE);
  clock_.Set(AtUnixSeconds(issued.not_after) + days(10));
  DT_ASSERT_OK(Soon([&] { return Reply(Asking(issued.serial))->kind == Kind::kGood; }));
  EXPECT_EQ(Status(revoked.serial).status, Single::kRevoked);
}

TEST_F(OcspResponderTest, EachIssuerHasItsDelegateAndAnswersForItsOwn) {
  const auto before = EnrollNew();
  const pki::Certificate old_issuer = ActiveCertificate();
  const std::string added = issuers_->Add().value();
  DT_ASSERT_OK(issuers_->Activate(added, /*insist=*/true));
  const auto after = EnrollNew();
  const Bytes about_old = CertIdOf(old_issuer, before.serial);
  const Bytes about_new = IdOf(after.serial);
  // Within a moment, without a restart.
  DT_ASSERT_OK(Soon([&] { return delegates_->Current()->all.size() == 2; }));
  const ReadOcspAnswer old_answer = Read(OcspRequestAbout({about_old}));
  const ReadOcspAnswer new_answer = Read(OcspRequestAbout({about_new}));
  EXPECT_EQ(old_answer.singles.at(0).status, Single::kGood);
  EXPECT_EQ(new_answer.singles.at(0).status, Single::kGood);
  EXPECT_EQ(old_answer.delegate->authority_key_id(), old_issuer.subject_key_id());
  EXPECT_EQ(new_answer.delegate->authority_key_id(), ActiveCertificate().subject_key_id());
  // The serial of one in the name of the other: never good.
  EXPECT_EQ(Status(before.serial).status, Single::kUnknown);
  EXPECT_EQ(Reply(OcspRequestAbout({about_new, about_old}))->kind, Kind::kUnauthorized);

  const Bytes foreign = CertIdOf(issuers_->Current()->active().root(), before.serial);
  const auto refused = Reply(OcspRequestAbout({foreign}));
  EXPECT_EQ(refused->kind, Kind::kUnauthorized);
  EXPECT_EQ(ReadOcsp(refused->der).response_status, 6);
}

TEST_F(OcspResponderTest, AnswersSeveralInOneInTheirOrder) {
  const auto first = EnrollNew();
  const auto second = EnrollNew();
  Revoke(second.serial, v1::REVOCATION_REASON_UNSPECIFIED);
  const std::vector<Bytes> ids = {IdOf(second.serial), IdOf("01"), IdOf(first.serial)};
  const Bytes request = OcspRequestAbout(ids, Bytes(32, 7));
  const ReadOcspAnswer answer = Read(request);
  ASSERT_EQ(answer.singles.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(answer.singles[i].cert_id, ids[i]);
  EXPECT_EQ(answer.singles[0].status, Single::kRevoked);
  EXPECT_EQ(answer.singles[1].status, Single::kUnknown);
  EXPECT_EQ(answer.singles[2].status, Single::kGood);
  EXPECT_TRUE(answer.has_nonce);
  EXPECT_FALSE(IsKept(request));
}

TEST_F(OcspResponderTest, SignsOnTheSpotWithinABudgetOnly) {
  OpenResponder({.signatures_per_second = 1});
  const auto issued = EnrollNew();
  int with_nonce = 0;
  int without = 0;
  for (int i = 0; i < 100; ++i) {
    const auto reply = Reply(Asking(issued.serial, Bytes(16, static_cast<std::uint8_t>(i))));
    ASSERT_EQ(reply->kind, Kind::kGood);  // Whoever goes without a nonce still has the answer.
    ++(ReadOcsp(reply->der).has_nonce ? with_nonce : without);
  }
  EXPECT_GT(with_nonce, 0);
  EXPECT_GT(without, 0);
  int later = 0;
  for (int i = 0; i < 100; ++i) later += Reply(Asking("01"))->kind == Kind::kTryLater ? 1 : 0;
  EXPECT_GT(later, 0);
  EXPECT_EQ(Status(issued.serial).status, Single::kGood);  // A flood costs others nothing.
}

TEST_F(OcspResponderTest, KeepsNoMoreThanItsMemory) {
  OpenResponder({.memory_bytes_max = 5000});
  std::vector<std::string> serials;
  for (int i = 0; i < 10; ++i) serials.push_back(EnrollNew().serial);
  for (const std::string& serial : serials) EXPECT_EQ(Status(serial).status, Single::kGood);
  int kept = 0;
  for (const std::string& serial : serials) kept += IsKept(Asking(serial)) ? 1 : 0;
  EXPECT_GT(kept, 0);
  EXPECT_LT(kept, 6);
  EXPECT_TRUE(IsKept(Asking(serials.back())));  // Those asked for last stay.
  EXPECT_FALSE(IsKept(Asking(serials.front())));
}

TEST_F(OcspResponderTest, WhileTheStoreIsGoneKeptAnswersGoOn) {
  const auto issued = EnrollNew();
  const auto other = EnrollNew();
  const auto first = Reply(Asking(issued.serial));
  DT_ASSERT_OK(database_->Write([](db::Transaction& txn) {
    return txn.Run("ALTER TABLE certificates RENAME TO away").status();
  }));
  EXPECT_EQ(Reply(Asking(other.serial))->kind, Kind::kTryLater);
  for (int i = 0; i < 11; ++i) {  // It should be made anew, and clients take it still.
    clock_.Advance(hours(1));
    EXPECT_EQ(Reply(Asking(issued.serial)), first);
  }
  clock_.Advance(hours(1));
  EXPECT_EQ(Reply(Asking(issued.serial))->kind, Kind::kTryLater);
  DT_ASSERT_OK(database_->Write([](db::Transaction& txn) {
    return txn.Run("ALTER TABLE away RENAME TO certificates").status();
  }));
  EXPECT_EQ(Status(issued.serial).status, Single::kGood);
}

TEST_F(OcspResponderTest, TellsWhoWaitsThatItEnds) {
  const Bytes request = Asking(EnrollNew().serial);
  responder_->Stop();
  responder_->Stop();
  EXPECT_EQ(Reply(request)->kind, Kind::kTryLater);
  OpenResponder({.waiting_max = 0});
  EXPECT_EQ(Reply(request)->kind, Kind::kTryLater);
}

class OcspDelegatesTest : public OcspResponderTest {
 protected:
  pki::Certificate Delegate() { return delegates_->Current()->all.at(0)->signer->certificate(); }
};

TEST_F(OcspDelegatesTest, RenewThemselvesBeforeTheirEnd) {
  const auto issued = EnrollNew();
  const pki::Certificate first = Delegate();
  EXPECT_EQ(first.common_name(), "MTLS OCSP Responder");
  EXPECT_EQ(first.not_before(), kStart - hours(1));
  EXPECT_EQ(first.not_after(), kStart + days(30));
  EXPECT_EQ(Read(Asking(issued.serial)).delegate->serial_hex(), first.serial_hex());

  OpenResponder();  // A restart signs with the same key.
  EXPECT_EQ(Delegate().serial_hex(), first.serial_hex());
  clock_.Advance(days(20) + std::chrono::seconds(1));
  DT_ASSERT_OK(Soon([&] { return Delegate().serial_hex() != first.serial_hex(); }));
  const pki::Certificate second = Delegate();
  EXPECT_EQ(second.not_after(), clock_.Now() + days(30));
  EXPECT_NE(second.public_key().value(), first.public_key().value());
  EXPECT_EQ(Read(Asking(issued.serial)).delegate->serial_hex(), second.serial_hex());
}

TEST_F(OcspDelegatesTest, EndWithTheirIssuerAndAnswersEndWithThem) {
  const auto issued = EnrollNew();
  const WallTime issuer_ends = ActiveCertificate().not_after();
  clock_.Set(issuer_ends - hours(3));
  DT_ASSERT_OK(Soon([&] { return Delegate().not_after() == issuer_ends; }));
  const std::string serial = Delegate().serial_hex();
  OpenResponder();
  OpenResponder();
  EXPECT_EQ(Delegate().serial_hex(), serial);  // Not made again and again.
  EXPECT_EQ(Status(issued.serial).next_update, issuer_ends);
}

TEST_F(OcspDelegatesTest, SignNothingBeforeTheyAreStored) {
  const auto issued = EnrollNew();
  DT_ASSERT_OK(database_->Write([](db::Transaction& txn) {
    return txn.Run("ALTER TABLE ocsp_delegates RENAME TO away").status();
  }));
  OpenResponder();
  EXPECT_FALSE(delegates_->Current()->all.at(0)->signer.has_value());
  EXPECT_EQ(Reply(Asking(issued.serial))->kind, Kind::kTryLater);  // It is ours, but for now.
  DT_ASSERT_OK(database_->Write([](db::Transaction& txn) {
    return txn.Run("ALTER TABLE away RENAME TO ocsp_delegates").status();
  }));
  DT_ASSERT_OK(Soon([&] { return Reply(Asking(issued.serial))->kind == Kind::kGood; }));
}

// The database full: those who sign go on as long as their certificates are good.
TEST_F(OcspDelegatesTest, GoOnWhenTheNextCannotBeStored) {
  const auto issued = EnrollNew();
  const std::string first = Delegate().serial_hex();
  DT_ASSERT_OK(database_->Write([](db::Transaction& txn) {
    return txn.Run("ALTER TABLE ocsp_delegates RENAME TO away").status();
  }));
  clock_.Advance(days(25));
  EXPECT_EQ(Status(issued.serial).status, Single::kGood);
  EXPECT_EQ(Delegate().serial_hex(), first);
  clock_.Advance(days(6));
  DT_ASSERT_OK(Soon([&] { return Reply(Asking(issued.serial))->kind == Kind::kTryLater; }));
}

TEST_F(OcspDelegatesTest, AreMadeAnewWhenTheirKeyDoesNotOpen) {
  const std::string first = Delegate().serial_hex();
  DT_ASSERT_OK(database_->Write([](db::Transaction& txn) {
    return txn.Run("UPDATE ocsp_delegates SET sealed_key = certificate").status();
  }));
  OpenResponder();
  EXPECT_NE(Delegate().serial_hex(), first);
  EXPECT_EQ(Status(EnrollNew().serial).status, Single::kGood);
}

// The issuer's key in a token, by SoftHSM: it is needed to make delegates, not for answers.
class OcspTokenTest : public OcspDelegatesTest {
 protected:
  void SetUp() override {
    if (!testing::SoftHsm::IsInstalled()) GTEST_SKIP() << "softhsm2 is not installed";
    testing::SoftHsm& token = testing::SoftHsm::Shared();
    token.Import("token-2", "71", "ca", pki::PrivateKey::Generate()->Pem());
    issuers_config_.first_key = "pkcs11:token=token-2;id=%71";
    issuers_config_.pkcs11.module_path = token.module();
    issuers_config_.pkcs11.pin_file = token.pin_file();
    issuers_config_.pkcs11.retry_min = milliseconds(1);
    issuers_config_.pkcs11.retry_max = milliseconds(1);
    OcspDelegatesTest::SetUp();
  }
};

TEST_F(OcspTokenTest, AnswersGoOnWhileTheTokenIsAway) {
  const auto asked = EnrollNew();
  const auto other = EnrollNew();
  EXPECT_EQ(Status(asked.serial).status, Single::kGood);
  testing::SoftHsm::Shared().PullOut();
  OpenResponder();
  EXPECT_EQ(Status(asked.serial).status, Single::kGood);
  Revoke(other.serial, v1::REVOCATION_REASON_KEY_COMPROMISE);
  EXPECT_EQ(Status(other.serial).status, Single::kRevoked);
  // Without one that was made before there is nothing to sign with, until the token is back.
  DT_ASSERT_OK(database_->Write(
      [](db::Transaction& txn) { return txn.Run("DELETE FROM ocsp_delegates").status(); }));
  OpenResponder();
  EXPECT_EQ(Reply(Asking(asked.serial))->kind, Kind::kTryLater);
  testing::SoftHsm::Shared().PutBack();
  DT_ASSERT_OK(Soon([&] { return Reply(Asking(asked.serial))->kind == Kind::kGood; }));
}

}  // namespace
}  // namespace devicetrust::ca
