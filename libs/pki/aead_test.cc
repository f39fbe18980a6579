#include "libs/pki/aead.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "libs/base/files.h"
#include "libs/pki/sealed_file.h"
#include "libs/testing/mutation.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"

namespace devicetrust::pki {
namespace {

class AeadTest : public ::testing::Test {
 protected:
  SystemRandom random_;
  AeadKey key_ = AeadKey::Generate("k1", random_).value();
};

TEST_F(AeadTest, OpensWhatItSealed) {
  for (const std::string& text :
       {std::string(), std::string("secret"), std::string(100'000, 'x')}) {
    const Bytes sealed = Seal(key_, "test", AsBytes(text), random_).value();
    EXPECT_EQ(ToString(Open(key_, "test", sealed).value()), text);
    EXPECT_LE(sealed.size(), text.size() + kAeadOverheadMax);
  }
}

TEST_F(AeadTest, SealsTheSameTextDifferentlyEachTime) {
  EXPECT_NE(Seal(key_, "test", AsBytes("a"), random_).value(),
            Seal(key_, "test", AsBytes("a"), random_).value());
}

TEST_F(AeadTest, RefusesAnotherPurposeKeyOrContent) {
  const Bytes sealed = Seal(key_, "cookie", AsBytes("secret"), random_).value();
  DT_EXPECT_CODE(Open(key_, "totp", sealed), kPermissionDenied);
  const AeadKey namesake = AeadKey::Generate("k1", random_).value();
  DT_EXPECT_CODE(Open(namesake, "cookie", sealed), kPermissionDenied);
  const AeadKey other = AeadKey::Generate("k2", random_).value();
  DT_EXPECT_CODE(Open(other, "cookie", sealed), kNotFound);
  DT_EXPECT_CODE(Open(key_, "cookie", {}), kInvalidArgument);
  testing::ForEachMutation(sealed, 2000, 6, [&](const Bytes& bad) {
    if (bad != sealed) {
      EXPECT_FALSE(Open(key_, "cookie", bad).ok());
    }
  });
}

TEST_F(AeadTest, OpensWithTheOldKeyDuringARotation) {
  const AeadKey next = AeadKey::Generate("k2", random_).value();
  const std::vector<AeadKey> both = {next, key_};
  const Bytes old = Seal(key_, "cookie", AsBytes("old"), random_).value();
  EXPECT_EQ(ToString(Open(both, "cookie", old).value()), "old");
}

TEST_F(AeadTest, RefusesBadKeys) {
  DT_EXPECT_CODE(AeadKey::Create("", Bytes(32)), kInvalidArgument);
  DT_EXPECT_CODE(AeadKey::Create("with space", Bytes(32)), kInvalidArgument);
  DT_EXPECT_CODE(AeadKey::Create(std::string(65, 'a'), Bytes(32)), kInvalidArgument);
  DT_EXPECT_CODE(AeadKey::Create("k", Bytes(31)), kInvalidArgument);
}

class SealedFileTest : public ::testing::Test {
 protected:
  std::string Path(const char* name) const { return folder_ / name; }

  testing::TempFolder folder_;
  SystemRandom random_;
};

TEST_F(SealedFileTest, KeepsOneKeyEncryptionKeyInAFile) {
  DT_ASSERT_OK(WriteKeyEncryptionKey(Path("kek"), random_));
  DT_EXPECT_CODE(WriteKeyEncryptionKey(Path("kek"), random_), kAlreadyExists);
  const AeadKey kek = LoadKeyEncryptionKey(Path("kek")).value();
  EXPECT_EQ(kek.id(), LoadKeyEncryptionKey(Path("kek"))->id());
}

TEST_F(SealedFileTest, RefusesSharedMissingAndMalformedFiles) {
  DT_EXPECT_CODE(LoadKeyEncryptionKey(Path("none")), kNotFound);
  DT_ASSERT_OK(WriteKeyEncryptionKey(Path("kek"), random_));
  ASSERT_EQ(chmod(Path("kek").c_str(), 0640), 0);
  DT_EXPECT_CODE(LoadKeyEncryptionKey(Path("kek")), kFailedPrecondition);
  DT_ASSERT_OK(WriteFileAtomically(Path("short"), "00ff\n", 0600));
  DT_EXPECT_CODE(LoadKeyEncryptionKey(Path("short")), kInvalidArgument);
  DT_ASSERT_OK(WriteFileAtomically(Path("spaces"), "\n " + std::string(64, 'a') + " \n", 0600));
  DT_EXPECT_OK(LoadKeyEncryptionKey(Path("spaces")));
}

}  // namespace
}  // namespace devicetrust::pki
