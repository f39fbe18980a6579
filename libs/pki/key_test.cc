#include "libs/pki/key.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "libs/base/encoding.h"
#include "libs/pki/digest.h"
#include "libs/pki/openssl.h"
#include "libs/testing/mutation.h"
#include "libs/testing/status.h"
#include "libs/testing/vectors.h"

namespace devicetrust::pki {
namespace {

using Pkcs8InfoPtr = Owned<PKCS8_PRIV_KEY_INFO, &PKCS8_PRIV_KEY_INFO_free>;
using testing::ReadVector;
using testing::ReadVectorBytes;

// Every case of a Wycheproof file of signatures gets the verdict that it names. Some are
// neither right nor wrong ("acceptable").
template <typename Verify>
void RunWycheproof(const std::string& file, Verify verify) {
  const auto vectors = nlohmann::json::parse(ReadVector("wycheproof/" + file));
  int run = 0;
  for (const auto& group : vectors["testGroups"]) {
    const Bytes spki = HexDecode(group["publicKeyDer"].get<std::string>()).value();
    const PublicKey key = PublicKey::FromSpki(spki).value();
    for (const auto& test : group["tests"]) {
      ++run;
      if (test["result"] == "acceptable") continue;
      const Bytes message = HexDecode(test["msg"].get<std::string>()).value();
      const Bytes signature = HexDecode(test["sig"].get<std::string>()).value();
      EXPECT_EQ(verify(key, message, signature), test["result"] == "valid")
          << file << " tcId " << test["tcId"];
    }
  }
  EXPECT_EQ(run, vectors["numberOfTests"].get<int>());
}

TEST(KeyTest, AgreesWithWycheproofOnDerSignatures) {
  RunWycheproof("ecdsa_secp256r1_sha256_test.json",
                [](const PublicKey& key, const Bytes& message, const Bytes& signature) {
                  return key.Verify(message, signature);
                });
}

TEST(KeyTest, AgreesWithWycheproofOnRawSignatures) {
  RunWycheproof("ecdsa_secp256r1_sha256_p1363_test.json",
                [](const PublicKey& key, const Bytes& message, const Bytes& signature) {
                  return key.VerifyEs256(ToString(message), signature);
                });
  const std::pair<const char*, HashType> others[] = {
      {"ecdsa_secp256r1_sha512_p1363_test.json", HashType::kSha512},
      {"ecdsa_secp384r1_sha384_p1363_test.json", HashType::kSha384},
      {"rsa_signature_2048_sha384_test.json", HashType::kSha384},
  };
  for (const auto& [file, hash] : others) {
    RunWycheproof(
        file, [hash = hash](const PublicKey& key, const Bytes& message, const Bytes& signature) {
          return key.VerifyRaw(hash, message, signature);
        });
  }
}

TEST(KeyTest, ThumbprintIsThatOfRfc7638) {
  // RFC 7638, section 3.1, the RSA key of RFC 7517, appendix A.1, as SubjectPublicKeyInfo.
  const Bytes modulus =
      Base64UrlDecode(
          "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_"
          "BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-"
          "65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdk"
          "t-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-"
          "kEgU8awapJzKnqDKgw")
          .value();
  Bytes spki =
      HexDecode("30820122300d06092a864886f70d01010105000382010f003082010a0282010100").value();
  spki.insert(spki.end(), modulus.begin(), modulus.end());
  const Bytes exponent = {0x02, 0x03, 0x01, 0x00, 0x01};
  spki.insert(spki.end(), exponent.begin(), exponent.end());
  const absl::StatusOr<PublicKey> key = PublicKey::FromSpki(spki);
  DT_ASSERT_OK(key);
  EXPECT_EQ(key->Thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

TEST(KeyTest, SignsAndVerifiesInBothForms) {
  for (const KeyType type : {KeyType::kP256, KeyType::kP384, KeyType::kRsa2048}) {
    const PrivateKey key = PrivateKey::Generate(type).value();
    EXPECT_EQ(key.type(), type);
    const Bytes signature = key.Sign(AsBytes("message")).value();
    EXPECT_TRUE(key.public_key().Verify(AsBytes("message"), signature));
    EXPECT_FALSE(key.public_key().Verify(AsBytes("massage"), signature));
    const absl::StatusOr<Bytes> raw = key.SignEs256("message");
    if (type != KeyType::kP256) {
      DT_EXPECT_CODE(raw, kFailedPrecondition);
      continue;
    }
    DT_ASSERT_OK(raw);
    EXPECT_EQ(raw->size(), kEs256Bytes);
    EXPECT_TRUE(key.public_key().VerifyEs256("message", *raw));
    Bytes longer = *raw;
    longer.push_back(0);
    EXPECT_FALSE(key.public_key().VerifyEs256("message", longer));
  }
}

TEST(KeyTest, SurvivesPemPkcs8AndSpki) {
  for (const KeyType type : {KeyType::kP256, KeyType::kP384, KeyType::kRsa2048}) {
    const PrivateKey key = PrivateKey::Generate(type).value();
    EXPECT_EQ(PrivateKey::FromPem(key.Pem())->public_key(), key.public_key());
    EXPECT_EQ(PrivateKey::FromPkcs8(key.Pkcs8())->public_key(), key.public_key());
    EXPECT_EQ(PublicKey::FromSpki(key.public_key().Spki()).value(), key.public_key());
  }
}

// The key as OpenSSL's providers read it, without our short way.
EvpPkeyPtr OpensslKey(const Bytes& pkcs8) {
  const auto info = FromDer<Pkcs8InfoPtr>(pkcs8, &d2i_PKCS8_PRIV_KEY_INFO);
  EvpPkeyPtr key(info == nullptr ? nullptr : EVP_PKCS82PKEY(info.get()));
  ClearErrors();
  return key;
}

TEST(KeyTest, WritesPkcs8AsOpensslWritesIt) {
  for (int i = 0; i < 20; ++i) {
    const PrivateKey key = PrivateKey::Generate().value();
    const Bytes der = key.Pkcs8();
    EvpPkeyPtr other = OpensslKey(der);
    ASSERT_NE(other, nullptr);
    const PrivateKey slow(std::move(other));
    EXPECT_EQ(slow.Pkcs8(), der);
    EXPECT_EQ(slow.Pem(), key.Pem());
    EXPECT_EQ(slow.public_key().Spki(), key.public_key().Spki());
    const PrivateKey quick = PrivateKey::FromPkcs8(der).value();
    EXPECT_EQ(quick.Pkcs8(), der);
    EXPECT_TRUE(slow.public_key().VerifyEs256("message", quick.SignEs256("message").value()));
    EXPECT_TRUE(quick.public_key().VerifyEs256("message", slow.SignEs256("message").value()));
  }
}

TEST(KeyTest, TakesNoPkcs8ThatOpensslRefuses) {
  const Bytes good = PrivateKey::Generate()->Pkcs8();
  testing::ForEachMutation(good, 2000, 7, [](const Bytes& bad) {
    const absl::StatusOr<PrivateKey> key = PrivateKey::FromPkcs8(bad);
    const EvpPkeyPtr slow = OpensslKey(bad);
    if (key.ok()) {
      ASSERT_NE(slow, nullptr) << HexEncode(bad);
      EXPECT_EQ(key->public_key(), PrivateKey(OpensslKey(bad)).public_key());
    }
  });
}

TEST(KeyTest, RebuildsAP256KeyFromItsPoint) {
  const PublicKey key = PrivateKey::Generate()->public_key();
  auto point = key.P256Point().value();
  const std::span<std::uint8_t> both(point);
  EXPECT_EQ(PublicKey::FromP256(both.first(32), both.subspan(32)).value(), key);
  DT_EXPECT_CODE(PublicKey::FromP256(both.first(31), both.subspan(32)), kInvalidArgument);
  point[40] ^= 1;  // No longer on the curve.
  DT_EXPECT_CODE(PublicKey::FromP256(both.first(32), both.subspan(32)), kInvalidArgument);
}

TEST(KeyTest, ReadsThePemKindsThatOpensslWrites) {
  for (const char* file :
       {"p256.key", "p256-sec1.key", "p384.key", "rsa2048.key", "rsa2048-pkcs1.key"}) {
    EXPECT_TRUE(PrivateKey::FromPem(ReadVector(std::string("openssl/") + file)).ok()) << file;
  }
}

TEST(KeyTest, RefusesKeysItShouldNot) {
  DT_EXPECT_CODE(PrivateKey::FromPem(ReadVector("openssl/p256-encrypted.key")), kInvalidArgument);
  DT_EXPECT_CODE(PrivateKey::FromPem(ReadVector("openssl/ca.pem")), kInvalidArgument);
  DT_EXPECT_CODE(PrivateKey::FromPem(""), kInvalidArgument);
  DT_EXPECT_CODE(PublicKey::FromSpki({}), kInvalidArgument);
  DT_EXPECT_CODE(PublicKey::FromSpki(ReadVectorBytes("openssl/spki-explicit-curve.der")),
                 kInvalidArgument);
  Bytes longer = PrivateKey::Generate()->public_key().Spki();
  longer.push_back(0);
  DT_EXPECT_CODE(PublicKey::FromSpki(longer), kInvalidArgument);
}

TEST(KeyTest, NoMutationOfASpkiDoesHarm) {
  const Bytes good = PrivateKey::Generate()->public_key().Spki();
  testing::ForEachMutation(good, 3000, 1, [](const Bytes& bad) {
    if (const auto key = PublicKey::FromSpki(bad); key.ok()) {
      EXPECT_FALSE(key->Spki().empty());
    }
  });
}

TEST(DigestTest, AgreesWithWycheproofOnHmacSha256) {
  const auto vectors = nlohmann::json::parse(ReadVector("wycheproof/hmac_sha256_test.json"));
  for (const auto& group : vectors["testGroups"]) {
    const std::size_t tag_bytes = group["tagSize"].get<std::size_t>() / 8;
    for (const auto& test : group["tests"]) {
      const Bytes key = HexDecode(test["key"].get<std::string>()).value();
      const Bytes message = HexDecode(test["msg"].get<std::string>()).value();
      const Bytes tag = HexDecode(test["tag"].get<std::string>()).value();
      const Sha256Digest mac = HmacSha256(key, message);
      EXPECT_EQ(ConstantTimeEquals(std::span(mac).first(tag_bytes), tag), test["result"] == "valid")
          << "tcId " << test["tcId"];
    }
  }
}

TEST(DigestTest, HmacSha1IsThatOfRfc2202) {
  EXPECT_EQ(HexEncode(HmacSha1(AsBytes("Jefe"), AsBytes("what do ya want for nothing?"))),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
  EXPECT_EQ(HexEncode(HmacSha1({}, {})), "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d");
}

}  // namespace
}  // namespace devicetrust::pki
