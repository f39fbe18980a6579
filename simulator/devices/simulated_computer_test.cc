#include "simulator/devices/simulated_computer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "libs/kerberos/acceptor.h"
#include "libs/kerberos/environment.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "libs/throwaway/throwaway_pki.h"
#include "simulator/forest/forest.h"

namespace devicetrust::simulator {
namespace {

class SimulatedComputerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto forest = Forest::Create({.run_dir = folder_.path(), .accounts_max = 100}, clock_, random_);
    DT_ASSERT_OK(forest);
    forest_ = *std::move(forest);
    DT_ASSERT_OK(kerberos::UseConfig(forest_->kdc().config_path()));
    const std::vector<NewAccount> accounts = {{.kind = AccountKind::kComputer, .name = "PC1$"},
                                              {.name = "ada", .password = "x"}};
    const auto slot = forest_->accounts().Add(0, accounts);
    DT_ASSERT_OK(slot);
    slot_ = *slot;
    DT_ASSERT_OK(forest_->AddService("HTTP/iwa.corp.test"));
    world_ = std::make_unique<ComputerWorld>(forest_->view(), 0, "https://acme.test", clock_);
  }
  testing::TempFolder folder_;
  SystemClock clock_;
  SystemRandom random_;
  std::unique_ptr<Forest> forest_;
  std::uint32_t slot_ = 0;
  std::unique_ptr<ComputerWorld> world_;
};

TEST_F(SimulatedComputerTest, AuthenticatesAsComputerAndAsUser) {
  const std::vector<std::string> names = {"HTTP/iwa.corp.test"};
  DT_ASSERT_OK(forest_->WriteKeytab(folder_ / "keytab", names));
  const auto acceptor = kerberos::Acceptor::Create({folder_ / "keytab", folder_ / "rcache"});
  DT_ASSERT_OK(acceptor);
  SimulatedComputer computer(*world_, slot_, slot_ + 1);
  for (const auto account : {agent::Account::kComputer, agent::Account::kUser}) {
    const auto negotiation = computer.Negotiate(account, names[0], {});
    DT_ASSERT_OK(negotiation);
    const auto accepted = (*acceptor)->Accept((*negotiation)->token(), {});
    DT_ASSERT_OK(accepted);
    DT_EXPECT_OK((*negotiation)->Finish(accepted->reply));
    EXPECT_EQ(accepted->identity.is_computer, account == agent::Account::kComputer);
    EXPECT_NE((*negotiation)->Describe().find("HTTP/iwa.corp.test"), std::string::npos);
  }
  EXPECT_EQ(computer.name(), "PC1");
  EXPECT_EQ(computer.domain(), "corp.test");
  EXPECT_EQ(computer.logged_on_user(), "ada@CORP.TEST");
  EXPECT_EQ(computer.RegistryValue(agent::kOrgUrlValue), "https://acme.test");
}

TEST_F(SimulatedComputerTest, AnUnmanagedOneHasNoDomain) {
  SimulatedComputer computer(*world_, std::nullopt, slot_ + 1);
  EXPECT_EQ(computer.domain(), "");
  EXPECT_EQ(kerberos::FailureOf(
                computer.Negotiate(agent::Account::kComputer, "HTTP/iwa.corp.test", {}).status()),
            kerberos::Failure::kUnknownAccount);
}

TEST_F(SimulatedComputerTest, KeepsKeysAndCertificates) {
  const pki::Identity ca = throwaway::NewCa(std::string(agent::kIssuerCommonName), clock_.Now());
  pki::ExportableIdentity device =
      throwaway::NewIdentity("x", pki::Usage::kClientAuth, ca, clock_.Now());
  device.intermediates = {ca.certificate};
  SimulatedComputer first(*world_, slot_, slot_ + 1);
  SimulatedComputer second(*world_, slot_, slot_ + 1);
  EXPECT_FALSE(first.DeviceIdentity());
  DT_ASSERT_OK(first.KeepPendingKey(device.key));
  ASSERT_TRUE(first.PendingKey());
  EXPECT_TRUE(first.PendingKey()->public_key() == device.key.public_key());
  DT_ASSERT_OK(first.InstallPersonal(device));
  DT_ASSERT_OK(second.InstallPersonal(device));
  first.ForgetPendingKey();
  EXPECT_FALSE(first.PendingKey());
  const auto identity = first.DeviceIdentity();
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->certificate.serial_hex(), device.certificate.serial_hex());
  EXPECT_EQ(identity->intermediates.size(), 1u);
  EXPECT_EQ(first.PersonalCertificates().size(), 1u);
}

TEST_F(SimulatedComputerTest, TheEventLogIsBounded) {
  SimulatedComputer computer(*world_, slot_, slot_ + 1);
  for (int i = 0; i < 100; ++i) computer.WriteEvent({.id = i, .message = "m"});
  EXPECT_EQ(computer.events().size(), kEventsKept);
  EXPECT_EQ(computer.events().back().event.id, 99);
}

}  // namespace
}  // namespace devicetrust::simulator
