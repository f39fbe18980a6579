#include "libs/pki/tls_x25519.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <array>
#include <optional>
#include <string_view>

#include "libs/base/encoding.h"
#include "libs/pki/openssl.h"
#include "libs/pki/tls_library.h"

namespace devicetrust::pki {
namespace {

using EvpPkeyCtxPtr = Owned<EVP_PKEY_CTX, &EVP_PKEY_CTX_free>;

Bytes Octets(std::string_view hex) { return HexDecode(hex).value(); }

EvpPkeyPtr PrivateHalf(OSSL_LIB_CTX* library, const Bytes& octets) {
  return EvpPkeyPtr(
      EVP_PKEY_new_raw_private_key_ex(library, "X25519", nullptr, octets.data(), octets.size()));
}
EvpPkeyPtr PublicHalf(OSSL_LIB_CTX* library, const Bytes& octets) {
  return EvpPkeyPtr(
      EVP_PKEY_new_raw_public_key_ex(library, "X25519", nullptr, octets.data(), octets.size()));
}

struct Encapsulated {
  Bytes out;
  Bytes secret;
};

std::optional<Encapsulated> Encapsulate(const Bytes& peer) {
  const EvpPkeyPtr key = PublicHalf(TlsLibrary(), peer);
  const EvpPkeyCtxPtr context(EVP_PKEY_CTX_new_from_pkey(TlsLibrary(), key.get(), nullptr));
  Encapsulated made{Bytes(32), Bytes(32)};
  std::size_t out_size = 0;
  std::size_t secret_size = 0;
  EXPECT_EQ(EVP_PKEY_encapsulate_init(context.get(), nullptr), 1);
  EXPECT_EQ(EVP_PKEY_encapsulate(context.get(), nullptr, &out_size, nullptr, &secret_size), 1);
  EXPECT_EQ(out_size, made.out.size());
  EXPECT_EQ(secret_size, made.secret.size());
  const bool done = EVP_PKEY_encapsulate(context.get(), made.out.data(), &out_size,
                                         made.secret.data(), &secret_size) == 1;
  ClearErrors();
  if (!done) return std::nullopt;
  return made;
}

// Empty when it refuses.
Bytes Decapsulate(const Bytes& own, const Bytes& in) {
  const EvpPkeyPtr key = PrivateHalf(TlsLibrary(), own);
  const EvpPkeyCtxPtr context(EVP_PKEY_CTX_new_from_pkey(TlsLibrary(), key.get(), nullptr));
  Bytes secret(32);
  std::size_t size = secret.size();
  EXPECT_EQ(EVP_PKEY_decapsulate_init(context.get(), nullptr), 1);
  if (EVP_PKEY_decapsulate(context.get(), secret.data(), &size, in.data(), in.size()) != 1) {
    secret.clear();
  }
  ClearErrors();
  return secret;
}

// By OpenSSL as it comes.
Bytes Derive(const Bytes& own, const Bytes& peer) {
  const EvpPkeyPtr key = PrivateHalf(nullptr, own);
  const EvpPkeyPtr their = PublicHalf(nullptr, peer);
  const EvpPkeyCtxPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
  Bytes secret(32);
  std::size_t size = secret.size();
  EXPECT_EQ(EVP_PKEY_derive_init(context.get()), 1);
  EXPECT_EQ(EVP_PKEY_derive_set_peer(context.get(), their.get()), 1);
  EXPECT_EQ(EVP_PKEY_derive(context.get(), secret.data(), &size), 1);
  return secret;
}

// RFC 7748, section 6.1.
const Bytes kAlice = Octets("77076d0a7318a57d3c16c17251b26645df4c3bcdc3f4d8c5a8ae3c9a8a3b9a2a");
const Bytes kAlicePublic =
    Octets("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
const Bytes kBob = Octets("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
const Bytes kBobPublic = Octets("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
const Bytes kShared = Octets("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");

TEST(TlsX25519Test, AgreesWithTheRfc) {
  EXPECT_EQ(Decapsulate(kBob, kAlicePublic), kShared);
  EXPECT_EQ(Decapsulate(kBob, Bytes(31, 9)), Bytes());
  EXPECT_EQ(Decapsulate(kBob, Bytes(33, 9)), Bytes());
}

TEST(TlsX25519Test, AgreesWithOpensslOnEveryFreshKey) {
  Bytes last;
  for (int i = 0; i < 100; ++i) {
    const auto made = Encapsulate(kBobPublic);
    ASSERT_TRUE(made.has_value());
    EXPECT_NE(made->out, last);
    EXPECT_EQ(made->secret, Derive(kBob, made->out));
    EXPECT_EQ(made->secret, Decapsulate(kBob, made->out));
    last = made->out;
  }
}

// RFC 7748, section 6.1: peers whose secret with everybody is zero.
TEST(TlsX25519Test, RefusesPointsOfSmallOrder) {
  for (const char* point : {"0000000000000000000000000000000000000000000000000000000000000000",
                            "0100000000000000000000000000000000000000000000000000000000000000",
                            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
                            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
                            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"}) {
    EXPECT_FALSE(Encapsulate(Octets(point)).has_value()) << point;
    EXPECT_EQ(Decapsulate(kBob, Octets(point)), Bytes()) << point;
  }
}

}  // namespace
}  // namespace devicetrust::pki
