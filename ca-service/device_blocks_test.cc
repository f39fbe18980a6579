#include "ca-service/device_blocks.h"

#include "ca-service/ca_fixture.h"
#include "ca-service/events.h"

namespace devicetrust::ca {
namespace {

constexpr char kAlicesComputer[] = "S-1-5-21-1-2-3-2001";  // Of AliceToken().

class DeviceBlocksTest : public CaTest {
 protected:
  absl::StatusOr<StoredCertificate> TryNew() {
    const auto key = pki::PrivateKey::Generate().value();
    return Enroll(Token(key), key);
  }
  DeviceBlocks Blocks() { return {*database_, *outbox_, *revocations_, clock_, random_}; }
  std::vector<BlockedKey> Keys() {
    return database_->Read([](db::Transaction& txn) { return BlockStore(txn).Keys("", 10); })
        .value();
  }
  void ExpectRefused(const absl::Status& status, reason::v1::Reason reason) {
    DT_EXPECT_CODE(status, kPermissionDenied);
    EXPECT_EQ(rpc::ReasonOf(status), reason) << status;
  }
};

TEST_F(DeviceBlocksTest, ABlockedComputerEnrollsNoMore) {
  const auto issued = TryNew().value();
  DeviceBlocks blocks = Blocks();
  const auto blocked =
      blocks.Block({issued.device_id, {}}, v1::REVOCATION_REASON_PRIVILEGE_WITHDRAWN, "admin:ada")
          .value();
  EXPECT_FALSE(blocked.was_already_blocked);
  EXPECT_EQ(blocked.revocation.revoked, 1);
  ExpectRefused(TryNew().status(), reason::v1::REASON_DEVICE_BLOCKED);
  const auto again =
      blocks.Block({{}, kAlicesComputer}, v1::REVOCATION_REASON_PRIVILEGE_WITHDRAWN, "admin:ada")
          .value();
  EXPECT_TRUE(again.was_already_blocked);
  EXPECT_EQ(again.revocation.revoked, 0);
  EXPECT_EQ(again.revocation.device_id, issued.device_id);

  EXPECT_TRUE(blocks.Unblock({{}, kAlicesComputer}, "admin:ada").value().was_blocked);
  EXPECT_FALSE(blocks.Unblock({{}, kAlicesComputer}, "admin:ada").value().was_blocked);
  EXPECT_EQ(TryNew().value().device_id, issued.device_id);
  const auto counts = EventCounts();
  EXPECT_EQ(counts.at("ca.device.block"), 1);
  EXPECT_EQ(counts.at("ca.device.unblock"), 1);
}

TEST_F(DeviceBlocksTest, AComputerThatNeverEnrolledIsBlockedByItsSid) {
  DeviceBlocks blocks = Blocks();
  const auto slip =
      blocks.Block({{}, kAlicesComputer}, v1::REVOCATION_REASON_SUPERSEDED, "admin:ada").status();
  EXPECT_EQ(rpc::ReasonOf(slip), reason::v1::REASON_UNKNOWN_SUBJECT);
  const auto blocked = blocks
                           .Block({{}, kAlicesComputer}, v1::REVOCATION_REASON_SUPERSEDED,
                                  "admin:ada", /*allow_unknown=*/true)
                           .value();
  ExpectRefused(TryNew().status(), reason::v1::REASON_DEVICE_BLOCKED);
  const auto list =
      database_->Read([](db::Transaction& txn) { return BlockStore(txn).Devices("", 10); }).value();
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0].device_id, blocked.revocation.device_id);
  EXPECT_EQ(list[0].computer_sid, kAlicesComputer);
  EXPECT_EQ(list[0].requested_by, "admin:ada");
  const auto unknown =
      blocks.Block({"0a0b", {}}, v1::REVOCATION_REASON_SUPERSEDED, "admin:ada").status();
  EXPECT_EQ(rpc::ReasonOf(unknown), reason::v1::REASON_UNKNOWN_SUBJECT);
}

// The org said yes before the block was there.
TEST_F(DeviceBlocksTest, AnEnrollmentInFlightIsRefused) {
  DeviceBlocks blocks = Blocks();
  org_.during_authorize = [&] {
    DT_EXPECT_OK(blocks.Block({{}, kAlicesComputer}, v1::REVOCATION_REASON_UNSPECIFIED, "admin:ada",
                              /*allow_unknown=*/true));
  };
  ExpectRefused(TryNew().status(), reason::v1::REASON_DEVICE_BLOCKED);
  EXPECT_EQ(CountCertificates(), 0);
}

TEST_F(DeviceBlocksTest, AHoldOfABlockedComputerEndsAfterTheBlock) {
  const auto issued = TryNew().value();
  DeviceBlocks blocks = Blocks();
  DT_ASSERT_OK(
      blocks.Block({issued.device_id, {}}, v1::REVOCATION_REASON_CERTIFICATE_HOLD, "admin:ada"));
  const auto refused = revocations_->ReleaseHold(issued.serial, "admin:ada").status();
  EXPECT_EQ(rpc::ReasonOf(refused), reason::v1::REASON_CONFLICTING_STATE);
  DT_ASSERT_OK(blocks.Unblock({issued.device_id, {}}, "admin:ada"));
  EXPECT_TRUE(revocations_->ReleaseHold(issued.serial, "admin:ada").value().was_on_hold);
}

TEST_F(DeviceBlocksTest, ACompromisedKeyIsNeverCertifiedAgain) {
  const auto issued = Enroll(Token(key_), key_).value();
  DT_ASSERT_OK(revocations_->RevokeCertificate(issued.serial, v1::REVOCATION_REASON_SUPERSEDED,
                                               "admin:ada"));
  EXPECT_TRUE(Keys().empty());
  // Found out later: the revocation stays as it is, the key is blocked.
  const auto later =
      revocations_
          ->RevokeCertificate(issued.serial, v1::REVOCATION_REASON_KEY_COMPROMISE, "admin:eve")
          .value();
  EXPECT_TRUE(later.was_already_revoked);
  ASSERT_EQ(Keys().size(), 1U);
  EXPECT_EQ(Keys()[0].thumbprint, issued.key_thumbprint);
  EXPECT_EQ(Keys()[0].serial, issued.serial);
  EXPECT_EQ(Keys()[0].requested_by, "admin:eve");
  ExpectRefused(Enroll(Token(key_), key_).status(), reason::v1::REASON_KEY_COMPROMISED);
  DT_EXPECT_OK(TryNew());  // Another key is as good as ever.
}

TEST_F(DeviceBlocksTest, KeyCompromiseOfAUserOrComputerBlocksAllTheirKeys) {
  const auto first = TryNew().value();
  const auto second = TryNew().value();
  DT_ASSERT_OK(revocations_->RevokeForUser(first.user_id, v1::REVOCATION_REASON_KEY_COMPROMISE,
                                           "admin:ada"));
  EXPECT_EQ(Keys().size(), 2U);
  const auto third = TryNew().value();
  DT_ASSERT_OK(revocations_->RevokeForDevice({third.device_id, {}},
                                             v1::REVOCATION_REASON_KEY_COMPROMISE, "admin:ada"));
  EXPECT_EQ(Keys().size(), 3U);
}

TEST(DeliverEventsTest, OneThatDoesNotParseHoldsUpNoOther) {
  const token::SigningKey iwa_key("k1", pki::PrivateKey::Generate().value());
  FakeOrg org(iwa_key);
  const WallTime now = SystemClock().Now();
  const Change before = DeviceBlockEvent({}, true, "before", "admin:ada", now);
  const Change behind = DeviceBlockEvent({}, false, "behind", "admin:ada", now);
  const std::vector<db::OutboxEvent> waiting = {
      {1, "before", before.payload}, {2, "torn", Bytes{0x0a, 0x05}}, {3, "behind", behind.payload}};
  DT_ASSERT_OK(DeliverEvents(org, waiting));
  ASSERT_EQ(org.log().size(), 2U);
  EXPECT_EQ(org.log()[0].id(), "before");
  EXPECT_EQ(org.log()[1].id(), "behind");
}

// Refuses one type, as an org whose release did not know it.
class OlderOrg final : public FakeOrg {
 public:
  using FakeOrg::FakeOrg;
  absl::Status Append(const org::v1::AppendEventsRequest& request) override {
    for (const auto& event : request.events()) {
      if (event.type() != kUnblockEvent) continue;
      return rpc::MakeError(absl::StatusCode::kPermissionDenied,
                            reason::v1::REASON_CALLER_NOT_ALLOWED, "may not write", event.type());
    }
    return FakeOrg::Append(request);
  }
};

TEST(DeliverEventsTest, AnEventThatAnOlderOrgDoesNotKnowIsToldApart) {
  const token::SigningKey iwa_key("k1", pki::PrivateKey::Generate().value());
  OlderOrg org(iwa_key);
  const WallTime now = SystemClock().Now();
  const Change known = DeviceBlockEvent({}, true, "known", "admin:ada", now);
  const Change unknown = DeviceBlockEvent({}, false, "unknown", "admin:ada", now);
  const std::vector<db::OutboxEvent> waiting = {{1, "known", known.payload},
                                                {2, "unknown", unknown.payload}};
  DT_EXPECT_CODE(DeliverEvents(org, waiting), kUnimplemented);
  EXPECT_TRUE(org.log().empty());
  DT_EXPECT_OK(DeliverEvents(org, std::span(waiting).first(1)));
  org.set_log_down(true);
  DT_EXPECT_CODE(DeliverEvents(org, std::span(waiting).first(1)), kUnavailable);
}

}  // namespace
}  // namespace devicetrust::ca
