// Store, registration and configuration.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "iwa/config.h"
#include "iwa/issued_tokens.h"
#include "iwa/iwa_server.h"
#include "iwa/registration.h"
#include "iwa/signing_key_store.h"
#include "libs/base/encoding.h"
#include "libs/base/files.h"
#include "libs/pki/sealed_file.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "libs/throwaway/throwaway_pki.h"

namespace devicetrust::iwa {
namespace {

class FolderTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return folder_ / name; }

  testing::TempFolder folder_;
  SystemClock clock_;
  SystemRandom random_;
};

class SigningKeyStoreTest : public FolderTest {
 protected:
  absl::StatusOr<std::vector<token::SigningKey>> Load(const std::string& name,
                                                      const pki::AeadKey& kek) {
    auto store = SigningKeyStore::Open("sqlite:" + Path("iwa.db"));
    if (!store.ok()) return store.status();
    return store->Load("acme", name, kek, clock_, random_);
  }
  pki::AeadKey kek_ = pki::AeadKey::Generate("kek-1", random_).value();
};

TEST_F(SigningKeyStoreTest, KeepsItsKeyOverARestart) {
  const auto first = Load("iwa-1", kek_);
  DT_ASSERT_OK(first);
  ASSERT_EQ(first->size(), 1U);
  EXPECT_EQ(first->front().kid, first->front().key.public_key().Thumbprint());
  const auto again = Load("iwa-1", kek_);
  DT_ASSERT_OK(again);
  ASSERT_EQ(again->size(), 1U);
  EXPECT_EQ(again->front().kid, first->front().kid);
  EXPECT_EQ(again->front().key.public_key(), first->front().key.public_key());
}

TEST_F(SigningKeyStoreTest, GivesEachIwaItsOwnKey) {
  EXPECT_NE(Load("iwa-1", kek_)->front().kid, Load("iwa-2", kek_)->front().kid);
}

TEST_F(SigningKeyStoreTest, NamesTheFlagWhenTheSealIsAnothers) {
  DT_ASSERT_OK(Load("iwa-1", kek_));
  const pki::AeadKey other = pki::AeadKey::Generate("kek-2", random_).value();
  const auto refused = Load("iwa-1", other);
  DT_EXPECT_CODE(refused, kNotFound);
  EXPECT_NE(std::string(refused.status().message()).find("--kek-file"), std::string::npos);
}

TEST_F(SigningKeyStoreTest, StoresNoKeyInClear) {
  DT_ASSERT_OK(Load("iwa-1", kek_));
  // A PKCS#8 key of P-256, up to its secret number.
  const Bytes clear =
      HexDecode("308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420").value();
  for (const char* file : {"iwa.db", "iwa.db-wal"}) {
    const absl::StatusOr<std::string> content = ReadFile(Path(file), 16 << 20);
    if (!content.ok()) continue;
    EXPECT_EQ(content->find(ToString(clear)), std::string::npos) << file;
  }
}

TEST(IssuedTokensTest, KnowsTheNewestToTheLetterUntilTheyExpire) {
  const WallTime now = SystemClock().Now();
  IssuedTokens issued(2);
  const auto token = [&](const std::string& name) {
    token::DeviceToken claims;
    claims.envelope.expires_at = now + std::chrono::seconds(300);
    claims.computer_name = name;
    return claims;
  };
  for (const char* name : {"PC1$", "PC2$", "PC2$", "PC3$"}) issued.Remember(name, token(name));
  EXPECT_FALSE(issued.Find("PC1$", now));  // Two are kept, and a token counts once.
  ASSERT_TRUE(issued.Find("PC2$", now));
  EXPECT_EQ(issued.Find("PC2$", now)->computer_name, "PC2$");
  EXPECT_TRUE(issued.Find("PC3$", now + std::chrono::seconds(299)));
  EXPECT_FALSE(issued.Find("PC3$", now + std::chrono::seconds(300)));
  EXPECT_FALSE(issued.Find("PC3", now));
}

// An org that fails and forgets as told, and lets a test wait for calls.
class FakeRegistry final : public OrgRegistry {
 public:
  absl::Status Register(const org::v1::Iwa& iwa) override {
    const std::lock_guard lock(mutex_);
    calls_.push_back("register " + iwa.name());
    changed_.notify_all();
    return answer_;
  }
  absl::Status Heartbeat(const std::string& name) override {
    const std::lock_guard lock(mutex_);
    calls_.push_back("heartbeat " + name);
    changed_.notify_all();
    if (!forgets_) return answer_;
    forgets_ = false;
    return absl::NotFoundError("no such IWA");
  }
  void Answer(absl::Status status, bool forgets = false) {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(status);
    forgets_ = forgets;
  }
  // False when no call of this text comes within 10 s from now.
  bool WaitFor(const std::string& call) {
    std::unique_lock lock(mutex_);
    calls_.clear();
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] {
      return std::find(calls_.begin(), calls_.end(), call) != calls_.end();
    });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> calls_;
  absl::Status answer_;
  bool forgets_ = false;
};

org::v1::Iwa SomeIwa() {
  org::v1::Iwa iwa;
  iwa.set_name("iwa-1");
  return iwa;
}

TEST(RegistrationTest, RegistersBeforeItReturnsAndStaysKnown) {
  FakeRegistry org;
  Registration registration(org, SomeIwa(), std::chrono::milliseconds(1));
  EXPECT_TRUE(registration.registered());
  EXPECT_TRUE(org.WaitFor("heartbeat iwa-1"));
}

TEST(RegistrationTest, RegistersOnceTheOrgIsUpAndAgainWhenItForgot) {
  FakeRegistry org;
  org.Answer(absl::UnavailableError("down"));
  Registration registration(org, SomeIwa(), std::chrono::milliseconds(1));
  EXPECT_FALSE(registration.registered());
  EXPECT_TRUE(org.WaitFor("register iwa-1"));
  org.Answer(absl::OkStatus());
  EXPECT_TRUE(org.WaitFor("heartbeat iwa-1"));
  EXPECT_TRUE(registration.registered());
  org.Answer(absl::OkStatus(), /*forgets=*/true);
  EXPECT_TRUE(org.WaitFor("register iwa-1"));
  EXPECT_TRUE(org.WaitFor("heartbeat iwa-1"));
}

class ConfigTest : public FolderTest {
 protected:
  void SetUp() override {
    pki_.Component("iwa");
    pki_.Server("edge", {"localhost"});
    DT_ASSERT_OK(pki_.WriteTo(folder_.path()));
    DT_ASSERT_OK(pki::WriteKeyEncryptionKey(Path("kek"), random_));
    DT_ASSERT_OK(WriteFileAtomically(Path("keytab"), "none", 0600));
    DT_ASSERT_OK(WriteFileAtomically(Path("password"), "secret\n", 0600));
    config_.kek_file = Path("kek");
    config_.edge_cert = Path("edge.pem");
    config_.edge_key = Path("edge.key");
    config_.internal_cert = Path("iwa.pem");
    config_.internal_key = Path("iwa.key");
    config_.deployment_ca = Path("deployment-ca.pem");
    config_.keytab = Path("keytab");
    config_.spn = "HTTP/iwa.corp.test";
    service::DirectoryConfig& directory = config_.directories.emplace_back();
    directory.domain = "corp.test";
    directory.netbios_name = "CORP";
    directory.domain_sid = "S-1-5-21-1-2-3";
    directory.url = "ldaps://127.0.0.1:1";
    directory.ca = Path("web-ca.pem");
    directory.bind_dn = "svc@corp.test";
    directory.password_file = Path("password");
  }
  // The message with `change` made to a good configuration; it must name `flag`.
  template <typename F>
  void ExpectNamed(const std::string& flag, F change) {
    Config config = config_;
    change(config);
    const absl::Status status = CheckConfig(config);
    EXPECT_FALSE(status.ok()) << flag;
    EXPECT_NE(status.ToString().find(flag), std::string::npos) << status;
  }

  throwaway::ThrowawayPki pki_{"acme", SystemClock().Now()};
  Config config_;
};

TEST_F(ConfigTest, NamesTheWrongFlag) {
  DT_ASSERT_OK(CheckConfig(config_));
  ExpectNamed("--kek-file", [](Config& c) { c.kek_file = ""; });
  ExpectNamed("--kek-file", [this](Config& c) { c.kek_file = Path("password"); });
  ExpectNamed("--keytab", [](Config& c) { c.keytab = "/nonexistent"; });
  ExpectNamed("--edge-cert", [this](Config& c) { c.edge_cert = Path("none"); });
  ExpectNamed("--name", [](Config& c) { c.name = "IWA 1"; });
  ExpectNamed("--org", [](Config& c) { c.org = ""; });
  ExpectNamed("--spn", [](Config& c) { c.spn = "HTTP@iwa.corp.test"; });
  ExpectNamed("--spn", [](Config& c) { c.spn = ""; });
  ExpectNamed("--edge-listen", [](Config& c) { c.edge_listen = "here"; });
  ExpectNamed("--internal-listen", [](Config& c) { c.internal_listen = "1.2.3.4:99999"; });
  ExpectNamed("--directory", [](Config& c) { c.directories.clear(); });
  ExpectNamed("--directory corp.test", [](Config& c) { c.directories[0].url = ""; });
  ASSERT_EQ(chmod(Path("keytab").c_str(), 0644), 0);
  ExpectNamed("--keytab", [](Config&) {});
}

TEST_F(ConfigTest, AServerDoesNotStartOnABadConfiguration) {
  config_.keytab = "/nonexistent";
  DT_EXPECT_CODE(IwaServer::Create(config_, clock_, random_), kNotFound);
}

}  // namespace
}  // namespace devicetrust::iwa
