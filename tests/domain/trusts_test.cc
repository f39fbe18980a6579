// What an IWA makes of trusts: tickets of real KDCs, and what directories say.
#include <gtest/gtest.h>

#include "iwa/forest_trusts.h"
#include "libs/base/files.h"
#include "libs/directory/client.h"
#include "libs/kerberos/acceptor.h"
#include "libs/kerberos/credentials.h"
#include "libs/kerberos/environment.h"
#include "libs/rpc/error.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "libs/throwaway/throwaway_pki.h"
#include "simulator/forest/forests.h"
#include "simulator/forest/ldap/server.h"

namespace devicetrust {
namespace {

using simulator::TrustDirection;

class TrustsOfForestsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    simulator::ForestsConfig config{.run_dir = folder_.path()};
    config.forests = {{.domains = {{"corp.test", "CORP"}}},
                      {.domains = {{"partner.test", "PTNR"}, {"eu.partner.test", "EU"}}}};
    config.trusts = {{"corp.test", "partner.test"}};
    config.accounts_max = 100;
    forests_ = simulator::Forests::Create(config, clock_, random_).value();
    for (std::uint32_t realm = 0; realm < 3; ++realm) {
      const std::vector<simulator::NewAccount> accounts = {{.name = "svc", .password = "Pw-svc"},
                                                           {.name = "ada", .password = "Pw-ada"}};
      DT_ASSERT_OK(forests_->accounts().Add(realm, accounts));
    }
    DT_ASSERT_OK(WriteFileAtomically(folder_ / "ca.pem", pki_.web_ca().certificate.Pem(), 0600));
    StartLdap({0});
    StartLdap({1, 2});
    std::vector<directory::Domain> domains;
    domains.push_back(NewDomain(0, "corp.test", "CORP", "corp.test"));
    domains.push_back(NewDomain(1, "partner.test", "PTNR", "partner.test"));
    domains.push_back(NewDomain(2, "eu.partner.test", "EU", "partner.test"));
    domains_ = directory::Registry::Create(std::move(domains)).value();
    trusts_.emplace(*domains_, "corp.test", std::set<std::string>{"CORP.TEST"});
  }
  void StartLdap(std::vector<std::uint32_t> realms) {
    simulator::LdapServerConfig config{.realms = std::move(realms),
                                       .identity = pki_.Server("ldap", {"dc1"})};
    ldap_.push_back(
        simulator::LdapServer::Start(std::move(config), forests_->view(), clock_).value());
  }
  directory::Domain NewDomain(std::size_t realm, const std::string& name,
                              const std::string& netbios, const std::string& forest) {
    directory::Config config;
    config.url = ldap_[realm == 0 ? 0 : 1]->url();
    config.ca_file = folder_ / "ca.pem";
    config.domain = name;
    config.bind_name = "svc@" + name;
    config.bind_password = "Pw-svc";
    return {name,   netbios, simulator::DomainSid(forests_->view().realms()[realm]),
            forest, {},      directory::LdapDirectory::Create(std::move(config)).value()};
  }
  std::string Refusal(std::size_t domain) {
    trusts_->Refresh();
    const absl::Status status = trusts_->Check(domains_->domains()[domain], "CORP.TEST");
    return status.ok() ? "" : rpc::ReasonName(status);
  }

  const SystemClock clock_;
  SystemRandom random_;
  testing::TempFolder folder_;
  throwaway::ThrowawayPki pki_{"acme", SystemClock().Now()};
  std::unique_ptr<simulator::Forests> forests_;
  std::vector<std::unique_ptr<simulator::LdapServer>> ldap_;
  std::unique_ptr<directory::Registry> domains_;
  std::optional<iwa::ForestTrusts> trusts_;
};

TEST_F(TrustsOfForestsTest, TheDirectorySaysWhomTheForestTrustsAtTheMoment) {
  EXPECT_EQ(Refusal(0), "");
  EXPECT_EQ(Refusal(1), "");
  EXPECT_EQ(Refusal(2), "");  // A domain of that forest.
  DT_ASSERT_OK(forests_->SetTrust("corp.test", "partner.test", TrustDirection::kInbound));
  EXPECT_EQ(Refusal(1), "UNTRUSTED_FOREST");
  DT_ASSERT_OK(forests_->SetTrust("corp.test", "partner.test", TrustDirection::kNone));
  EXPECT_EQ(Refusal(2), "UNTRUSTED_FOREST");
  EXPECT_EQ(Refusal(0), "");
  DT_ASSERT_OK(forests_->SetTrust("corp.test", "partner.test", TrustDirection::kBoth));
  EXPECT_EQ(Refusal(2), "");
}

// Across a trust the KDC of the service's forest makes the ticket.
TEST_F(TrustsOfForestsTest, ATicketAcrossATrustIsMadeByTheServicesForest) {
  const std::vector<std::string> services = {"HTTP/iwa.corp.test@CORP.TEST"};
  DT_ASSERT_OK(forests_->AddService(services.front()));
  DT_ASSERT_OK(forests_->WriteKeytab(folder_ / "iwa.keytab", services));
  DT_ASSERT_OK(kerberos::UseConfig(forests_->kdc().config_path()));
  const auto acceptor = kerberos::Acceptor::Create({folder_ / "iwa.keytab", folder_ / "rcache"});
  DT_ASSERT_OK(acceptor);
  const kerberos::Bindings bindings(32, 1);
  for (const char* realm : {"CORP.TEST", "PARTNER.TEST", "EU.PARTNER.TEST"}) {
    const std::string principal = std::string("ada@") + realm;
    const auto ada = kerberos::Credentials::FromKey(principal, forests_->KeyOf(principal).value());
    DT_ASSERT_OK(ada);
    const auto exchange = kerberos::Initiator::Start(*ada, services.front(), bindings);
    DT_ASSERT_OK(exchange);
    const auto accepted = (*acceptor)->Accept(exchange->token(), bindings);
    DT_ASSERT_OK(accepted);
    EXPECT_EQ(accepted->identity.realm, realm);
    EXPECT_EQ(accepted->identity.service_realm, "CORP.TEST");
  }
}

}  // namespace
}  // namespace devicetrust
