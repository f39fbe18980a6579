#include "libs/pki/encryption.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "libs/base/files.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "libs/throwaway/seeded_random.h"

namespace devicetrust::pki {
namespace {

constexpr ContentCipher kAll[] = {ContentCipher::kAes128Gcm, ContentCipher::kAes192Gcm,
                                  ContentCipher::kAes256Gcm, ContentCipher::kAes128Cbc,
                                  ContentCipher::kAes192Cbc, ContentCipher::kAes256Cbc};

TEST(EncryptionTest, ContentComesBackAndOnlyWithItsKey) {
  throwaway::SeededRandom random(3);
  for (const ContentCipher cipher : kAll) {
    const Bytes key(KeyBytesOf(cipher), 7);
    for (const std::size_t size : {0U, 1U, 15U, 16U, 17U, 5000U}) {
      const Bytes plain(size, 'x');
      const Bytes encrypted = EncryptContent(cipher, key, plain, random).value();
      EXPECT_EQ(DecryptContent(cipher, key, encrypted).value(), plain);
      EXPECT_NE(EncryptContent(cipher, key, plain, random).value(), encrypted);
      DT_EXPECT_CODE(DecryptContent(cipher, key, std::span(encrypted).first(11)),
                     kPermissionDenied);
    }
    DT_EXPECT_CODE(EncryptContent(cipher, Bytes(5), key, random), kInvalidArgument);
  }
}

TEST(EncryptionTest, GcmNoticesEveryChange) {
  throwaway::SeededRandom random(4);
  const Bytes key(32, 7);
  const Bytes plain(40, 'x');
  const Bytes good = EncryptContent(ContentCipher::kAes256Gcm, key, plain, random).value();
  for (std::size_t i = 0; i < good.size(); ++i) {
    Bytes changed = good;
    changed[i] ^= 1;
    DT_EXPECT_CODE(DecryptContent(ContentCipher::kAes256Gcm, key, changed), kPermissionDenied);
  }
}

TEST(EncryptionTest, OpensslReadsOurOaep) {
  const PrivateKey key = PrivateKey::Generate(KeyType::kRsa2048).value();
  const testing::TempFolder folder;
  DT_ASSERT_OK(WriteFileAtomically(folder / "key.pem", key.Pem()));
  const std::pair<OaepHash, const char*> hashes[] = {{OaepHash::kSha1, "sha1"},
                                                     {OaepHash::kSha256, "sha256"}};
  for (const auto& [hash, hash_name] : hashes) {
    for (const auto& [mgf1, mgf1_name] : hashes) {
      const Bytes encrypted =
          EncryptOaep(key.public_key(), hash, mgf1, AsBytes("a secret key")).value();
      DT_ASSERT_OK(WriteFileAtomically(folder / "encrypted", ToString(encrypted)));
      const std::string command = fmt::format(
          "openssl pkeyutl -decrypt -inkey {0}/key.pem -in {0}/encrypted -out {0}/plain"
          " -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:{1} -pkeyopt rsa_mgf1_md:{2}",
          folder.path(), hash_name, mgf1_name);
      ASSERT_EQ(std::system(command.c_str()), 0) << command;
      EXPECT_EQ(ReadFile(folder / "plain").value(), "a secret key");
      EXPECT_EQ(ToString(DecryptOaep(key, hash, mgf1, encrypted).value()), "a secret key");
    }
  }
}

TEST(EncryptionTest, OaepIsForItsKeyAlone) {
  const PrivateKey key = PrivateKey::Generate(KeyType::kRsa2048).value();
  const PrivateKey other = PrivateKey::Generate(KeyType::kRsa2048).value();
  const Bytes encrypted =
      EncryptOaep(key.public_key(), OaepHash::kSha1, OaepHash::kSha1, AsBytes("x")).value();
  DT_EXPECT_CODE(DecryptOaep(other, OaepHash::kSha1, OaepHash::kSha1, encrypted),
                 kPermissionDenied);
  const PrivateKey curve = PrivateKey::Generate().value();
  DT_EXPECT_CODE(EncryptOaep(curve.public_key(), OaepHash::kSha1, OaepHash::kSha1, AsBytes("x")),
                 kFailedPrecondition);
}

}  // namespace
}  // namespace devicetrust::pki
