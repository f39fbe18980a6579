// Its tests leave the process as UseQuickEcKeys() makes it: ctest gives each one of its own.
#include "libs/pki/quick_ec.h"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "libs/base/encoding.h"
#include "libs/pki/key.h"
#include "libs/pki/openssl.h"
#include "libs/testing/mutation.h"
#include "libs/testing/vectors.h"

namespace devicetrust::pki {
namespace {

// In one call or in parts; empty when OpenSSL refuses.
Bytes SignBy(EVP_PKEY* key, const char* digest, std::string_view message, bool in_parts) {
  const EvpMdCtxPtr context(EVP_MD_CTX_new());
  Bytes signature(static_cast<std::size_t>(EVP_PKEY_get_size(key)));
  std::size_t size = signature.size();
  bool done =
      EVP_DigestSignInit_ex(context.get(), nullptr, digest, nullptr, nullptr, key, nullptr) == 1;
  if (in_parts) {
    done = done && EVP_DigestSignUpdate(context.get(), message.data(), 1) == 1 &&
           EVP_DigestSignUpdate(context.get(), message.data() + 1, message.size() - 1) == 1 &&
           EVP_DigestSignFinal(context.get(), signature.data(), &size) == 1;
  } else {
    done = done && EVP_DigestSign(context.get(), signature.data(), &size, AsBytes(message).data(),
                                  message.size()) == 1;
  }
  signature.resize(done ? size : 0);
  return signature;
}

bool VerifiesBy(EVP_PKEY* key, const char* digest, std::string_view message, const Bytes& signature,
                bool in_parts) {
  const EvpMdCtxPtr context(EVP_MD_CTX_new());
  if (EVP_DigestVerifyInit_ex(context.get(), nullptr, digest, nullptr, nullptr, key, nullptr) !=
      1) {
    return false;
  }
  const bool good =
      in_parts ? EVP_DigestVerifyUpdate(context.get(), message.data(), message.size()) == 1 &&
                     EVP_DigestVerifyFinal(context.get(), signature.data(), signature.size()) == 1
               : EVP_DigestVerify(context.get(), signature.data(), signature.size(),
                                  AsBytes(message).data(), message.size()) == 1;
  ClearErrors();
  return good;
}

TEST(QuickEcTest, SignsAndVerifiesWithEveryCurveAndHash) {
  // Made before and after; by OpenSSL's provider, and as EC_KEY.
  std::vector<EvpPkeyPtr> keys;
  const auto make = [&keys] {
    for (const char* curve : {SN_X9_62_prime256v1, SN_secp384r1, SN_secp521r1}) {
      keys.emplace_back(EVP_EC_gen(curve));
    }
  };
  make();
  ASSERT_TRUE(UseQuickEcKeys());
  ASSERT_TRUE(UseQuickEcKeys());
  make();
  const PrivateKey short_key = PrivateKey::Generate().value();
  EVP_PKEY_up_ref(short_key.get());
  keys.emplace_back(short_key.get());
  for (const EvpPkeyPtr& key : keys) {
    ASSERT_NE(key, nullptr);
    // Read back as a certificate's key is.
    const auto read = FromDer<EvpPkeyPtr>(ToDer(key.get(), &i2d_PUBKEY), &d2i_PUBKEY);
    ASSERT_NE(read, nullptr);
    EXPECT_EQ(EVP_PKEY_eq(key.get(), read.get()), 1);
    for (const char* digest : {"SHA1", "SHA2-256", "SHA256", "SHA2-384", "SHA2-512", "SHA3-256"}) {
      for (const bool in_parts : {false, true}) {
        const Bytes signature = SignBy(key.get(), digest, "message", in_parts);
        ASSERT_FALSE(signature.empty()) << digest;
        for (const bool also_in_parts : {false, true}) {
          EXPECT_TRUE(VerifiesBy(read.get(), digest, "message", signature, also_in_parts));
          EXPECT_FALSE(VerifiesBy(read.get(), digest, "massage", signature, also_in_parts));
          EXPECT_FALSE(VerifiesBy(read.get(), digest, "message", Bytes(), also_in_parts));
        }
      }
    }
  }
  EXPECT_EQ(ERR_peek_error(), 0UL);
}

// What OpenSSL says of a key that it reads: the octets it writes of it, empty when it takes none.
Bytes Rewritten(const Bytes& spki) {
  const auto key = FromDer<EvpPkeyPtr>(spki, &d2i_PUBKEY);
  ClearErrors();
  return key == nullptr ? Bytes() : ToDer(key.get(), &i2d_PUBKEY);
}

TEST(QuickEcTest, ReadsAndWritesKeysAsBefore) {
  std::vector<Bytes> keys = {testing::ReadVectorBytes("openssl/spki-explicit-curve.der")};
  for (const char* curve :
       {SN_X9_62_prime256v1, SN_secp384r1, SN_secp521r1, SN_secp256k1, "brainpoolP256r1"}) {
    keys.push_back(ToDer(EvpPkeyPtr(EVP_EC_gen(curve)).get(), &i2d_PUBKEY));
  }
  Bytes compressed = keys[1];
  compressed.resize(compressed.size() - 32);
  compressed[1] = static_cast<std::uint8_t>(compressed[1] - 32);
  compressed[24] = static_cast<std::uint8_t>(compressed[24] - 32);
  compressed[26] = static_cast<std::uint8_t>(0x02 | (keys[1].back() & 1));
  keys.push_back(compressed);
  std::vector<Bytes> inputs = keys;
  for (const Bytes& key : keys) {
    testing::ForEachMutation(key, 200, 1, [&inputs](const Bytes& bad) { inputs.push_back(bad); });
  }
  std::vector<Bytes> before;
  for (const Bytes& input : inputs) before.push_back(Rewritten(input));
  for (std::size_t i = 1; i < keys.size(); ++i) EXPECT_EQ(before[i], keys[i]) << i;
  ASSERT_TRUE(UseQuickEcKeys());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    EXPECT_EQ(HexEncode(Rewritten(inputs[i])), HexEncode(before[i])) << HexEncode(inputs[i]);
  }
  const auto one = FromDer<EvpPkeyPtr>(keys[1], &d2i_PUBKEY);
  const auto other = FromDer<EvpPkeyPtr>(keys[2], &d2i_PUBKEY);
  EXPECT_EQ(EVP_PKEY_eq(one.get(), FromDer<EvpPkeyPtr>(compressed, &d2i_PUBKEY).get()), 1);
  EXPECT_NE(EVP_PKEY_eq(one.get(), other.get()), 1);
  EXPECT_EQ(EVP_PKEY_get_bits(other.get()), 384);
}

TEST(QuickEcTest, JudgesTheVectorsOfWycheproof) {
  ASSERT_TRUE(UseQuickEcKeys());
  const auto vectors =
      nlohmann::json::parse(testing::ReadVector("wycheproof/ecdsa_secp256r1_sha256_test.json"));
  for (const auto& group : vectors["testGroups"]) {
    const Bytes spki = HexDecode(group["publicKeyDer"].get<std::string>()).value();
    const auto key = FromDer<EvpPkeyPtr>(spki, &d2i_PUBKEY);
    ASSERT_NE(key, nullptr);
    for (const auto& test : group["tests"]) {
      const Bytes message = HexDecode(test["msg"].get<std::string>()).value();
      const Bytes signature = HexDecode(test["sig"].get<std::string>()).value();
      EXPECT_EQ(VerifiesBy(key.get(), "SHA2-256",
                           {reinterpret_cast<const char*>(message.data()), message.size()},
                           signature, false),
                test["result"] == "valid")
          << test["tcId"];
    }
  }
}

}  // namespace
}  // namespace devicetrust::pki
