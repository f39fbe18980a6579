#include "simulator/deployment/component_launcher.h"

#include <gtest/gtest.h>

#include "libs/base/files.h"
#include "libs/pki/sealed_file.h"
#include "libs/service/options.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "libs/throwaway/throwaway_pki.h"

namespace devicetrust::simulator {
namespace {

class ComponentLauncherTest : public ::testing::Test {
 protected:
  ComponentLauncherTest() : pki_("acme", clock_.Now()) {
    pki_.Component("policy");
    EXPECT_TRUE(pki_.WriteTo(folder_.path()).ok());
    EXPECT_TRUE(pki::WriteKeyEncryptionKey(folder_ / "kek", random_).ok());
    config_.internal_cert = folder_ / "policy.pem";
    config_.internal_key = folder_ / "policy.key";
    config_.deployment_ca = folder_ / "deployment-ca.pem";
    config_.internal_listen = "127.0.0.1:0";
    config_.database = "sqlite:" + (folder_ / "policy.db");
    config_.log_database = "sqlite:" + (folder_ / "log.db");
    config_.kek_file = folder_ / "kek";
  }

  absl::StatusOr<std::unique_ptr<RunningComponent>> Start(bool processes) {
    const ComponentLauncher launcher(
        {processes, "/nonexistent", folder_.path(), &clock_, &random_});
    return launcher.Start(config_);
  }

  const testing::TempFolder folder_;
  const SystemClock clock_;
  SystemRandom random_;
  throwaway::ThrowawayPki pki_;
  policy::Config config_;
};

TEST_F(ComponentLauncherTest, AnEmbeddedComponentServesAndItsConfigurationLiesBesideIt) {
  const auto component = Start(false);
  DT_ASSERT_OK(component);
  EXPECT_NE((*component)->Address("internal"), "");
  EXPECT_EQ((*component)->Address("edge"), "");
  DT_EXPECT_OK((*component)->Check());
  const auto text = ReadFile(folder_ / "dt-policy.toml");
  DT_ASSERT_OK(text);
  const auto read = service::FromToml<policy::Config>(*text);
  DT_ASSERT_OK(read);
  EXPECT_TRUE(*read == config_) << *text;
}

TEST_F(ComponentLauncherTest, AProgramGetsTheSameFile) {
  // There is no such program here; tests/options_test.py starts the real ones.
  EXPECT_EQ(Start(true).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadFile(folder_ / "dt-policy.toml").value(), service::ToToml(config_));
}

}  // namespace
}  // namespace devicetrust::simulator
