#include "ca-service/revoked_set.h"

#include "ca-service/ca_fixture.h"

namespace devicetrust::ca {
namespace {

class RevokedSetTest : public CaTest {
 protected:
  std::string RevokeNew(v1::RevocationReason reason = v1::REVOCATION_REASON_SUPERSEDED) {
    const auto key = pki::PrivateKey::Generate().value();
    const std::string serial = Enroll(Token(key), key).value().serial;
    DT_EXPECT_OK(revocations_->RevokeCertificate(serial, reason, "admin:ada"));
    return serial;
  }
  static bool Has(const RevokedSet::Contents& contents, const std::string& serial) {
    return contents.keys.Contains(pki::SerialKeyOf(serial).value());
  }
};

TEST_F(RevokedSetTest, FollowsRevocationsAndReleases) {
  RevokedSet set(*database_, clock_);
  EXPECT_EQ(set.UpToDate().value()->sequence, 0);
  const std::string first = RevokeNew();
  const std::string held = RevokeNew(v1::REVOCATION_REASON_CERTIFICATE_HOLD);
  auto contents = set.UpToDate().value();
  EXPECT_EQ(contents->keys.size(), 2U);
  EXPECT_EQ(contents->sequence, revocations_->After(0, 10).value().back().sequence);
  EXPECT_EQ(set.UpToDate().value(), contents);  // Nothing new: nothing made.

  const auto released = revocations_->ReleaseHold(held, "admin:ada").value();
  contents = set.UpToDate().value();
  EXPECT_EQ(contents->sequence, released.sequence);
  EXPECT_TRUE(Has(*contents, first));
  EXPECT_FALSE(Has(*contents, held));
  RevokedSet afresh(*database_, clock_);
  EXPECT_EQ(afresh.UpToDate().value()->keys.size(), 1U);
}

TEST_F(RevokedSetTest, LeavesOutWhatHasExpired) {
  RevokeNew();
  clock_.Advance(std::chrono::days(365));
  EXPECT_EQ(RevokedSet(*database_, clock_).UpToDate().value()->keys.size(), 1U);  // Kept.
  clock_.Advance(std::chrono::days(9));
  const auto contents = RevokedSet(*database_, clock_).UpToDate().value();
  EXPECT_EQ(contents->keys.size(), 0U);
  EXPECT_GT(contents->sequence, 0);
}

TEST_F(RevokedSetTest, ForgetsWhatExpiresWhileItIsKept) {
  RevokedSet set(*database_, clock_);
  RevokeNew();
  const std::int64_t sequence = set.UpToDate().value()->sequence;
  clock_.Advance(std::chrono::days(364));
  const std::string later = RevokeNew();
  EXPECT_EQ(set.UpToDate().value()->keys.size(), 2U);
  clock_.Advance(std::chrono::days(10));
  const auto contents = set.UpToDate().value();
  EXPECT_EQ(contents->keys.size(), 1U);
  EXPECT_TRUE(Has(*contents, later));
  EXPECT_GT(contents->sequence, sequence);
  clock_.Advance(-std::chrono::days(10));  // It was wrong, and is set.
  EXPECT_EQ(set.UpToDate().value()->keys.size(), 2U);
}

// By 12 octets a gateway could not tell the two apart.
TEST_F(RevokedSetTest, NoTwoCertificatesBeginWithTheSameTwelveOctets) {
  const auto issued = Enroll(Token(key_), key_).value();
  const auto taken = [&](const std::string& serial) {
    return database_
        ->Read([&](db::Transaction& txn) { return CertificateStore(txn).IsSerialKeyTaken(serial); })
        .value();
  };
  std::string other = issued.serial;
  other.back() = other.back() == '0' ? '1' : '0';
  EXPECT_TRUE(taken(other));
  other[23] = other[23] == '0' ? '1' : '0';
  EXPECT_FALSE(taken(other));
}

}  // namespace
}  // namespace devicetrust::ca
