// Our HMAC and key schedule beside OpenSSL's, and beside vectors of the RFC and of Wycheproof.
#include "libs/pki/tls_key_schedule.h"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "libs/base/encoding.h"
#include "libs/pki/openssl.h"
#include "libs/pki/tls_library.h"
#include "libs/testing/vectors.h"

namespace devicetrust::pki {
namespace {

using KdfPtr = Owned<EVP_KDF, &EVP_KDF_free>;
using KdfCtxPtr = Owned<EVP_KDF_CTX, &EVP_KDF_CTX_free>;
using MacPtr = Owned<EVP_MAC, &EVP_MAC_free>;
using MacCtxPtr = Owned<EVP_MAC_CTX, &EVP_MAC_CTX_free>;
using testing::ReadVector;

constexpr std::size_t kSha256Bytes = 32;

// As libssl asks for a secret.
struct Asked {
  int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  std::string digest = "SHA2-256";
  std::optional<Bytes> key = {};
  std::optional<Bytes> salt = {};
  std::string label = {};
  std::optional<Bytes> data = {};
  std::string prefix = "tls13 ";

  std::vector<OSSL_PARAM> Params() {
    std::vector<OSSL_PARAM> params = {
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), digest.size())};
    const auto add = [&params](const char* name, auto& octets) {
      params.push_back(OSSL_PARAM_construct_octet_string(name, octets.data(), std::size(octets)));
    };
    if (key) add(OSSL_KDF_PARAM_KEY, *key);
    if (salt) add(OSSL_KDF_PARAM_SALT, *salt);
    add(OSSL_KDF_PARAM_PREFIX, prefix);
    add(OSSL_KDF_PARAM_LABEL, label);
    if (data) add(OSSL_KDF_PARAM_DATA, *data);
    params.push_back(OSSL_PARAM_construct_end());
    return params;
  }
};

// Empty when it refuses.
Bytes Derive(OSSL_LIB_CTX* library, Asked asked, std::size_t size) {
  const KdfPtr kdf(EVP_KDF_fetch(library, "TLS13-KDF", nullptr));
  const KdfCtxPtr context(EVP_KDF_CTX_new(kdf.get()));
  Bytes out(size);
  if (EVP_KDF_derive(context.get(), out.data(), size, asked.Params().data()) != 1) out.clear();
  ClearErrors();
  return out;
}

Bytes Mac(OSSL_LIB_CTX* library, const char* digest, const Bytes& key, const Bytes& data) {
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> out{};
  std::size_t size = 0;
  const auto* done = EVP_Q_mac(library, "HMAC", nullptr, digest, nullptr, key.data(), key.size(),
                               data.data(), data.size(), out.data(), out.size(), &size);
  ClearErrors();
  return done == nullptr ? Bytes() : Bytes(out.begin(), out.begin() + size);
}

Bytes Hex(std::string_view hex) { return HexDecode(hex).value(); }

// RFC 8448, section 3.
TEST(TlsKeyScheduleTest, DerivesTheSecretsOfTheRfcsTrace) {
  const Bytes early = Derive(
      TlsLibrary(), {.mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY, .label = "derived"}, kSha256Bytes);
  EXPECT_EQ(HexEncode(early), "33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a");
  const Bytes handshake =
      Derive(TlsLibrary(),
             {.mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY,
              .key = Hex("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d"),
              .salt = early,
              .label = "derived"},
             kSha256Bytes);
  EXPECT_EQ(HexEncode(handshake),
            "1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac");
  const Bytes traffic =
      Derive(TlsLibrary(),
             {.key = handshake,
              .label = "c hs traffic",
              .data = Hex("860c06edc07858ee8e78f0e7428c58edd6b43f2ca3e6e95f02ed063cf0e1cad8")},
             kSha256Bytes);
  EXPECT_EQ(HexEncode(traffic), "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21");
  EXPECT_EQ(HexEncode(Derive(TlsLibrary(), {.key = traffic, .label = "key"}, 16)),
            "dbfaa693d1762c5b666af5d950258d01");
  EXPECT_EQ(HexEncode(Derive(TlsLibrary(), {.key = traffic, .label = "iv"}, 12)),
            "5bd3c71b836e0b76bb73265f");
}

TEST(TlsKeyScheduleTest, DerivesWhatOpensslDerives) {
  std::mt19937 random(1);
  const auto octets = [&random](std::size_t size) {
    Bytes made(size);
    for (std::uint8_t& octet : made) octet = static_cast<std::uint8_t>(random());
    return made;
  };
  for (const auto& [digest, size] : {std::pair("SHA2-256", 32UL), std::pair("SHA2-384", 48UL)}) {
    for (int i = 0; i < 200; ++i) {
      const std::string label(1 + random() % 20, 'x');
      const Asked expand{
          .digest = digest,
          .key = octets(1 + random() % 150),
          .label = label,
          .data = i % 4 == 0 ? std::nullopt : std::optional(octets(1 + random() % 64))};
      const std::size_t wanted = 1 + random() % 200;
      const Bytes expanded = Derive(TlsLibrary(), expand, wanted);
      ASSERT_FALSE(expanded.empty());
      ASSERT_EQ(expanded, Derive(nullptr, expand, wanted));
      Asked extract = expand;
      extract.mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
      extract.data.reset();
      if (i % 3 != 0) extract.salt = octets(size);
      if (i % 5 == 0) extract.key.reset();
      const Bytes extracted = Derive(TlsLibrary(), extract, size);
      ASSERT_FALSE(extracted.empty());
      ASSERT_EQ(extracted, Derive(nullptr, extract, size));
    }
  }
}

TEST(TlsKeyScheduleTest, RefusesWhatLibsslNeverAsks) {
  const Bytes key(kSha256Bytes, 1);
  EXPECT_FALSE(Derive(TlsLibrary(), {.key = key}, 32).empty());
  EXPECT_TRUE(Derive(TlsLibrary(), {.digest = "SHA2-512", .key = key}, 32).empty());
  EXPECT_TRUE(Derive(TlsLibrary(), {.digest = "SHA1", .key = key}, 20).empty());
  EXPECT_TRUE(Derive(TlsLibrary(), {.mode = 0, .key = key}, 32).empty());
  EXPECT_TRUE(Derive(TlsLibrary(), {}, 32).empty());  // No key.
  EXPECT_TRUE(Derive(TlsLibrary(), {.key = key, .label = std::string(250, 'x')}, 32).empty());
  EXPECT_TRUE(Derive(TlsLibrary(), {.key = key, .data = Bytes(256)}, 32).empty());
  EXPECT_TRUE(Derive(TlsLibrary(), {.key = key}, 255 * 32 + 1).empty());
  EXPECT_TRUE(
      Derive(TlsLibrary(), {.mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY, .key = key}, 31).empty());

  const KdfPtr kdf(EVP_KDF_fetch(TlsLibrary(), "TLS13-KDF", nullptr));
  const KdfCtxPtr context(EVP_KDF_CTX_new(kdf.get()));
  Asked before{.key = key};
  EXPECT_NE(EVP_KDF_CTX_set_params(context.get(), before.Params().data()), 1);
  ClearErrors();
}

TEST(TlsKeyScheduleTest, AuthenticatesLikeOpensslAndWycheproof) {
  const auto vectors = nlohmann::json::parse(ReadVector("wycheproof/hmac_sha256_test.json"));
  for (const auto& group : vectors["testGroups"]) {
    const std::size_t size = group["tagSize"].get<std::size_t>() / 8;
    for (const auto& test : group["tests"]) {
      const Bytes key = Hex(test["key"].get<std::string>());
      const Bytes message = Hex(test["msg"].get<std::string>());
      Bytes tag = Mac(TlsLibrary(), "SHA2-256", key, message);
      EXPECT_EQ(tag, Mac(nullptr, "SHA2-256", key, message)) << test["tcId"];
      tag.resize(size);
      EXPECT_EQ(tag == Hex(test["tag"].get<std::string>()), test["result"] == "valid")
          << test["tcId"];
      EXPECT_EQ(Mac(TlsLibrary(), "SHA2-384", key, message),
                Mac(nullptr, "SHA2-384", key, message));
    }
  }
  EXPECT_TRUE(Mac(TlsLibrary(), "SHA2-512", Bytes(32), Bytes()).empty());
  EXPECT_TRUE(Mac(TlsLibrary(), "SHA1", Bytes(32), Bytes()).empty());
}

TEST(TlsKeyScheduleTest, AuthenticatesInPartsAndByCopies) {
  const MacPtr mac(EVP_MAC_fetch(TlsLibrary(), "HMAC", nullptr));
  const MacCtxPtr context(EVP_MAC_CTX_new(mac.get()));
  std::array<std::uint8_t, 64> out{};
  std::size_t size = 0;
  EXPECT_NE(EVP_MAC_update(context.get(), out.data(), 1), 1);  // No key yet.
  EXPECT_NE(EVP_MAC_final(context.get(), out.data(), &size, out.size()), 1);
  const Bytes key(200, 7);  // Longer than a block.
  ASSERT_EQ(EVP_MAC_init(context.get(), key.data(), key.size(), nullptr), 1);
  ASSERT_EQ(EVP_MAC_update(context.get(), AsBytes("mess").data(), 4), 1);
  const MacCtxPtr copy(EVP_MAC_CTX_dup(context.get()));
  for (EVP_MAC_CTX* each : {context.get(), copy.get()}) {
    ASSERT_EQ(EVP_MAC_update(each, AsBytes("age").data(), 3), 1);
    ASSERT_EQ(EVP_MAC_final(each, out.data(), &size, out.size()), 1);
    const auto text = AsBytes("message");
    EXPECT_EQ(Bytes(out.begin(), out.begin() + size),
              Mac(nullptr, "SHA2-256", key, Bytes(text.begin(), text.end())));
  }
  ClearErrors();
}

}  // namespace
}  // namespace devicetrust::pki
