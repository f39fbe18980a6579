#include "iwa/signing_keys.h"

#include <gtest/gtest.h>

#include "iwa/signing_key_store.h"
#include "libs/base/encoding.h"
#include "libs/base/files.h"
#include "libs/testing/settable_clock.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"

namespace devicetrust::iwa {
namespace {

using std::chrono::days;
using std::chrono::seconds;

class SigningKeysTest : public ::testing::Test {
 protected:
  // As at each start; of one name and store there is one at a time.
  void Start(const std::string& name = "iwa-1") {
    keys_.reset();
    store_.reset();
    auto store = SigningKeyStore::Open(Url(), {"acme", name}, kek_);
    DT_ASSERT_OK(store);
    store_ = *std::move(store);
    auto keys = SigningKeys::Open(*store_, "urn:iwa", days(90), clock_, random_);
    DT_ASSERT_OK(keys);
    keys_ = *std::move(keys);
  }
  std::string Url() const { return "sqlite:" + (folder_ / "iwa.db"); }
  std::string Signer() const { return keys_->ring()->signer().kid; }
  std::vector<std::string> Kids() const {
    std::vector<std::string> kids;
    for (const StoredKey& key : keys_->ring()->keys) kids.push_back(key.key.kid);
    return kids;
  }
  void Later(std::chrono::seconds time) {
    clock_.Advance(time);
    DT_ASSERT_OK(keys_->Advance());
  }

  testing::TempFolder folder_;
  testing::SettableClock clock_{WallTime(std::chrono::sys_days{std::chrono::year{2026} / 6 / 1})};
  SystemRandom random_;
  pki::AeadKey kek_ = pki::AeadKey::Generate("kek-1", random_).value();
  std::unique_ptr<SigningKeyStore> store_;
  std::unique_ptr<SigningKeys> keys_;
};

TEST_F(SigningKeysTest, ALoneFirstKeySignsAtOnceAndStaysOverARestart) {
  Start();
  const std::string kid = Signer();
  const pki::PublicKey key = keys_->ring()->signer().key.public_key();
  EXPECT_EQ(kid, key.Thumbprint());
  Start();
  EXPECT_EQ(Kids(), std::vector<std::string>{kid});
  EXPECT_EQ(keys_->ring()->signer().key.public_key(), key);
}

TEST_F(SigningKeysTest, GivesEachIwaItsOwnKey) {
  Start("iwa-1");
  const std::string first = Signer();
  Start("iwa-2");
  EXPECT_NE(Signer(), first);
}

// What verifies tokens knows the new key before it is used, and the old one until its last token
// has expired.
TEST_F(SigningKeysTest, TheNextKeyIsPublishedBeforeItSignsAndTheLastOneStaysGood) {
  Start();
  const std::string first = Signer();
  Later(days(90) - seconds(1));
  EXPECT_EQ(Kids().size(), 1u);
  Later(seconds(1));
  ASSERT_EQ(Kids().size(), 2u);
  const std::string second = Kids()[0];
  EXPECT_EQ(Signer(), first);
  EXPECT_NE(keys_->ring()->verifiers.Find(second), nullptr);

  Later(days(1));  // The org is away, and has not heard of it.
  EXPECT_EQ(Signer(), first);
  EXPECT_EQ(Kids().size(), 2u);
  DT_ASSERT_OK(keys_->NotePublished({first, second}));
  Later(kPublishedBeforeUse - seconds(1));
  EXPECT_EQ(Signer(), first);
  Later(seconds(1));
  EXPECT_EQ(Signer(), second);

  Later(kKeptAfterUse - seconds(1));
  EXPECT_NE(keys_->ring()->verifiers.Find(first), nullptr);
  Later(seconds(1));
  EXPECT_EQ(keys_->ring()->verifiers.Find(first), nullptr);
  EXPECT_EQ(Kids(), std::vector<std::string>{second});
}

TEST_F(SigningKeysTest, ARestartAtAnyMomentGoesOnWithTheRotation) {
  Start();
  const std::string first = Signer();
  Later(days(90));
  const std::vector<std::string> both = Kids();
  Start();
  EXPECT_EQ(Kids(), both);
  EXPECT_EQ(Signer(), first);
  DT_ASSERT_OK(keys_->NotePublished(both));
  clock_.Advance(kPublishedBeforeUse);
  Start();
  EXPECT_EQ(Signer(), first);
  DT_ASSERT_OK(keys_->Advance());
  const std::string second = both[0];
  EXPECT_EQ(Signer(), second);
  Start();
  EXPECT_EQ(Signer(), second);
  EXPECT_NE(keys_->ring()->verifiers.Find(first), nullptr);
  Later(kKeptAfterUse);
  Start();
  EXPECT_EQ(Kids(), std::vector<std::string>{second});
}

TEST_F(SigningKeysTest, ACrashBetweenMakingAKeyAndKnowingItLeavesTheNextOne) {
  Start();
  const std::string first = Signer();
  const auto made = store_->Make(clock_, random_);
  DT_ASSERT_OK(made);
  Start();
  EXPECT_EQ(Signer(), first);
  Later(days(90));
  EXPECT_EQ(Kids().size(), 2u);
}

TEST_F(SigningKeysTest, WhoLostItsNameSignsNothing) {
  Start();
  DT_EXPECT_OK(keys_->ToSign());
  keys_->Forbid(absl::UnavailableError("another process has the name"));
  DT_EXPECT_CODE(keys_->ToSign(), kUnavailable);
  keys_->Forbid(absl::OkStatus());
  DT_EXPECT_OK(keys_->ToSign());
}

// A store of before rotation, with two keys: the newest signed.
TEST_F(SigningKeysTest, OfAnOlderReleaseTheNewestKeySigns) {
  Start();
  const auto older = keys_->ring()->keys[0];
  clock_.Advance(days(1));
  auto made = store_->Make(clock_, random_);
  DT_ASSERT_OK(made);
  StoredKey plain = older;
  plain.signs_from.reset();
  DT_ASSERT_OK(store_->Keep(std::vector{*made, plain}));
  Start();
  EXPECT_EQ(Signer(), made->key.kid);
  EXPECT_NE(keys_->ring()->verifiers.Find(older.key.kid), nullptr);
  Later(kKeptAfterUse);
  EXPECT_EQ(Kids().size(), 1u);
}

TEST_F(SigningKeysTest, CountsTheStartsOfAStore) {
  Start();
  const auto first = store_->BeginRun(random_);
  Start();
  const auto second = store_->BeginRun(random_);
  DT_ASSERT_OK(first);
  DT_ASSERT_OK(second);
  EXPECT_EQ(first->store_id, second->store_id);
  EXPECT_NE(first->process_id, second->process_id);
  EXPECT_EQ(second->starts, first->starts + 1);
}

TEST_F(SigningKeysTest, NamesTheFlagWhenTheSealIsAnothers) {
  Start();
  keys_.reset();
  store_.reset();
  const auto store = SigningKeyStore::Open(Url(), {"acme", "iwa-1"},
                                           pki::AeadKey::Generate("kek-2", random_).value());
  DT_ASSERT_OK(store);
  const auto refused = (*store)->Load();
  DT_EXPECT_CODE(refused, kNotFound);
  EXPECT_NE(std::string(refused.status().message()).find("--kek-file"), std::string::npos);
}

TEST_F(SigningKeysTest, StoresNoKeyInClear) {
  Start();
  // A PKCS#8 key of P-256, up to its secret number.
  const Bytes clear =
      HexDecode("308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420").value();
  for (const char* file : {"iwa.db", "iwa.db-wal"}) {
    const absl::StatusOr<std::string> content = ReadFile(folder_ / file, 16 << 20);
    if (!content.ok()) continue;
    EXPECT_EQ(content->find(ToString(clear)), std::string::npos) << file;
  }
}

}  // namespace
}  // namespace devicetrust::iwa
