#include "libs/token/jws.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "libs/base/encoding.h"
#include "libs/pki/digest.h"
#include "libs/rpc/error.h"
#include "libs/testing/mutation.h"
#include "libs/testing/status.h"
#include "libs/testing/vectors.h"

namespace devicetrust::token {
namespace {

using std::string_view_literals::operator""sv;
using testing::ReadVector;

std::string Encode(std::string_view text) { return Base64UrlEncode(AsBytes(text)); }

class JwsTest : public ::testing::Test {
 protected:
  JwsTest() { keys_.Add("k1", "urn:issuer", key_.key.public_key()); }

  // A token with this header, signed as it stands.
  std::string WithHeader(std::string_view header) {
    const std::string text = Encode(header) + "." + Encode(R"({"a":1})");
    return text + "." + Base64UrlEncode(key_.key.SignEs256(text).value());
  }
  reason::v1::Reason Verdict(std::string_view compact, std::string_view typ = "t") {
    const absl::StatusOr<VerifiedJws> jws = VerifyEs256(compact, typ, keys_);
    EXPECT_FALSE(jws.ok()) << compact;
    return rpc::ReasonOf(jws.status());
  }

  SigningKey key_{"k1", pki::PrivateKey::Generate().value()};
  KeySet keys_;
};

TEST_F(JwsTest, VerifiesWhatItSigned) {
  const std::string compact = SignEs256(R"({"a":1})", "t", key_).value();
  const absl::StatusOr<VerifiedJws> jws = VerifyEs256(compact, "t", keys_);
  DT_ASSERT_OK(jws);
  EXPECT_EQ(jws->payload, R"({"a":1})");
  EXPECT_EQ(jws->signer.kid, "k1");
  EXPECT_EQ(jws->signer.issuer, "urn:issuer");
}

TEST_F(JwsTest, KnowsTheExampleOfRfc7515) {
  // RFC 7515, appendix A.3.1; its header has no kid, which is not accepted here.
  const std::string jwk =
      R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
      R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","kid":"rfc"})";
  auto [kid, key] = FromJwk(jwk).value();
  const std::string text =
      "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
      "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
  const Bytes signature =
      Base64UrlDecode(
          "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q")
          .value();
  EXPECT_TRUE(key.VerifyEs256(text, signature));
  KeySet keys;
  keys.Add(kid, "joe", key);
  EXPECT_FALSE(VerifyEs256(text + "." + Base64UrlEncode(signature), "", keys).ok());
}

// Attack 11: the algorithm and the key are ours to choose, never the token's.
TEST_F(JwsTest, RefusesEveryHeaderButTheOne) {
  DT_ASSERT_OK(VerifyEs256(WithHeader(R"({"alg":"ES256","kid":"k1","typ":"t"})"), "t", keys_));
  const std::pair<const char*, reason::v1::Reason> headers[] = {
      {R"({"alg":"none","kid":"k1","typ":"t"})", reason::v1::REASON_TOKEN_MALFORMED},
      {R"({"alg":"NoNe","kid":"k1","typ":"t"})", reason::v1::REASON_TOKEN_MALFORMED},
      {R"({"alg":"es256","kid":"k1","typ":"t"})", reason::v1::REASON_TOKEN_MALFORMED},
      {R"({"alg":"HS256","kid":"k1","typ":"t"})", reason::v1::REASON_TOKEN_MALFORMED},
      {R"({"alg":["ES256"],"kid":"k1","typ":"t"})", reason::v1::REASON_TOKEN_MALFORMED},
      {R"({"kid":"k1","typ":"t"})", reason::v1::REASON_TOKEN_MALFORMED},
      {R"({"alg":"ES256","typ":"t"})", reason::v1::REASON_TOKEN_MALFORMED},
      {R"({"alg":"ES256","kid":"k1"})", reason::v1::REASON_TOKEN_WRONG_TYPE},
      {R"({"alg":"ES256","kid":"k1","typ":"T"})", reason::v1::REASON_TOKEN_WRONG_TYPE},
      {R"({"alg":"ES256","kid":"../../dev/null","typ":"t"})", reason::v1::REASON_TOKEN_UNKNOWN_KEY},
      {R"({"alg":"ES256","kid":"","typ":"t"})", reason::v1::REASON_TOKEN_MALFORMED},
      {R"({"alg":"ES256","kid":"k1","typ":"t","crit":["exp"]})",
       reason::v1::REASON_TOKEN_MALFORMED},
      {R"({"alg":"ES256","kid":"k1","typ":"t","jwk":{}})", reason::v1::REASON_TOKEN_MALFORMED},
      {R"({"alg":"ES256","kid":"k1","typ":"t","jku":"https://x"})",
       reason::v1::REASON_TOKEN_MALFORMED},
      {R"({"alg":"ES256","kid":"k1","typ":"t","x5u":"https://x"})",
       reason::v1::REASON_TOKEN_MALFORMED},
      {R"({"alg":"ES256","kid":"k1","typ":"t","b64":false})", reason::v1::REASON_TOKEN_MALFORMED},
      {R"({"alg":"none","alg":"ES256","kid":"k1","typ":"t"})", reason::v1::REASON_TOKEN_MALFORMED},
      {R"({"\u0061lg":"none","alg":"ES256","kid":"k1","typ":"t"})",
       reason::v1::REASON_TOKEN_MALFORMED},
      {R"([{"alg":"ES256","kid":"k1","typ":"t"}])", reason::v1::REASON_TOKEN_MALFORMED},
      {"\xef\xbb\xbf{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"t\"}",
       reason::v1::REASON_TOKEN_MALFORMED},
      {R"({"alg":"ES256","kid":"k1","typ":"t"} x)", reason::v1::REASON_TOKEN_MALFORMED},
      {"", reason::v1::REASON_TOKEN_MALFORMED},
  };
  for (const auto& [header, problem] : headers) {
    EXPECT_EQ(Verdict(WithHeader(header)), problem) << header;
  }
  EXPECT_EQ(Verdict(WithHeader("{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"t\"}\0x"sv)),
            reason::v1::REASON_TOKEN_MALFORMED);
  EXPECT_EQ(Verdict(SignEs256("{}", "t", key_).value(), ""), reason::v1::REASON_TOKEN_WRONG_TYPE);
}

TEST_F(JwsTest, RefusesHmacWithThePublicKeyAsSecret) {
  const std::string text = Encode(R"({"alg":"HS256","kid":"k1","typ":"t"})") + "." + Encode("{}");
  for (const std::string& secret : {key_.key.public_key().Pem(), std::string()}) {
    const auto mac = pki::HmacSha256(AsBytes(secret), AsBytes(text));
    EXPECT_EQ(Verdict(text + "." + Base64UrlEncode(mac)), reason::v1::REASON_TOKEN_MALFORMED);
  }
}

TEST_F(JwsTest, RefusesOtherFormsOfTheSameBytes) {
  const std::string good = SignEs256(R"({"a":1})", "t", key_).value();
  EXPECT_EQ(Verdict(good + "="), reason::v1::REASON_TOKEN_MALFORMED);
  EXPECT_EQ(Verdict(good + "."), reason::v1::REASON_TOKEN_MALFORMED);
  EXPECT_EQ(Verdict(" " + good), reason::v1::REASON_TOKEN_MALFORMED);
  EXPECT_EQ(Verdict(good + "\n"), reason::v1::REASON_TOKEN_MALFORMED);
  EXPECT_EQ(Verdict(good.substr(0, good.rfind('.') + 1)), reason::v1::REASON_TOKEN_MALFORMED);
  EXPECT_EQ(Verdict(good.substr(0, good.rfind('.'))), reason::v1::REASON_TOKEN_MALFORMED);
  EXPECT_EQ(Verdict(""), reason::v1::REASON_TOKEN_MALFORMED);
  EXPECT_EQ(Verdict(std::string(kTokenBytesMax + 1, 'A')), reason::v1::REASON_TOKEN_MALFORMED);
  // 64 bytes leave four spare bits in the last character: they must be zero.
  std::string spare = good;
  for (const char last : std::string("BRhx")) {
    spare.back() = last;
    EXPECT_EQ(Verdict(spare), reason::v1::REASON_TOKEN_MALFORMED) << last;
  }
  const std::string text = good.substr(0, good.rfind('.'));
  const Bytes signature = key_.key.SignEs256(text).value();
  for (const std::size_t size : {0U, 63U}) {
    EXPECT_EQ(Verdict(text + "." + Base64UrlEncode(std::span(signature).first(size))),
              reason::v1::REASON_TOKEN_MALFORMED);
  }
  EXPECT_EQ(Verdict(text + "." + Base64UrlEncode(Bytes(64, 0))),
            reason::v1::REASON_TOKEN_SIGNATURE_INVALID);
  EXPECT_EQ(Verdict(text + "." + Base64UrlEncode(key_.key.Sign(AsBytes(text)).value())),
            reason::v1::REASON_TOKEN_MALFORMED);  // DER.
}

TEST_F(JwsTest, NoMutationIsAccepted) {
  const std::string good = SignEs256(R"({"a":1})", "t", key_).value();
  const Bytes bytes(good.begin(), good.end());
  testing::ForEachMutation(bytes, 5000, 7, [&](const Bytes& bad) {
    if (bad != bytes) {
      EXPECT_FALSE(VerifyEs256(ToString(bad), "t", keys_).ok());
    }
  });
}

// Every ES256 case of Wycheproof's JWS file, and every case under another algorithm, which
// none of ours may accept.
TEST_F(JwsTest, AgreesWithWycheproof) {
  const auto vectors = nlohmann::json::parse(ReadVector("wycheproof/json_web_signature_test.json"));
  int es256 = 0;
  for (const auto& group : vectors["testGroups"]) {
    const bool has_public = group.contains("public");
    KeySet keys;
    bool usable = false;
    if (has_public) {
      if (auto jwk = FromJwk(group["public"].dump()); jwk.ok()) {
        keys.Add(jwk->first, "wycheproof", jwk->second);
        usable = true;
      }
    }
    for (const auto& test : group["tests"]) {
      const bool accepted =
          test["jws"].is_string() && VerifyEs256(test["jws"].get<std::string>(), "", keys).ok();
      const bool expected = usable && test["result"] == "valid";
      EXPECT_EQ(accepted, expected) << "tcId " << test["tcId"] << " " << test["comment"];
      es256 += usable ? 1 : 0;
    }
  }
  EXPECT_GT(es256, 20);
}

TEST_F(JwsTest, NeverAcceptsWycheproofsMixedKeySets) {
  const auto vectors = nlohmann::json::parse(ReadVector("wycheproof/json_web_key_test.json"));
  for (const auto& group : vectors["testGroups"]) {
    for (const char* half : {"public", "private"}) {
      if (!group.contains(half)) continue;
      const auto& set = group[half];
      KeySet keys;
      for (const auto& jwk : set.contains("keys") ? set["keys"] : nlohmann::json::array({set})) {
        if (auto read = FromJwk(jwk.dump()); read.ok()) keys.Add(read->first, "w", read->second);
      }
      for (const auto& test : group["tests"]) {
        if (test["result"] != "invalid" || !test["jws"].is_string()) continue;
        EXPECT_FALSE(VerifyEs256(test["jws"].get<std::string>(), "", keys).ok())
            << "tcId " << test["tcId"] << " " << test["comment"];
      }
    }
  }
}

TEST(JwkTest, SurvivesItsTextForm) {
  const pki::PublicKey key = pki::PrivateKey::Generate()->public_key();
  const auto read = FromJwk(ToJwk(key, "a \"kid\"").value());
  DT_ASSERT_OK(read);
  EXPECT_EQ(read->first, "a \"kid\"");
  EXPECT_EQ(read->second, key);
}

TEST(JwkTest, RefusesOtherKeys) {
  const pki::PublicKey key = pki::PrivateKey::Generate()->public_key();
  const auto good = nlohmann::json::parse(ToJwk(key, "k").value());
  const auto with = [&](const char* name, const nlohmann::json& value) {
    auto changed = good;
    changed[name] = value;
    return FromJwk(changed.dump()).status().code();
  };
  const auto invalid = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(with("kty", "RSA"), invalid);
  EXPECT_EQ(with("crv", "P-384"), invalid);
  EXPECT_EQ(with("d", "AAAA"), invalid);
  EXPECT_EQ(with("use", "enc"), invalid);
  EXPECT_EQ(with("alg", "ES384"), invalid);
  EXPECT_EQ(with("key_ops", nlohmann::json::array({"encrypt"})), invalid);
  EXPECT_EQ(with("x", "AA"), invalid);
  EXPECT_EQ(with("x", good["y"]), invalid);  // Not on the curve.
  EXPECT_EQ(with("kid", ""), invalid);
  EXPECT_EQ(FromJwk("{}").status().code(), invalid);
  EXPECT_EQ(FromJwk(std::string(3000, ' ')).status().code(), invalid);
  DT_EXPECT_CODE(ToJwk(pki::PrivateKey::Generate(pki::KeyType::kP384)->public_key(), "k"),
                 kFailedPrecondition);
}

}  // namespace
}  // namespace devicetrust::token
