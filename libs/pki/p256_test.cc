// The short way must say of every input what OpenSSL's own way says, or less.
#include "libs/pki/p256.h"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "libs/base/encoding.h"
#include "libs/pki/digest.h"
#include "libs/pki/key.h"
#include "libs/testing/mutation.h"
#include "libs/testing/status.h"
#include "libs/testing/vectors.h"

namespace devicetrust::pki {
namespace {

using testing::ReadVector;
using testing::ReadVectorBytes;

using EcGroupPtr = Owned<EC_GROUP, &EC_GROUP_free>;
using EcPointPtr = Owned<EC_POINT, &EC_POINT_free>;

constexpr std::size_t kPointAt = 26;  // In a SubjectPublicKeyInfo of the usual form.

EvpPkeyPtr OpenSslWay(std::span<const std::uint8_t> spki) {
  auto key = FromDer<EvpPkeyPtr>(spki, &d2i_PUBKEY);
  ClearErrors();
  return key;
}

EvpPkeyPtr ShortWay(std::span<const std::uint8_t> spki) {
  const auto point = P256PointOfSpki(spki);
  return point ? P256FromPoint(*point) : nullptr;
}

Bytes NewSpki() { return PrivateKey::Generate()->public_key().Spki(); }

Bytes Joined(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const Bytes& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

TEST(P256Test, ReadsWhatOpensslReads) {
  for (int i = 0; i < 50; ++i) {
    const PrivateKey pair = PrivateKey::Generate().value();
    const Bytes spki = pair.public_key().Spki();
    EvpPkeyPtr read = ShortWay(spki);
    ASSERT_NE(read, nullptr);
    const PublicKey quick(std::move(read));
    const PublicKey slow(OpenSslWay(spki));
    EXPECT_EQ(quick, slow);
    EXPECT_EQ(quick.Spki(), spki);
    EXPECT_EQ(quick.Pem(), slow.Pem());
    EXPECT_EQ(quick.type(), KeyType::kP256);
    EXPECT_EQ(quick.P256Point().value(), slow.P256Point().value());
    EXPECT_EQ(quick.Thumbprint(), slow.Thumbprint());
    const Bytes signature = pair.Sign(AsBytes("message")).value();
    EXPECT_TRUE(quick.Verify(AsBytes("message"), signature));
    EXPECT_TRUE(slow.Verify(AsBytes("message"), signature));
    EXPECT_FALSE(quick.Verify(AsBytes("massage"), signature));
  }
}

TEST(P256Test, ReadsAKeyThatTheOpensslProgramMade) {
  const PublicKey key = PrivateKey::FromPem(ReadVector("openssl/p256.key")).value().public_key();
  const EvpPkeyPtr quick = ShortWay(key.Spki());
  ASSERT_NE(quick, nullptr);
  EXPECT_EQ(EVP_PKEY_eq(quick.get(), key.get()), 1);
}

// What is written into a certificate is the same octets, whichever way the key came in.
TEST(P256Test, WritesWhatWasRead) {
  const Bytes spki = NewSpki();
  for (const EvpPkeyPtr& key : {OpenSslWay(spki), ShortWay(spki)}) {
    const X509Ptr certificate(X509_new());
    ASSERT_EQ(X509_set_pubkey(certificate.get(), ForWriting(key.get()).get()), 1);
    EXPECT_EQ(ToDer(X509_get_X509_PUBKEY(certificate.get()), &i2d_X509_PUBKEY), spki);
  }
}

TEST(P256Test, LeavesOtherKeysForWritingAsTheyAre) {
  for (const KeyType type : {KeyType::kP384, KeyType::kRsa2048}) {
    const PublicKey key = PrivateKey::Generate(type)->public_key();
    EXPECT_EQ(ForWriting(key.get()).get(), key.get());
    EXPECT_EQ(ShortWay(key.Spki()), nullptr);
  }
  EXPECT_EQ(ERR_peek_error(), 0U);
}

struct OtherForm {
  const char* name;
  Bytes (*change)(Bytes spki);
  bool is_a_key;  // To PublicKey::FromSpki, by OpenSSL's way.
};
std::ostream& operator<<(std::ostream& out, const OtherForm& form) { return out << form.name; }

class OtherFormTest : public ::testing::TestWithParam<OtherForm> {};

TEST_P(OtherFormTest, IsNotReadTheShortWay) {
  const Bytes spki = GetParam().change(NewSpki());
  EXPECT_EQ(P256PointOfSpki(spki), std::nullopt);
  const auto key = PublicKey::FromSpki(spki);
  EXPECT_EQ(key.ok(), GetParam().is_a_key) << key.status();
  if (key.ok()) {
    EXPECT_EQ(key->Thumbprint().size(), 43U);
  }
  EXPECT_EQ(ERR_peek_error(), 0U);
}

// The same key by x alone, and whether y is odd (SEC 1, section 2.3.3).
Bytes Compressed(Bytes spki) {
  constexpr std::size_t kHalf = 32;
  constexpr std::size_t kBitsLengthAt = kPointAt - 2;
  const std::uint8_t odd = spki.back() & 1;
  spki.resize(spki.size() - kHalf);
  for (const std::size_t length : {std::size_t{1}, kBitsLengthAt}) {
    spki[length] = static_cast<std::uint8_t>(spki[length] - kHalf);
  }
  spki[kPointAt] = static_cast<std::uint8_t>(POINT_CONVERSION_COMPRESSED | odd);
  return spki;
}

INSTANTIATE_TEST_SUITE_P(
    , OtherFormTest,
    ::testing::Values(
        OtherForm{"Empty", [](Bytes) { return Bytes(); }, false},
        OtherForm{"CompressedPoint", &Compressed, true},
        OtherForm{"ExplicitCurve",
                  [](Bytes) { return ReadVectorBytes("openssl/spki-explicit-curve.der"); }, false},
        OtherForm{"OtherCurve",  // secp256k1: points of the same size.
                  [](Bytes) {
                    const EvpPkeyPtr key(EVP_EC_gen("secp256k1"));
                    return ToDer(key.get(), &i2d_PUBKEY);
                  },
                  false},
        OtherForm{"OtherCurveOid",  // prime239v1 in place of prime256v1.
                  [](Bytes spki) {
                    spki[22] = 0x04;
                    return spki;
                  },
                  false},
        OtherForm{"OtherAlgorithmOid",  // id-ecDH, 1.3.132.1.12, is no ECDSA key.
                  [](Bytes spki) {
                    static constexpr std::uint8_t kEcDh[] = {0x2b, 0x81, 0x04, 0x01, 0x0c};
                    std::ranges::copy(kEcDh, spki.begin() + 6);
                    return spki;
                  },
                  false},
        OtherForm{"TrailingByte",
                  [](Bytes spki) {
                    spki.push_back(0);
                    return spki;
                  },
                  false},
        OtherForm{"Cut",
                  [](Bytes spki) {
                    spki.pop_back();
                    return spki;
                  },
                  false},
        OtherForm{"LongLengthOutside",
                  [](Bytes spki) {
                    spki.insert(spki.begin() + 1, 0x81);
                    return spki;
                  },
                  false},
        OtherForm{"LongLengthOfThePoint",
                  [](Bytes spki) {
                    spki[1] = 0x5a;
                    spki.insert(spki.begin() + 24, 0x81);
                    return spki;
                  },
                  false},
        OtherForm{"UnusedBits",
                  [](Bytes spki) {
                    spki[25] = 0x01;
                    return spki;
                  },
                  false}),
    ::testing::PrintToStringParamName());

TEST(P256Test, RefusesWhatIsNoPointOfTheCurve) {
  const Bytes spki = NewSpki();
  const Bytes good(spki.begin() + kPointAt, spki.end());
  std::vector<Bytes> bad = {
      {},
      {0x00},                             // The point at infinity, as SEC 1 writes it,
      Bytes(65, 0x00),                    // with padding,
      Joined({{0x04}, Bytes(64, 0x00)}),  // and as coordinates.
      Joined({{0x04}, Bytes(64, 0xff)}),
      Bytes(good.begin(), good.end() - 1),
      Joined({good, {0x00}}),
      Bytes(good.begin(), good.begin() + 33),
  };
  for (const std::size_t at : {1U, 32U, 33U, 64U}) {
    bad.push_back(good);
    bad.back()[at] ^= 1;
  }
  for (const int form : {0x00, 0x02, 0x03, 0x05, 0x06, 0x07}) {  // 6 and 7: the hybrid form.
    bad.push_back(good);
    bad.back()[0] = static_cast<std::uint8_t>(form);
  }
  for (const Bytes& point : bad) {
    EXPECT_EQ(P256FromPoint(point), nullptr) << HexEncode(point);
    EXPECT_EQ(ERR_peek_error(), 0U);
  }
  EXPECT_NE(P256FromPoint(good), nullptr);
}

// x and x + p are the same number on the curve, and only one of them is its name.
TEST(P256Test, RefusesCoordinatesBeyondTheField) {
  const EcGroupPtr group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
  const EcPointPtr point(EC_POINT_new(group.get()));
  const BignumPtr p(BN_new());
  ASSERT_EQ(EC_GROUP_get_curve(group.get(), p.get(), nullptr, nullptr, nullptr), 1);
  const BignumPtr x(BN_new());
  const BignumPtr y(BN_new());
  BN_ULONG small = 1;
  do {
    BN_set_word(x.get(), small++);
  } while (EC_POINT_set_compressed_coordinates(group.get(), point.get(), x.get(), 0, nullptr) != 1);
  ClearErrors();
  ASSERT_EQ(EC_POINT_get_affine_coordinates(group.get(), point.get(), nullptr, y.get(), nullptr),
            1);
  const auto octets = [&] {
    Bytes all(kP256PointBytes);
    all[0] = 0x04;
    BN_bn2binpad(x.get(), all.data() + 1, 32);
    BN_bn2binpad(y.get(), all.data() + 33, 32);
    return all;
  };
  EXPECT_NE(P256FromPoint(octets()), nullptr);
  BN_add(x.get(), x.get(), p.get());
  EXPECT_EQ(P256FromPoint(octets()), nullptr);
  EXPECT_EQ(ERR_peek_error(), 0U);
}

TEST(P256Test, AcceptsNoMutationThatOpensslRefuses) {
  testing::ForEachMutation(NewSpki(), 5000, 11, [](const Bytes& bad) {
    const EvpPkeyPtr quick = ShortWay(bad);
    if (quick == nullptr) return;
    const EvpPkeyPtr slow = OpenSslWay(bad);
    ASSERT_NE(slow, nullptr) << HexEncode(bad);
    EXPECT_EQ(EVP_PKEY_eq(quick.get(), slow.get()), 1);
  });
}

TEST(P256Test, VerifiesLikeOpensslAndWycheproof) {
  const auto vectors =
      nlohmann::json::parse(ReadVector("wycheproof/ecdsa_secp256r1_sha256_test.json"));
  for (const auto& group : vectors["testGroups"]) {
    const Bytes spki = HexDecode(group["publicKeyDer"].get<std::string>()).value();
    EvpPkeyPtr read = ShortWay(spki);
    ASSERT_NE(read, nullptr) << group["publicKeyDer"];
    const PublicKey quick(std::move(read));
    const PublicKey slow(OpenSslWay(spki));
    const auto table = P256Table::For(quick.get());
    ASSERT_NE(table, nullptr);
    for (const auto& test : group["tests"]) {
      const Bytes message = HexDecode(test["msg"].get<std::string>()).value();
      const Bytes signature = HexDecode(test["sig"].get<std::string>()).value();
      EXPECT_EQ(table->Verify(Sha256(message), signature), test["result"] == "valid")
          << test["tcId"];
      EXPECT_EQ(quick.Verify(message, signature), test["result"] == "valid") << test["tcId"];
      EXPECT_EQ(slow.Verify(message, signature), test["result"] == "valid") << test["tcId"];
    }
  }
}

TEST(P256Test, ATableVerifiesWhatTheKeyVerifies) {
  for (int i = 0; i < 5; ++i) {
    const PrivateKey pair = PrivateKey::Generate().value();
    const auto table = P256Table::For(pair.public_key().get());
    ASSERT_NE(table, nullptr);
    const Bytes signature = pair.Sign(AsBytes("message")).value();
    EXPECT_TRUE(table->Verify(Sha256("message"), signature));
    EXPECT_FALSE(table->Verify(Sha256("massage"), signature));
    EXPECT_FALSE(table->Verify(Sha256("message"), {}));
    EXPECT_FALSE(
        P256Table::For(PrivateKey::Generate()->get())->Verify(Sha256("message"), signature));
    testing::ForEachMutation(signature, 100, 1, [&](const Bytes& mutated) {
      EXPECT_EQ(table->Verify(Sha256("message"), mutated),
                P256Verify(pair.get(), Sha256("message"), mutated));
    });
    // A longer hash counts by its leftmost bits (FIPS 186-5, section 6.4.2).
    const Bytes longer = HashOf(HashType::kSha384, AsBytes("message"));
    Sha256Digest cut{};
    std::copy_n(longer.begin(), cut.size(), cut.begin());
    EXPECT_TRUE(table->Verify(longer, P256Sign(pair.get(), cut)));
    EXPECT_EQ(ERR_peek_error(), 0UL);
  }
  EXPECT_EQ(P256Table::For(PrivateKey::Generate(KeyType::kP384)->get()), nullptr);
  EXPECT_EQ(P256Table::For(PrivateKey::Generate(KeyType::kRsa2048)->get()), nullptr);
}

// PKCS#8 as OpenSSL writes a key that it made itself.
Bytes OpenSslPkcs8(const EVP_PKEY* key) {
  using Pkcs8Ptr = Owned<PKCS8_PRIV_KEY_INFO, &PKCS8_PRIV_KEY_INFO_free>;
  return ToDer(Pkcs8Ptr(EVP_PKEY2PKCS8(key)).get(), &i2d_PKCS8_PRIV_KEY_INFO);
}

EvpPkeyPtr OpenSslFromPkcs8(const Bytes& der) {
  auto key = FromDer<EvpPkeyPtr>(der, &d2i_AutoPrivateKey);
  ClearErrors();
  return key;
}

TEST(P256Test, ReadsPrivateKeysThatOpensslWroteAndSignsWithThem) {
  for (int i = 0; i < 20; ++i) {
    const EvpPkeyPtr made(EVP_EC_gen(SN_X9_62_prime256v1));
    EXPECT_FALSE(IsShortP256(made.get()));
    const Bytes pkcs8 = OpenSslPkcs8(made.get());
    const EvpPkeyPtr quick = P256FromPkcs8(pkcs8);
    ASSERT_NE(quick, nullptr);
    EXPECT_TRUE(IsShortP256(quick.get()));
    EXPECT_EQ(EVP_PKEY_eq(quick.get(), made.get()), 1);
    EXPECT_EQ(OpenSslPkcs8(quick.get()), pkcs8);
    const Sha256Digest digest = Sha256("message " + std::to_string(i));
    const Bytes signature = P256Sign(quick.get(), digest);
    const Owned<EVP_PKEY_CTX, &EVP_PKEY_CTX_free> verifier(EVP_PKEY_CTX_new(made.get(), nullptr));
    ASSERT_EQ(EVP_PKEY_verify_init(verifier.get()), 1);
    EXPECT_EQ(EVP_PKEY_verify(verifier.get(), signature.data(), signature.size(), digest.data(),
                              digest.size()),
              1);
    EXPECT_TRUE(P256Verify(quick.get(), digest, signature));
    EXPECT_FALSE(P256Verify(quick.get(), Sha256("another"), signature));
  }
}

TEST(P256Test, MakesKeysThatOpensslFindsSound) {
  Bytes last;
  for (int i = 0; i < 20; ++i) {
    const EvpPkeyPtr made = P256Generate();
    ASSERT_NE(made, nullptr);
    EXPECT_TRUE(IsShortP256(made.get()));
    const Bytes pkcs8 = OpenSslPkcs8(made.get());
    const EvpPkeyPtr slow = OpenSslFromPkcs8(pkcs8);
    ASSERT_NE(slow, nullptr);
    const Owned<EVP_PKEY_CTX, &EVP_PKEY_CTX_free> checker(EVP_PKEY_CTX_new(slow.get(), nullptr));
    EXPECT_EQ(EVP_PKEY_check(checker.get()), 1);  // Scalar in range, point on curve, a pair.
    const auto point = P256PointOf(made.get());
    const Bytes spki = ToDer(slow.get(), &i2d_PUBKEY);
    EXPECT_TRUE(std::ranges::equal(*P256PointOfSpki(spki), point));
    EXPECT_NE(pkcs8, last);
    last = pkcs8;
  }
}

TEST(P256Test, LeavesOtherPrivateKeysToOpenssl) {
  const EvpPkeyPtr made(EVP_EC_gen(SN_X9_62_prime256v1));
  const Bytes good = OpenSslPkcs8(made.get());
  Bytes cut = good;
  cut.pop_back();
  Bytes off_curve = good;
  off_curve.back() ^= 1;
  for (const Bytes& other :
       {Bytes(), cut, Joined({good, {0x00}}), off_curve, ToDer(made.get(), &i2d_PrivateKey),
        OpenSslPkcs8(EvpPkeyPtr(EVP_EC_gen(SN_secp384r1)).get()),
        OpenSslPkcs8(EvpPkeyPtr(EVP_EC_gen("secp256k1")).get())}) {
    EXPECT_EQ(P256FromPkcs8(other), nullptr) << other.size();
    EXPECT_EQ(ERR_peek_error(), 0U);
  }
  testing::ForEachMutation(good, 3000, 13, [](const Bytes& bad) {
    const EvpPkeyPtr quick = P256FromPkcs8(bad);
    if (quick == nullptr) return;
    const EvpPkeyPtr slow = OpenSslFromPkcs8(bad);
    ASSERT_NE(slow, nullptr) << "accepted what OpenSSL refuses";
    EXPECT_EQ(EVP_PKEY_eq(quick.get(), slow.get()), 1);
  });
}

TEST(P256Test, SignsWithPrivateKeysOnly) {
  const EvpPkeyPtr public_half = ShortWay(NewSpki());
  EXPECT_TRUE(P256Sign(public_half.get(), Sha256("message")).empty());
  ClearErrors();
}

// Signatures by hand, beside a good one of the same key and message.
class P256SignatureTest : public ::testing::Test {
 protected:
  static Bytes Element(std::uint8_t tag, const Bytes& content) {
    return Joined({{tag, static_cast<std::uint8_t>(content.size())}, content});
  }
  static Bytes Integer(Bytes octets) {  // Not negative, and minimal.
    while (octets.size() > 1 && octets[0] == 0) octets.erase(octets.begin());
    if (octets[0] >= 0x80) octets.insert(octets.begin(), 0);
    return Element(0x02, octets);
  }
  static Bytes Signature(const Bytes& r, const Bytes& s) { return Element(0x30, Joined({r, s})); }
  static Bytes Order() {
    return HexDecode("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551").value();
  }
  // a + b, 33 octets.
  static Bytes Sum(const Bytes& a, const Bytes& b) {
    const BignumPtr x(BN_bin2bn(a.data(), static_cast<int>(a.size()), nullptr));
    const BignumPtr y(BN_bin2bn(b.data(), static_cast<int>(b.size()), nullptr));
    BN_add(x.get(), x.get(), y.get());
    Bytes sum(33);
    BN_bn2binpad(x.get(), sum.data(), 33);
    return sum;
  }
  bool Good(const Bytes& signature) const {
    const Bytes spki = pair_.public_key().Spki();
    const bool quick = PublicKey(ShortWay(spki)).Verify(AsBytes("message"), signature);
    EXPECT_EQ(PublicKey(OpenSslWay(spki)).Verify(AsBytes("message"), signature), quick);
    EXPECT_EQ(ERR_peek_error(), 0U);
    return quick;
  }

  const PrivateKey pair_ = PrivateKey::Generate().value();
  const Bytes raw_ = pair_.SignEs256("message").value();
  const Bytes r_{raw_.begin(), raw_.begin() + 32};
  const Bytes s_{raw_.begin() + 32, raw_.end()};
};

TEST_F(P256SignatureTest, RefusesNumbersOutOfRange) {
  const Bytes r = Integer(r_);
  const Bytes s = Integer(s_);
  EXPECT_TRUE(Good(Signature(r, s)));
  EXPECT_FALSE(Good(Signature(s, r)));
  for (const Bytes& number :
       {Integer({0}), Integer({1}), Integer(Order()), Integer(Sum(Order(), {1})),
        Element(0x02, {0xff}), Element(0x02, Order())}) {  // The last two are negative.
    EXPECT_FALSE(Good(Signature(r, number))) << HexEncode(number);
    EXPECT_FALSE(Good(Signature(number, s))) << HexEncode(number);
    EXPECT_FALSE(Good(Signature(number, number))) << HexEncode(number);
  }
  // The same numbers but for a multiple of the order.
  EXPECT_FALSE(Good(Signature(Integer(Sum(r_, Order())), s)));
  EXPECT_FALSE(Good(Signature(r, Integer(Sum(s_, Order())))));
}

TEST_F(P256SignatureTest, RefusesAnyOtherEncoding) {
  const Bytes r = Integer(r_);
  const Bytes s = Integer(s_);
  const Bytes good = Signature(r, s);
  const Bytes padded = Element(0x02, Joined({{0x00}, Bytes(r.begin() + 2, r.end())}));
  const Bytes wide = Joined({{0x02, 0x81, r[1]}, Bytes(r.begin() + 2, r.end())});
  const std::vector<Bytes> others = {
      {},
      raw_,  // r and s one after the other is the form of JWS.
      Signature(padded, s),
      Signature(wide, s),
      Joined({{0x30, 0x81, good[1]}, r, s}),
      Joined({{0x30, 0x80}, r, s, {0x00, 0x00}}),  // BER's indefinite length.
      Joined({good, {0x00}}),
      Element(0x30, Joined({r, s, {0x05, 0x00}})),
      Element(0x30, r),
      Element(0x31, Joined({r, s})),
      Bytes(good.begin(), good.end() - 1),
  };
  for (const Bytes& other : others) EXPECT_FALSE(Good(other)) << HexEncode(other);
  // In JWS's form the same numbers are refused too.
  const PublicKey key(ShortWay(pair_.public_key().Spki()));
  EXPECT_TRUE(key.VerifyEs256("message", raw_));
  for (const Bytes& bad : {Joined({Bytes(32), s_}), Joined({r_, Bytes(32)}), Joined({Order(), s_}),
                           Joined({r_, Order()}), good}) {
    EXPECT_FALSE(key.VerifyEs256("message", bad)) << HexEncode(bad);
  }
}

}  // namespace
}  // namespace devicetrust::pki
