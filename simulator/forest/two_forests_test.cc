// Two forests without a trust, served by one table and one KDC.
#include <gtest/gtest.h>

#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/kerberos/acceptor.h"
#include "libs/kerberos/environment.h"
#include "libs/kerberos/negotiate.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "simulator/forest/forests.h"

namespace devicetrust::simulator {
namespace {

using kerberos::Credentials;
using kerberos::Failure;
using kerberos::FailureOf;
using kerberos::Initiator;

constexpr const char* kIwaService = "HTTP/iwa.corp.test";

// One service for two forests that know nothing of one another: it has an account in both.
TEST(TwoForestsTest, EachKnowsItsOwnAndAServiceOfBothTakesBoth) {
  const testing::TempFolder run;
  const SystemClock clock;
  SystemRandom random;
  const std::vector<ForestSpec> specs = {{.domains = {{"corp.test", "CORP"}}},
                                         {.domains = {{"partner.test", "PARTNER"}}}};
  const auto forests =
      Forests::Create({.run_dir = run.path(), .forests = specs, .accounts_max = 100}, clock, random)
          .value();
  DT_ASSERT_OK(kerberos::UseConfig(forests->kdc().config_path()));
  kerberos::UseLoopbackKdc(forests->realms(), forests->kdc().port());
  std::vector<std::string> services;
  for (std::uint32_t realm = 0; realm < 2; ++realm) {
    const NewAccount user{.name = realm == 0 ? "ada" : "bob", .password = "Kq7-u2m"};
    DT_ASSERT_OK(forests->accounts().Add(realm, {&user, 1}));
    services.push_back(std::string(kIwaService) + "@" + forests->realms()[realm]);
    DT_ASSERT_OK(forests->AddService(services.back()));
  }
  DT_ASSERT_OK(forests->WriteKeytab(run / "iwa.keytab", services));
  const auto acceptor =
      kerberos::Acceptor::Create({run / "iwa.keytab", run / "iwa.rcache"}).value();
  for (std::uint32_t realm = 0; realm < 2; ++realm) {
    const std::string principal = (realm == 0 ? "ada@" : "bob@") + forests->realms()[realm];
    const auto credentials = Credentials::FromPassword(principal, "Kq7-u2m");
    DT_ASSERT_OK(credentials);
    const auto exchange = Initiator::Start(*credentials, kIwaService, {});
    DT_ASSERT_OK(exchange);
    const auto accepted = acceptor->Accept(exchange->token(), {});
    DT_ASSERT_OK(accepted);
    EXPECT_EQ(accepted->identity.principal, principal);
    EXPECT_EQ(accepted->identity.domain_sid, DomainSid(forests->view().realms()[realm]));
    const auto abroad = Initiator::Start(*credentials, services[1 - realm], {});
    EXPECT_EQ(FailureOf(abroad.status()), Failure::kUnknownService);
  }
  EXPECT_EQ(FailureOf(Credentials::FromPassword("ada@PARTNER.TEST", "Kq7-u2m").status()),
            Failure::kUnknownAccount);
  kerberos::UseLoopbackKdc({}, 0);
}

}  // namespace
}  // namespace devicetrust::simulator
