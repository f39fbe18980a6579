#include "ca-service/issuers.h"

#include "ca-service/ca_fixture.h"
#include "libs/pki/certificate_validator.h"

namespace devicetrust::ca {
namespace {

using std::chrono::days;

class IssuersTest : public CaTest {
 protected:
  StoredCertificate EnrollNew() {
    const auto key = pki::PrivateKey::Generate().value();
    return Enroll(Token(key), key).value();
  }
  // As a gateway does: by the issuers that are good now.
  pki::CertificateVerdict Check(const StoredCertificate& stored) {
    std::vector<pki::Certificate> accepted;
    const auto set = issuers_->Current();
    for (const auto& issuer : set->all) accepted.push_back(issuer->certificate());
    return pki::CertificateValidator::Create(accepted, clock_)
        .value()
        ->Check(pki::Certificate::FromDer(stored.der).value());
  }
};

TEST_F(IssuersTest, RollOverWithoutARestartAndEachSignsItsOwnList) {
  const StoredCertificate before = EnrollNew();
  const auto old_set = issuers_->Current();
  const Issuer& old_issuer = old_set->active();
  EXPECT_EQ(before.issuer_id, old_issuer.id());

  // Accepted: gateways may take it, and nothing is signed by it yet.
  clock_.Advance(days(30));
  const std::string added = issuers_->Add().value();
  ASSERT_EQ(issuers_->Current()->all.size(), 2U);
  EXPECT_EQ(issuers_->Current()->active().id(), old_issuer.id());
  const StoredCertificate meanwhile = EnrollNew();
  EXPECT_EQ(meanwhile.issuer_id, old_issuer.id());

  DT_ASSERT_OK(issuers_->Activate(added));
  DT_ASSERT_OK(issuers_->Activate(added));
  const auto set = issuers_->Current();
  const Issuer& issuer = set->active();
  EXPECT_EQ(issuer.id(), added);
  EXPECT_EQ(set->all.back()->id(), old_issuer.id());
  const StoredCertificate after = EnrollNew();
  EXPECT_EQ(after.issuer_id, added);
  EXPECT_EQ(issuer.certificate().subject_der(), old_issuer.certificate().subject_der());
  for (const auto& stored : {before, meanwhile, after}) {
    EXPECT_EQ(Check(stored), pki::CertificateVerdict::kValid);
  }

  // A certificate of the old issuer is taken back in the old issuer's list.
  DT_ASSERT_OK(revocations_->RevokeCertificate(before.serial, v1::REVOCATION_REASON_KEY_COMPROMISE,
                                               "admin:ada"));
  const pki::Crl old_list = PublishedCrl(old_issuer);
  ASSERT_EQ(old_list.revoked.size(), 1U);
  EXPECT_EQ(old_list.revoked[0].serial_hex, before.serial);
  EXPECT_TRUE(PublishedCrl(issuer).revoked.empty());
  DT_ASSERT_OK(
      revocations_->RevokeCertificate(after.serial, v1::REVOCATION_REASON_SUPERSEDED, "admin:ada"));
  EXPECT_EQ(PublishedCrl(issuer).revoked.size(), 1U);
  EXPECT_EQ(PublishedCrl(old_issuer).number, old_list.number);  // Nothing of its own changed.
}

TEST_F(IssuersTest, AreTheSameAfterARestart) {
  const std::string added = issuers_->Add().value();
  DT_ASSERT_OK(issuers_->Activate(added));
  const auto before = issuers_->Current();
  Open();
  const auto after = issuers_->Current();
  ASSERT_EQ(after->all.size(), 2U);
  EXPECT_EQ(after->active().id(), added);
  EXPECT_EQ(after->all[1]->id(), before->all[1]->id());
  EXPECT_EQ(EnrollNew().issuer_id, added);
}

TEST_F(IssuersTest, LeavesOutWhatHasExpiredAndRefusesToStartWithoutAnActiveOne) {
  clock_.Advance(days(9 * 365));
  DT_ASSERT_OK(issuers_->Activate(issuers_->Add().value()));
  clock_.Advance(days(2 * 365));
  Open();
  EXPECT_EQ(issuers_->Current()->all.size(), 1U);
  clock_.Advance(days(9 * 365));
  DT_EXPECT_CODE(Issuers::Open({"acme", kek_}, *database_, clock_, random_), kFailedPrecondition);
}

TEST_F(IssuersTest, EndsWithItsRootAtTheLatest) {
  clock_.Advance(days(9 * 365));
  DT_ASSERT_OK(issuers_->Activate(issuers_->Add().value()));
  clock_.Advance(days(9 * 365));
  DT_ASSERT_OK(issuers_->Activate(issuers_->Add().value()));
  const auto set = issuers_->Current();
  EXPECT_EQ(set->active().certificate().not_after(), set->active().root().not_after());
}

TEST_F(IssuersTest, ActivatesNoneThatItDoesNotKnow) {
  DT_EXPECT_CODE(issuers_->Activate("00"), kNotFound);
}

TEST_F(IssuersTest, OpensItsKeysOnlyWithTheRightKekAndOrg) {
  EXPECT_EQ(
      Issuers::Open({"acme", kek_}, *database_, clock_, random_).value()->Current()->active().id(),
      issuers_->Current()->active().id());
  const auto other = pki::AeadKey::Generate("kek-other", random_).value();
  const auto refused = Issuers::Open({"acme", other}, *database_, clock_, random_);
  EXPECT_FALSE(refused.ok());
  EXPECT_NE(std::string(refused.status().message()).find("--kek-file"), std::string::npos);
  EXPECT_FALSE(Issuers::Open({"umbrella", kek_}, *database_, clock_, random_).ok());
}

}  // namespace
}  // namespace devicetrust::ca
