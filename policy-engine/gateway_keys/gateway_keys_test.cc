#include "policy-engine/gateway_keys/gateway_keys.h"

#include <gtest/gtest.h>

#include "libs/rpc/timestamps.h"
#include "libs/testing/status.h"
#include "policy-engine/org_fixture.h"
#include "policy-engine/sessions/session_limits.h"

namespace devicetrust::policy {
namespace {

class GatewayKeysTest : public OrgFixture {
 protected:
  GatewayKeysTest() { keys_ = Reopen(*kek_).value(); }
  absl::StatusOr<std::unique_ptr<GatewayKeys>> Reopen(const pki::AeadKey& kek) {
    return GatewayKeys::Create(*database_, kek, "acme", clock_, random_);
  }

  std::unique_ptr<GatewayKeys> keys_;
};

TEST_F(GatewayKeysTest, AreThereFromTheStartAndFitTogether) {
  const auto keys = keys_->Current().value();
  ASSERT_EQ(keys.cookie_keys_size(), 1);
  EXPECT_EQ(keys.cookie_keys(0).key().size(), 32u);
  ASSERT_EQ(keys.proof_keys_size(), 1);
  EXPECT_NE(keys_->proof_keys().Find(keys.proof_keys(0).kid()), nullptr);
}

TEST_F(GatewayKeysTest, SurviveARestart) {
  const auto again = Reopen(*kek_);
  DT_ASSERT_OK(again);
  EXPECT_EQ((*again)->Current()->SerializeAsString(), keys_->Current()->SerializeAsString());
}

TEST_F(GatewayKeysTest, DoNotOpenWithAnotherKeyEncryptionKey) {
  const Bytes secret(pki::kAeadKeyBytes, 8);
  const auto foreign = Reopen(pki::AeadKey::Create("kek-other", secret).value());
  EXPECT_FALSE(foreign.ok());
  EXPECT_NE(foreign.status().message().find("--kek-file"), absl::string_view::npos);
  DT_EXPECT_CODE(Reopen(pki::AeadKey::Create("kek-test", secret).value()), kPermissionDenied);
}

TEST_F(GatewayKeysTest, ANewCookieKeyIsHandedOutBeforeItSeals) {
  const std::string first = keys_->Current()->cookie_keys(0).kid();
  clock_.Advance(kCookieKeyLifetime);
  const auto waiting = keys_->Current().value();
  ASSERT_EQ(waiting.cookie_keys_size(), 2);
  EXPECT_EQ(waiting.cookie_keys(0).kid(), first);
  const std::string second = waiting.cookie_keys(1).kid();
  clock_.Advance(kCookieKeyLead);
  const auto sealing = keys_->Current().value();
  EXPECT_EQ(sealing.cookie_keys(0).kid(), second);
  EXPECT_EQ(sealing.cookie_keys(1).kid(), first);
  clock_.Advance(kCookieKeyLifetime);
  const auto third = keys_->Current().value();
  ASSERT_EQ(third.cookie_keys_size(), 2);
  EXPECT_EQ(third.cookie_keys(0).kid(), second);
}

TEST_F(GatewayKeysTest, NoSecretLiesOpenInTheStore) {
  const auto keys = keys_->Current().value();
  const auto rows =
      database_->Read([](db::Transaction& txn) -> absl::StatusOr<std::vector<db::Row>> {
        return txn.Run("SELECT sealed FROM gateway_keys");
      });
  for (const db::Row& row : *rows) {
    const std::string sealed = ToString(db::Blob(row[0]));
    EXPECT_EQ(sealed.find(keys.cookie_keys(0).key()), std::string::npos);
    EXPECT_EQ(sealed.find("PRIVATE KEY"), std::string::npos);
  }
}

class SessionChangesTest : public OrgFixture {};

TEST_F(SessionChangesTest, AreReadInOrderFromANumber) {
  DT_ASSERT_OK(sessions_->EndSession("s1", kTestStart));
  DT_ASSERT_OK(database_->Write([](db::Transaction& txn) {
    return SessionChanges::AppendUserStatus(txn, "u1", /*active=*/false, kTestStart);
  }));
  DT_ASSERT_OK(sessions_->EndSession("s1", kTestStart));  // Idempotent.
  DT_ASSERT_OK(sessions_->EndSession("s2", kTestStart));
  const auto first = sessions_->After(0, 2).value();
  ASSERT_EQ(first.changes.size(), 2u);
  EXPECT_EQ(first.changes[0].ended_session_id(), "s1");
  EXPECT_EQ(first.changes[1].deactivated_user_id(), "u1");
  const auto rest = sessions_->After(first.sequence, 10).value();
  ASSERT_EQ(rest.changes.size(), 1u);
  EXPECT_EQ(rest.changes[0].ended_session_id(), "s2");
  EXPECT_EQ(sessions_->After(rest.sequence, 10)->sequence, rest.sequence);
}

TEST_F(SessionChangesTest, KnowsAReaderOfAnotherStore) {
  DT_EXPECT_OK(sessions_->After(0, 10));
  DT_EXPECT_CODE(sessions_->After(1, 10), kOutOfRange);
  DT_EXPECT_CODE(sessions_->After(-1, 10), kInvalidArgument);
}

TEST_F(SessionChangesTest, ForgetsWhatNoLiveSessionNeeds) {
  DT_ASSERT_OK(sessions_->EndSession("s1", kTestStart));
  DT_ASSERT_OK(database_->Write([](db::Transaction& txn) {
    return SessionChanges::AppendUserStatus(txn, "u1", /*active=*/false, kTestStart);
  }));
  DT_ASSERT_OK(sessions_->Prune(kTestStart + kSessionLifetime));
  EXPECT_EQ(sessions_->After(0, 10)->changes.size(), 2u);
  DT_ASSERT_OK(sessions_->Prune(kTestStart + kSessionLifetime + std::chrono::seconds(1)));
  const auto left = sessions_->After(0, 10).value();
  ASSERT_EQ(left.changes.size(), 1u);
  EXPECT_EQ(left.changes[0].deactivated_user_id(), "u1");
}

TEST_F(SessionChangesTest, KeepsTheLastThatEachUserDid) {
  const auto tell = [&](const std::string& user, bool active, std::chrono::minutes after) {
    DT_ASSERT_OK(database_->Write([&](db::Transaction& txn) {
      return SessionChanges::AppendUserStatus(txn, user, active, kTestStart + after);
    }));
  };
  for (const int minute : {0, 1, 2}) tell("u1", /*active=*/false, std::chrono::minutes(minute));
  tell("u1", /*active=*/true, std::chrono::minutes(3));
  tell("u2", /*active=*/false, std::chrono::minutes(4));
  DT_ASSERT_OK(sessions_->Prune(kTestStart + kSessionLifetime));
  EXPECT_EQ(sessions_->After(0, 10)->changes.size(), 5u);
  DT_ASSERT_OK(sessions_->Prune(kTestStart + kSessionLifetime + std::chrono::hours(1)));
  const auto left = sessions_->After(0, 10).value();
  ASSERT_EQ(left.changes.size(), 3u);
  EXPECT_EQ(left.changes[0].deactivated_user_id(), "u1");
  EXPECT_EQ(rpc::FromTimestamp(left.changes[0].at()), kTestStart + std::chrono::minutes(2));
  EXPECT_EQ(left.changes[1].activated_user_id(), "u1");
  EXPECT_EQ(left.changes[2].deactivated_user_id(), "u2");
}

}  // namespace
}  // namespace devicetrust::policy
