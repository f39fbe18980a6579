#include "libs/token/claims.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "libs/rpc/error.h"
#include "libs/testing/mutation.h"
#include "libs/testing/status.h"
#include "libs/token/names.h"

namespace devicetrust::token {
namespace {

using std::chrono::seconds;

constexpr WallTime kNow{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}};

class ClaimsTest : public ::testing::Test {
 protected:
  ClaimsTest() { keys_.Add("k1", IwaUrn("acme", "iwa-1"), key_.key.public_key()); }

  UserToken User() {
    return {{IwaUrn("acme", "iwa-1"), CaUrn("acme"), NewTokenId(kNow, random_).value(), kNow,
             kNow + kUserTokenLifetime},
            "S-1-5-21-1-2-3-1104",
            "alice@CORP.TEST",
            "S-1-5-21-1-2-3-2001",
            "PC0042$",
            "CORP.TEST",
            key_.key.public_key().Thumbprint()};
  }
  // The user token's claims with `change` made, signed with the right key and type.
  template <typename F>
  reason::v1::Reason VerdictAfter(F change, WallTime now = kNow) {
    const std::string compact = Sign(User(), key_).value();
    const VerifiedJws jws = VerifyEs256(compact, "dt-user+jwt", keys_).value();
    nlohmann::json claims = nlohmann::json::parse(jws.payload);
    change(claims);
    return Verdict(SignEs256(claims.dump(), "dt-user+jwt", key_).value(), now);
  }
  reason::v1::Reason Verdict(const std::string& compact, WallTime now = kNow) {
    const auto token = VerifyUserToken(compact, keys_, CaUrn("acme"), now);
    return token.ok() ? reason::v1::REASON_UNSPECIFIED : rpc::ReasonOf(token.status());
  }

  SystemRandom random_;
  SigningKey key_{"k1", pki::PrivateKey::Generate().value()};
  KeySet keys_;
};

TEST_F(ClaimsTest, AUserTokenKeepsWhatItSays) {
  const UserToken made = User();
  const auto read = VerifyUserToken(Sign(made, key_).value(), keys_, CaUrn("acme"), kNow);
  DT_ASSERT_OK(read);
  EXPECT_EQ(read->envelope.issuer, "urn:devicetrust:acme:iwa:iwa-1");
  EXPECT_EQ(read->envelope.id, made.envelope.id);
  EXPECT_EQ(read->envelope.issued_at, made.envelope.issued_at);
  EXPECT_EQ(read->envelope.expires_at, made.envelope.expires_at);
  EXPECT_EQ(read->user_sid, made.user_sid);
  EXPECT_EQ(read->user_name, made.user_name);
  EXPECT_EQ(read->computer_sid, made.computer_sid);
  EXPECT_EQ(read->computer_name, made.computer_name);
  EXPECT_EQ(read->realm, made.realm);
  EXPECT_EQ(read->key_thumbprint, made.key_thumbprint);
}

TEST_F(ClaimsTest, ADeviceTokenIsNoUserToken) {
  const DeviceToken device{
      {IwaUrn("acme", "iwa-1"), CaUrn("acme"), "id", kNow, kNow + seconds{300}},
      "S-1-5-21-1-2-3-2001",
      "PC0042$",
      "CORP.TEST",
      key_.key.public_key().Thumbprint()};
  const std::string compact = Sign(device, key_).value();
  DT_EXPECT_OK(VerifyDeviceToken(compact, keys_, CaUrn("acme"), kNow));
  EXPECT_EQ(Verdict(compact), reason::v1::REASON_TOKEN_WRONG_TYPE);
}

TEST_F(ClaimsTest, AProofKeepsWhatItSays) {
  KeySet keys;
  keys.Add("k1", ProofIssuer("acme"), key_.key.public_key());
  Proof made;
  made.envelope = {ProofIssuer("acme"), ProofAudience("acme"), "id", kNow, kNow + kProofLifetime};
  made.transaction_hash = "t";
  made.session_hash = "s";
  made.reason = "CERTIFICATE_EXPIRED";
  made.serial = "01ab";
  const auto read = VerifyProof(Sign(made, key_).value(), keys, ProofAudience("acme"), kNow);
  DT_ASSERT_OK(read);
  EXPECT_FALSE(read->trusted);
  EXPECT_EQ(read->reason, "CERTIFICATE_EXPIRED");
  EXPECT_EQ(read->serial, "01ab");
  EXPECT_EQ(read->device_id, "");

  made.trusted = true;  // Without an enrollment nobody knows whose device it is.
  EXPECT_FALSE(VerifyProof(Sign(made, key_).value(), keys, ProofAudience("acme"), kNow).ok());
  made.enrollment_id = "e1";
  DT_EXPECT_OK(VerifyProof(Sign(made, key_).value(), keys, ProofAudience("acme"), kNow));
}

TEST_F(ClaimsTest, TimesHaveThirtySecondsOfSkewAndNoMore) {
  const std::string compact = Sign(User(), key_).value();
  EXPECT_EQ(Verdict(compact, kNow - seconds{30}), reason::v1::REASON_UNSPECIFIED);
  EXPECT_EQ(Verdict(compact, kNow - seconds{31}), reason::v1::REASON_TOKEN_NOT_YET_VALID);
  EXPECT_EQ(Verdict(compact, kNow + seconds{329}), reason::v1::REASON_UNSPECIFIED);
  EXPECT_EQ(Verdict(compact, kNow + seconds{330}), reason::v1::REASON_TOKEN_EXPIRED);
}

TEST_F(ClaimsTest, BindsKeyAndIssuer) {
  KeySet others;
  others.Add("k1", IwaUrn("acme", "iwa-2"), key_.key.public_key());
  const auto token = VerifyUserToken(Sign(User(), key_).value(), others, CaUrn("acme"), kNow);
  EXPECT_EQ(rpc::ReasonOf(token.status()), reason::v1::REASON_TOKEN_WRONG_ISSUER);
}

TEST_F(ClaimsTest, RefusesEveryWrongClaim) {
  using Json = nlohmann::json;
  EXPECT_EQ(VerdictAfter([](Json&) {}), reason::v1::REASON_UNSPECIFIED);
  EXPECT_EQ(VerdictAfter([](Json& c) { c["new_claim"] = Json::object(); }),
            reason::v1::REASON_UNSPECIFIED);
  EXPECT_EQ(VerdictAfter([](Json& c) { c["aud"] = CaUrn("other"); }),
            reason::v1::REASON_TOKEN_WRONG_AUDIENCE);
  EXPECT_EQ(VerdictAfter([](Json& c) { c["aud"] = Json::array({CaUrn("acme")}); }),
            reason::v1::REASON_TOKEN_MALFORMED);
  EXPECT_EQ(VerdictAfter([](Json& c) { c["iss"] = "urn:other"; }),
            reason::v1::REASON_TOKEN_WRONG_ISSUER);
  for (const char* name : {"iss", "aud", "jti", "iat", "exp", "sub", "name", "device",
                           "device_name", "realm", "cnf"}) {
    EXPECT_EQ(VerdictAfter([&](Json& c) { c.erase(name); }), reason::v1::REASON_TOKEN_MALFORMED)
        << name;
    EXPECT_EQ(VerdictAfter([&](Json& c) { c[name] = nullptr; }), reason::v1::REASON_TOKEN_MALFORMED)
        << name;
    EXPECT_EQ(VerdictAfter([&](Json& c) { c[name] = ""; }), reason::v1::REASON_TOKEN_MALFORMED)
        << name;
    EXPECT_EQ(VerdictAfter([&](Json& c) { c[name] = std::string(257, 'x'); }),
              reason::v1::REASON_TOKEN_MALFORMED)
        << name;
  }
  EXPECT_EQ(VerdictAfter([](Json& c) { c["exp"] = 1e308; }), reason::v1::REASON_TOKEN_MALFORMED);
  EXPECT_EQ(VerdictAfter([](Json& c) { c["exp"] = 18446744073709551615ULL; }),
            reason::v1::REASON_TOKEN_MALFORMED);
  EXPECT_EQ(VerdictAfter([](Json& c) { c["iat"] = -1; }), reason::v1::REASON_TOKEN_MALFORMED);
  EXPECT_EQ(VerdictAfter([](Json& c) { c["exp"] = 253402300799; }),
            reason::v1::REASON_TOKEN_MALFORMED);
  EXPECT_EQ(VerdictAfter([](Json& c) { c["exp"] = 1780272000.5; }),
            reason::v1::REASON_TOKEN_MALFORMED);
  EXPECT_EQ(VerdictAfter([](Json& c) { c["exp"] = UnixSeconds(kNow) + 301; }),
            reason::v1::REASON_TOKEN_MALFORMED);
  EXPECT_EQ(VerdictAfter([](Json& c) { c["exp"] = c["iat"]; }), reason::v1::REASON_TOKEN_MALFORMED);
  EXPECT_EQ(VerdictAfter([](Json& c) { c["nbf"] = UnixSeconds(kNow) + 30; }),
            reason::v1::REASON_UNSPECIFIED);
  EXPECT_EQ(VerdictAfter([](Json& c) { c["nbf"] = UnixSeconds(kNow) + 31; }),
            reason::v1::REASON_TOKEN_NOT_YET_VALID);
  EXPECT_EQ(VerdictAfter([](Json& c) { c["nbf"] = "x"; }), reason::v1::REASON_TOKEN_MALFORMED);
  EXPECT_EQ(VerdictAfter([](Json& c) { c["cnf"]["jkt"] = std::string(43, '!'); }),
            reason::v1::REASON_TOKEN_MALFORMED);
}

TEST_F(ClaimsTest, RefusesDuplicatesAtEveryDepthAndDeepNesting) {
  const VerifiedJws jws = VerifyEs256(Sign(User(), key_).value(), "dt-user+jwt", keys_).value();
  const auto verdict = [&](const std::string& more) {
    std::string payload = jws.payload;
    payload.insert(1, more);
    return Verdict(SignEs256(payload, "dt-user+jwt", key_).value());
  };
  EXPECT_EQ(verdict(""), reason::v1::REASON_UNSPECIFIED);
  EXPECT_EQ(verdict(R"("sub":"S-1-5-21-0",)"), reason::v1::REASON_TOKEN_MALFORMED);
  EXPECT_EQ(verdict(R"("s\u0075b":"S-1-5-21-0",)"), reason::v1::REASON_TOKEN_MALFORMED);
  EXPECT_EQ(verdict(R"("x":{"y":[{"a":1,"a":2}]},)"), reason::v1::REASON_TOKEN_MALFORMED);
  EXPECT_EQ(verdict(R"("x":{"y":[{"a":1},{"a":2}]},)"), reason::v1::REASON_UNSPECIFIED);
  EXPECT_EQ(verdict("\"x\":" + std::string(1000, '[') + std::string(1000, ']') + ","),
            reason::v1::REASON_TOKEN_MALFORMED);
}

TEST_F(ClaimsTest, DoesNotSignWhatItWouldRefuse) {
  UserToken token = User();
  token.user_sid = "";
  DT_EXPECT_CODE(Sign(token, key_), kInvalidArgument);
  token = User();
  token.key_thumbprint = "short";
  DT_EXPECT_CODE(Sign(token, key_), kInvalidArgument);
  token = User();
  token.envelope.expires_at += seconds{1};
  DT_EXPECT_CODE(Sign(token, key_), kInvalidArgument);
  token = User();
  token.user_name = "quote\" \\ \n \xff";  // Whatever a directory holds stays one string.
  DT_EXPECT_OK(VerifyUserToken(Sign(token, key_).value(), keys_, CaUrn("acme"), kNow));
}

// Signed garbage: whoever holds a registered key still can't crash the reader.
TEST_F(ClaimsTest, NoMutationOfThePayloadDoesHarm) {
  const VerifiedJws jws = VerifyEs256(Sign(User(), key_).value(), "dt-user+jwt", keys_).value();
  const Bytes good(jws.payload.begin(), jws.payload.end());
  testing::ForEachMutation(good, 1500, 8, [&](const Bytes& bad) {
    const auto compact = SignEs256(ToString(bad), "dt-user+jwt", key_);
    if (compact.ok()) static_cast<void>(Verdict(*compact));
  });
}

TEST(NamesTest, ReadsOnlyItsOwnOrgAndKind) {
  EXPECT_EQ(IdOfUrn("urn:devicetrust:acme:device:1f", "acme", "device"), "1f");
  EXPECT_EQ(IdOfUrn("urn:devicetrust:acme:device:", "acme", "device"), std::nullopt);
  EXPECT_EQ(IdOfUrn("urn:devicetrust:acme:enrollment:1f", "acme", "device"), std::nullopt);
  EXPECT_EQ(IdOfUrn("urn:devicetrust:other:device:1f", "acme", "device"), std::nullopt);
}

}  // namespace
}  // namespace devicetrust::token
