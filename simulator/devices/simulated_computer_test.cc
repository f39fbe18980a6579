#include "simulator/devices/simulated_computer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "libs/kerberos/acceptor.h"
#include "libs/kerberos/environment.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "libs/throwaway/throwaway_pki.h"
#include "simulator/forest/forests.h"

namespace devicetrust::simulator {
namespace {

class SimulatedComputerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto forest =
        Forests::Create({.run_dir = folder_.path(), .accounts_max = 100}, clock_, random_);
    DT_ASSERT_OK(forest);
    forest_ = *std::move(forest);
    DT_ASSERT_OK(kerberos::UseConfig(forest_->kdc().config_path()));
    const std::vector<NewAccount> accounts = {{.kind = AccountKind::kComputer, .name = "PC1$"},
                                              {.name = "ada", .password = "x"}};
    const auto slot = forest_->accounts().Add(0, accounts);
    DT_ASSERT_OK(slot);
    slot_ = *slot;
    DT_ASSERT_OK(forest_->AddService("HTTP/iwa.corp.test@CORP.TEST"));
    world_ = std::make_unique<ComputerWorld>(forest_->view(), "https://acme.test", clock_);
  }
  testing::TempFolder folder_;
  SystemClock clock_;
  SystemRandom random_;
  std::unique_ptr<Forests> forest_;
  std::uint32_t slot_ = 0;
  std::unique_ptr<ComputerWorld> world_;
};

TEST_F(SimulatedComputerTest, AuthenticatesAsComputerAndAsUser) {
  const std::vector<std::string> services = {"HTTP/iwa.corp.test@CORP.TEST"};
  DT_ASSERT_OK(forest_->WriteKeytab(folder_ / "keytab", services));
  const auto acceptor = kerberos::Acceptor::Create({folder_ / "keytab", folder_ / "rcache"});
  DT_ASSERT_OK(acceptor);
  SimulatedComputer computer(*world_, slot_, slot_ + 1);
  for (const auto account : {agent::Account::kComputer, agent::Account::kUser}) {
    const auto negotiation = computer.Negotiate(account, "HTTP/iwa.corp.test", {});
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

// As the agent on a real computer does it.
TEST_F(SimulatedComputerTest, ItsKeytabIsEnoughToBeIt) {
  const std::vector<std::string> principals = {"HTTP/iwa.corp.test@CORP.TEST", "PC1$@CORP.TEST"};
  DT_ASSERT_OK(forest_->WriteKeytab(folder_ / "pc1.keytab", principals));
  const auto computer = kerberos::ComputerOf(folder_ / "pc1.keytab");
  DT_ASSERT_OK(computer);
  EXPECT_EQ(*computer, "PC1$@CORP.TEST");
  const auto credentials = kerberos::Credentials::FromKeytab(folder_ / "pc1.keytab", *computer);
  DT_ASSERT_OK(credentials);
  DT_EXPECT_OK(kerberos::Initiator::Start(*credentials, "HTTP/iwa.corp.test", {}));
  EXPECT_EQ(kerberos::FailureOf(kerberos::ComputerOf(folder_ / "none").status()),
            kerberos::Failure::kUnknownAccount);
  EXPECT_EQ(
      kerberos::FailureOf(kerberos::Credentials::FromCache("FILE:" + (folder_ / "none")).status()),
      kerberos::Failure::kTicketExpired);
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
  SimulatedComputer computer(*world_, slot_, slot_ + 1);
  EXPECT_FALSE(computer.DeviceIdentity());
  EXPECT_FALSE(computer.OpenPendingKey());
  const auto key = computer.CreateKey();
  DT_ASSERT_OK(key);
  const auto opened = computer.OpenPendingKey();
  ASSERT_TRUE(opened);
  EXPECT_TRUE(opened->signer.public_key() == key->signer.public_key());

  const auto certificate = pki::SignCertificate({.common_name = "x",
                                                 .serial_hex = "0a",
                                                 .not_before = clock_.Now(),
                                                 .not_after = clock_.Now() + std::chrono::hours(1)},
                                                key->signer.public_key(), ca);
  DT_ASSERT_OK(certificate);
  DT_ASSERT_OK(computer.InstallPersonal({*certificate, ca.certificate}, *opened,
                                        clock_.Now() + std::chrono::minutes(5)));
  EXPECT_FALSE(computer.OpenPendingKey());
  const auto identity = computer.DeviceIdentity();
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->certificate.serial_hex(), "0a");
  EXPECT_TRUE(identity->key.public_key() == key->signer.public_key());
  EXPECT_EQ(identity->intermediates.size(), 1u);
  ASSERT_EQ(computer.PersonalCertificates().value().size(), 1u);
  EXPECT_TRUE(computer.PersonalCertificates().value().at(0).renew_at);
  DT_EXPECT_CODE(computer.InstallPersonal({*certificate}, *opened, clock_.Now()),
                 kFailedPrecondition);
  DT_EXPECT_CODE(computer.AttestKey(*opened, AsBytes("nonce")), kUnimplemented);
  DT_ASSERT_OK(computer.RemovePersonal(*certificate));
  EXPECT_FALSE(computer.DeviceIdentity());
}

TEST_F(SimulatedComputerTest, AKeyThatIsDeletedOrReplacedIsGone) {
  SimulatedComputer computer(*world_, slot_, slot_ + 1);
  const auto first = computer.CreateKey();
  const auto second = computer.CreateKey();
  DT_ASSERT_OK(second);
  EXPECT_TRUE(computer.OpenPendingKey()->signer.public_key() == second->signer.public_key());
  EXPECT_FALSE(first->signer.public_key() == second->signer.public_key());
  computer.DeletePendingKey();
  EXPECT_FALSE(computer.OpenPendingKey());
}

TEST_F(SimulatedComputerTest, ASecondUsersLogonIsSeen) {
  const pki::Identity ca = throwaway::NewCa(std::string(agent::kIssuerCommonName), clock_.Now());
  SimulatedComputer computer(*world_, slot_, slot_ + 1);
  const auto key = computer.CreateKey();
  DT_ASSERT_OK(key);
  EXPECT_FALSE(computer.other_user());
  DT_ASSERT_OK(computer.InstallPersonal({ca.certificate}, *key, clock_.Now()));
  EXPECT_FALSE(computer.other_user());
  computer.LogOn(slot_);
  EXPECT_EQ(computer.other_user(), "ada@CORP.TEST");
  computer.LogOn(std::nullopt);
  EXPECT_FALSE(computer.other_user());
}

TEST_F(SimulatedComputerTest, AnOldWindowsIsRefusedAndDotNetInstalled) {
  const WindowsSpec old{.release = WindowsRelease::k8};
  SimulatedComputer computer(*world_, slot_, slot_ + 1);
  DT_EXPECT_OK(computer.Prepare());
  computer.set_windows(&old);
  EXPECT_FALSE(computer.Prepare().ok());
  const WindowsSpec bare{.dot_net = kNoDotNet, .agent = {1, 2, 2}};
  computer.set_windows(&bare);
  DT_EXPECT_OK(computer.Prepare());
  EXPECT_NE(computer.events().back().event.message.find(".NET"), std::string::npos);
  EXPECT_EQ(computer.agent_version(), (agent::AgentVersion{1, 2, 2}));
}

TEST_F(SimulatedComputerTest, TheEventLogIsBounded) {
  SimulatedComputer computer(*world_, slot_, slot_ + 1);
  for (int i = 0; i < 100; ++i) computer.WriteEvent({.id = i, .message = "m"});
  EXPECT_EQ(computer.events().size(), kEventsKept);
  EXPECT_EQ(computer.events().back().event.id, 99);
}

}  // namespace
}  // namespace devicetrust::simulator
