#include "policy-engine/gateway_keys/saml_keys.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/metrics/metrics.h"
#include "libs/pki/certificate.h"
#include "libs/rpc/timestamps.h"
#include "libs/testing/status.h"
#include "policy-engine/org_fixture.h"

namespace devicetrust::policy {
namespace {

using std::chrono::hours;

class SamlKeysTest : public OrgFixture {
 protected:
  SamlKeysTest() { keys_ = Reopen(*kek_).value(); }

  absl::StatusOr<std::unique_ptr<SamlKeys>> Reopen(const pki::AeadKey& kek) {
    return SamlKeys::Create({*database_, *events_, clock_, random_}, kek, "acme");
  }

  org::v1::GetGatewayKeysResponse HandedOut() const {
    org::v1::GetGatewayKeysResponse response;
    keys_->AddTo(response);
    return response;
  }
  // Of one kind, as gateways get them: "saml-1* saml-2", the star on who signs.
  std::string Shown(pki::KeyType type = pki::KeyType::kRsa2048) const {
    std::string shown;
    const org::v1::GetGatewayKeysResponse keys = HandedOut();
    for (const org::v1::SigningKey& key : keys.saml_keys()) {
      const auto parsed = pki::PrivateKey::FromPem(key.private_key_pem()).value();
      if (parsed.type() != type) continue;
      shown += fmt::format("{}{}{}", shown.empty() ? "" : " ", key.kid(), key.signs() ? "*" : "");
    }
    return shown;
  }
  std::string Rsa() const { return HandedOut().saml_keys(0).kid(); }

  absl::StatusOr<std::string> Rotate(
      std::optional<hours> use_after = {}, std::optional<hours> retire_after = {},
      org::v1::SamlKeyKind kind = org::v1::SAML_KEY_KIND_UNSPECIFIED) {
    org::v1::RotateSamlKeyRequest request;
    request.set_kind(kind);
    if (use_after) request.mutable_use_after()->set_seconds(use_after->count() * 3600);
    if (retire_after) request.mutable_retire_after()->set_seconds(retire_after->count() * 3600);
    const auto rotated = keys_->Rotate(admin_, request);
    if (!rotated.ok()) return rotated.status();
    return rotated->key().kid();
  }
  absl::Status Activate(const std::string& kid) {
    org::v1::ActivateSamlKeyRequest request;
    request.set_kid(kid);
    return keys_->Activate(admin_, request).status();
  }
  absl::Status Retire(const std::string& kid) {
    org::v1::RetireSamlKeyRequest request;
    request.set_kid(kid);
    return keys_->Retire(admin_, request).status();
  }

  std::unique_ptr<SamlKeys> keys_;
};

TEST_F(SamlKeysTest, OneOfEachKindSignsFromTheStart) {
  const auto keys = HandedOut();
  ASSERT_EQ(keys.saml_keys_size(), 2);
  const pki::KeyType types[] = {pki::KeyType::kRsa2048, pki::KeyType::kP256};
  for (int i = 0; i < 2; ++i) {
    const org::v1::SigningKey& each = keys.saml_keys(i);
    const auto key = pki::PrivateKey::FromPem(each.private_key_pem()).value();
    const auto certificate = pki::Certificate::FromPem(each.certificate_pem()).value();
    EXPECT_TRUE(each.signs());
    EXPECT_EQ(key.type(), types[i]);
    EXPECT_TRUE(certificate.public_key().value() == key.public_key());
    EXPECT_EQ(certificate.common_name(), "acme SAML signing");
    EXPECT_THAT(metrics::Exposition(),
                ::testing::HasSubstr(
                    fmt::format("\ndt_policy_saml_key_expiry_timestamp_seconds{{kid=\"{}\"}} {}\n",
                                each.kid(), UnixSeconds(certificate.not_after()))));
  }
}

// First published, then used, then gone.
TEST_F(SamlKeysTest, ARotationGivesEverybodyTime) {
  const std::string first = Rsa();
  const std::string second = Rotate().value();
  EXPECT_EQ(Shown(), first + "* " + second);
  clock_.Advance(kSamlKeyLead - hours(1));
  EXPECT_EQ(Shown(), first + "* " + second);
  clock_.Advance(hours(1));
  EXPECT_EQ(Shown(), second + "* " + first);
  clock_.Advance(kSamlKeyLead - hours(1));
  EXPECT_EQ(Shown(), second + "* " + first);
  clock_.Advance(hours(1));
  EXPECT_EQ(Shown(), second + "*");
  EXPECT_THAT(Shown(pki::KeyType::kP256), ::testing::EndsWith("*"));  // The other kind went on.
  const auto events = EventsOf("org.saml_key.rotate");
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].targets(0).id(), second);
}

TEST_F(SamlKeysTest, TheListSaysWhereEachStands) {
  const std::string first = Rsa();
  const std::string second = Rotate(hours(2), hours(3)).value();
  const auto state_of = [&](const std::string& kid) {
    const org::v1::ListSamlKeysResponse keys = keys_->List().value();
    for (const org::v1::SamlKey& key : keys.keys()) {
      if (key.kid() == kid) return key.state();
    }
    return org::v1::SAML_KEY_STATE_UNSPECIFIED;
  };
  EXPECT_EQ(state_of(first), org::v1::SAML_KEY_STATE_SIGNING);
  EXPECT_EQ(state_of(second), org::v1::SAML_KEY_STATE_PUBLISHED);
  EXPECT_EQ(rpc::FromTimestamp(keys_->List()->keys(0).signs_from()), kTestStart + hours(2));
  clock_.Advance(hours(2));
  EXPECT_EQ(state_of(first), org::v1::SAML_KEY_STATE_RETIRING);
  EXPECT_EQ(state_of(second), org::v1::SAML_KEY_STATE_SIGNING);
  clock_.Advance(hours(3));
  EXPECT_EQ(state_of(first), org::v1::SAML_KEY_STATE_UNSPECIFIED);
}

TEST_F(SamlKeysTest, AKeyMaySignSoonerAndThePreviousOneThenGoesSooner) {
  const std::string first = Rsa();
  const std::string second = Rotate(hours(10), hours(5)).value();
  clock_.Advance(hours(1));
  DT_ASSERT_OK(Activate(second));
  EXPECT_EQ(Shown(), second + "* " + first);
  clock_.Advance(hours(5));
  EXPECT_EQ(Shown(), second + "*");
  DT_EXPECT_CODE(Activate(second), kFailedPrecondition);
  DT_EXPECT_CODE(Activate("saml-none"), kNotFound);
  EXPECT_EQ(EventsOf("org.saml_key.activate").size(), 1u);
}

TEST_F(SamlKeysTest, AKeyThatSignsSoonerHurriesNoneOfAnEarlierRotation) {
  const std::string first = Rsa();
  const std::string second = Rotate(hours(0), hours(5)).value();
  clock_.Advance(hours(1));
  const std::string third = Rotate(hours(10), hours(5)).value();
  DT_ASSERT_OK(Activate(third));
  EXPECT_EQ(Shown(), fmt::format("{}* {} {}", third, second, first));
  clock_.Advance(hours(4));
  EXPECT_EQ(Shown(), fmt::format("{}* {}", third, second));
}

// After a theft.
TEST_F(SamlKeysTest, AKeyCanBeReplacedAtOnce) {
  const std::string first = Rsa();
  const std::string second = Rotate(hours(0), hours(0)).value();
  EXPECT_EQ(Shown(), second + "*");
  EXPECT_NE(first, second);
}

TEST_F(SamlKeysTest, TheOneThatSignsStays) {
  const std::string first = Rsa();
  DT_EXPECT_CODE(Retire(first), kFailedPrecondition);
  const std::string second = Rotate(hours(1)).value();
  // One that waits may go, and all is as it was.
  DT_ASSERT_OK(Retire(second));
  EXPECT_EQ(Shown(), first + "*");
  clock_.Advance(hours(24 * 1000));
  EXPECT_EQ(Shown(), first + "*");
  const std::string third = Rotate(hours(0)).value();
  DT_ASSERT_OK(Retire(first));
  EXPECT_EQ(Shown(), third + "*");
  DT_EXPECT_CODE(Retire(first), kNotFound);
  EXPECT_EQ(EventsOf("org.saml_key.retire").size(), 2u);
}

TEST_F(SamlKeysTest, OneWaitsAtATime) {
  DT_ASSERT_OK(Rotate());
  const auto again = Rotate();
  EXPECT_EQ(ReasonOf(again.status()), reason::v1::REASON_CONFLICTING_STATE);
  DT_EXPECT_OK(Rotate({}, {}, org::v1::SAML_KEY_KIND_ECDSA));
  EXPECT_EQ(ReasonOf(Rotate(hours(-1)).status()), reason::v1::REASON_MALFORMED_REQUEST);
  EXPECT_EQ(ReasonOf(Rotate(hours(24 * 400)).status()), reason::v1::REASON_MALFORMED_REQUEST);
}

TEST_F(SamlKeysTest, SurviveARestart) {
  DT_ASSERT_OK(Rotate(hours(3), hours(4)));
  const std::string before = HandedOut().SerializeAsString();
  keys_ = Reopen(*kek_).value();
  EXPECT_EQ(HandedOut().SerializeAsString(), before);
  clock_.Advance(hours(7));
  const std::string later = Shown();
  keys_ = Reopen(*kek_).value();
  EXPECT_EQ(Shown(), later);
  DT_EXPECT_CODE(Reopen(pki::AeadKey::Create("kek-test", Bytes(pki::kAeadKeyBytes, 8)).value()),
                 kPermissionDenied);
}

TEST_F(SamlKeysTest, NoSecretLiesOpenInTheStore) {
  const auto rows =
      database_->Read([](db::Transaction& txn) -> absl::StatusOr<std::vector<db::Row>> {
        return txn.Run("SELECT sealed FROM gateway_keys");
      });
  EXPECT_EQ(rows->size(), 2u);
  for (const db::Row& row : *rows) {
    EXPECT_EQ(ToString(db::Blob(row[0])).find("PRIVATE KEY"), std::string::npos);
  }
}

}  // namespace
}  // namespace devicetrust::policy
