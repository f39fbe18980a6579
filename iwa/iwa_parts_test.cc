// Issued tokens and configuration.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "iwa/config.h"
#include "iwa/issued_tokens.h"
#include "iwa/iwa_server.h"
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
  ExpectNamed("--forest", [](Config& c) {
    service::DirectoryConfig other = c.directories[0];
    other.domain = "partner.test";
    other.netbios_name = "PARTNER";
    other.domain_sid = "S-1-5-21-4-5-6";
    c.directories.push_back(other);
    c.forest = "elsewhere.test";
  });
  ASSERT_EQ(chmod(Path("keytab").c_str(), 0644), 0);
  ExpectNamed("--keytab", [](Config&) {});
}

TEST_F(ConfigTest, NamesEachWrongOptionAtOnce) {
  config_.spn = "iwa";
  config_.edge_cert = Path("none");
  config_.kek_file = Path("none");
  config_.edge_listen = "here";
  config_.directories[0].password_file = Path("none");
  const std::string message(CheckConfig(config_).message());
  for (const char* line : {"--spn must be", "\n--edge-listen", "\n--edge-cert", "\n--kek-file",
                           "\n--directory corp.test: password-file"}) {
    EXPECT_NE(message.find(line), std::string::npos) << line << " not in\n" << message;
  }
}

TEST_F(ConfigTest, AServerDoesNotStartOnABadConfiguration) {
  config_.keytab = "/nonexistent";
  DT_EXPECT_CODE(IwaServer::Create(config_, clock_, random_), kNotFound);
}

}  // namespace
}  // namespace devicetrust::iwa
