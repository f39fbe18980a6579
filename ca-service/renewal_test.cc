// CA-2: what the CA makes of the certificate that an agent says it renews.
#include "ca-service/ca_fixture.h"
#include "ca-service/plan_store.h"

namespace devicetrust::ca {
namespace {

using std::chrono::days;

class CaRenewalTest : public CaTest {
 protected:
  absl::StatusOr<StoredCertificate> Renew(const pki::PrivateKey& key, Renewal renewal) {
    return enroller_->Enroll(Signed(Token(key)), ToString(Csr(key)), "192.0.2.7",
                             std::move(renewal));
  }
  // The last event of a renewal.
  std::optional<org::v1::Event> Renewed() {
    EXPECT_TRUE(outbox_->WaitUntilEmpty(std::chrono::seconds(10)));
    std::optional<org::v1::Event> last;
    for (const auto& event : org_.log()) {
      if (event.type() == "pki.cert.renew") last = event;
    }
    return last;
  }
  void Revoke(const std::string& serial, v1::RevocationReason reason) {
    DT_ASSERT_OK(revocations_->RevokeCertificate(serial, reason, "admin:ada"));
  }

  const pki::PrivateKey new_key_ = pki::PrivateKey::Generate().value();
};

TEST_F(CaRenewalTest, OneThatExpiredMeanwhileIsRecordedAsRenewed) {
  const auto former = Enroll(Token(key_), key_);
  DT_ASSERT_OK(former);
  clock_.Advance(days(400));
  std::string serial = former->serial;
  for (char& c : serial) c = static_cast<char>(std::toupper(c));
  const auto next = Renew(new_key_, {serial});
  DT_ASSERT_OK(next);
  ASSERT_TRUE(Renewed());
  EXPECT_EQ(Renewed()->debug_data().at("renews"), former->serial);
  EXPECT_FALSE(Renewed()->debug_data().contains("forced"));
}

TEST_F(CaRenewalTest, ARevokedOneRenewsByForceAlone) {
  const auto former = Enroll(Token(key_), key_);
  DT_ASSERT_OK(former);
  Revoke(former->serial, v1::REVOCATION_REASON_CERTIFICATE_HOLD);
  EXPECT_EQ(rpc::ReasonOf(Renew(new_key_, {former->serial}).status()),
            reason::v1::REASON_CERTIFICATE_ON_HOLD);
  Revoke(former->serial, v1::REVOCATION_REASON_SUPERSEDED);
  const auto refused = Renew(new_key_, {former->serial});
  EXPECT_EQ(rpc::ReasonOf(refused.status()), reason::v1::REASON_CERTIFICATE_REVOKED);
  EXPECT_NE(rpc::DetailOf(refused.status())->remedy().find("--forceRenewal"), std::string::npos);
  EXPECT_EQ(CountCertificates(), 1);

  DT_ASSERT_OK(Renew(new_key_, {former->serial, true}));
  ASSERT_TRUE(Renewed());
  EXPECT_EQ(Renewed()->debug_data().at("renews"), former->serial);
  EXPECT_EQ(Renewed()->debug_data().at("forced"), "true");
}

// Revoked while the renewal was on its way to the org.
TEST_F(CaRenewalTest, OneThatIsRevokedMeanwhileDoesNotRenew) {
  const auto former = Enroll(Token(key_), key_);
  DT_ASSERT_OK(former);
  org_.during_authorize = [&] { Revoke(former->serial, v1::REVOCATION_REASON_SUPERSEDED); };
  EXPECT_EQ(rpc::ReasonOf(Renew(new_key_, {former->serial}).status()),
            reason::v1::REASON_CERTIFICATE_REVOKED);
  org_.during_authorize = nullptr;
  EXPECT_EQ(CountCertificates(), 1);
}

// A profile that was copied from another computer, or a store that was restored.
TEST_F(CaRenewalTest, OneOfSomebodyElseOrOfNobodyDoesNotCount) {
  auto bob = Token(key_);
  bob.user_sid = "S-1-5-21-1-2-3-1105";
  const auto others = Enroll(bob, key_);
  DT_ASSERT_OK(others);
  Revoke(others->serial, v1::REVOCATION_REASON_SUPERSEDED);
  for (const std::string& serial : {others->serial, std::string("00ff")}) {
    const auto key = pki::PrivateKey::Generate().value();
    DT_EXPECT_OK(Renew(key, {serial}));
  }
  EXPECT_TRUE(Renewed());  // The second followed the first.
  EXPECT_NE(Renewed()->debug_data().at("renews"), others->serial);
}

TEST_F(CaRenewalTest, WhatIsNoSerialIsRefused) {
  for (const std::string& serial :
       {std::string("xyz"), std::string(41, 'a'), std::string("0a 0b")}) {
    EXPECT_EQ(rpc::ReasonOf(Renew(new_key_, {serial}).status()),
              reason::v1::REASON_MALFORMED_REQUEST);
  }
  EXPECT_EQ(CountCertificates(), 0);
}

// The power went between the plan and the record: what was planned is recorded as what it was.
TEST_F(CaRenewalTest, ThePlanKnowsWhatItRenews) {
  const auto former = Enroll(Token(key_), key_);
  DT_ASSERT_OK(former);
  PlannedCertificate plan;
  plan.certificate = *former;
  plan.certificate.serial = "0badcafe";
  plan.content = {1};
  plan.renews = former->serial;
  plan.forced = true;
  const auto found = database_->Write(
      [&](db::Transaction& txn) -> absl::StatusOr<std::optional<PlannedCertificate>> {
        DT_RETURN_IF_ERROR(PlanStore(txn).Insert(plan));
        return PlanStore(txn).Find("0badcafe");
      });
  DT_ASSERT_OK(found);
  ASSERT_TRUE(*found);
  EXPECT_EQ((*found)->renews, former->serial);
  EXPECT_TRUE((*found)->forced);
}

}  // namespace
}  // namespace devicetrust::ca
