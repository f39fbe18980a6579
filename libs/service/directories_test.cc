#include "libs/service/directories.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>

#include "libs/service/options.h"
#include "libs/testing/options.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"

namespace devicetrust::service {
namespace {

using ::testing::HasSubstr;

class DirectoriesTest : public ::testing::Test {
 protected:
  DirectoriesTest() {
    std::ofstream(folder_ / "ca.pem") << "any\n";
    std::ofstream(folder_ / "password") << "secret\n";
    chmod((folder_ / "password").c_str(), 0600);
    config_.directories = {New("corp.test", "CORP", "S-1-5-21-1-2-3"),
                           New("partner.test", "PARTNER", "S-1-5-21-4-5-6")};
  }
  DirectoryConfig New(const std::string& domain, const std::string& netbios,
                      const std::string& sid) const {
    DirectoryConfig config;
    config.domain = domain;
    config.netbios_name = netbios;
    config.domain_sid = sid;
    config.url = "ldaps://127.0.0.1:1";
    config.ca = folder_ / "ca.pem";
    config.bind_dn = "svc@" + domain;
    config.password_file = folder_ / "password";
    return config;
  }
  std::string Refusal() const { return std::string(LoadDirectories(config_).status().message()); }

  testing::TempFolder folder_;
  DirectoriesConfig config_;
};

TEST_F(DirectoriesTest, LoadsEachDomain) {
  config_.directories[1].forest = "root.test";
  const auto registry = LoadDirectories(config_);
  DT_ASSERT_OK(registry);
  ASSERT_EQ((*registry)->domains().size(), 2U);
  EXPECT_EQ((*registry)->domains()[0].forest, "corp.test");
  EXPECT_EQ((*registry)->domains()[1].forest, "root.test");
  DT_EXPECT_CODE((*registry)->FindUser("S-1-5-21-4-5-6-1000"), kUnavailable);  // Nobody answers.
  DT_EXPECT_OK(LoadDirectories({}));
}

TEST_F(DirectoriesTest, NamesTheDomainAndTheOption) {
  config_.directories[1].password_file = folder_ / "none";
  EXPECT_THAT(Refusal(), HasSubstr("--directory partner.test: password-file"));
  config_.directories[1].password_file = folder_ / "password";
  config_.directories[1].ca = "/nonexistent";
  EXPECT_THAT(Refusal(), HasSubstr("--directory partner.test: ca"));
  config_.directories[1].ca = folder_ / "ca.pem";
  config_.directories[1].url = "http://x";
  EXPECT_THAT(Refusal(), HasSubstr("--directory partner.test: LDAP URL"));
  config_.directories[1].url = "ldaps://x";
  config_.directories[1].domain_sid = "S-1-5-21-1-2-3";
  EXPECT_THAT(Refusal(), HasSubstr("--directory: domain \"partner.test\": S-1-5-21-1-2-3"));
  chmod((folder_ / "password").c_str(), 0644);
  EXPECT_THAT(Refusal(), HasSubstr("--directory corp.test: password-file"));
}

}  // namespace
}  // namespace devicetrust::service
