#include "simulator/deployment/app_suite.h"

#include <gtest/gtest.h>

#include "libs/throwaway/seeded_random.h"

namespace devicetrust::simulator {
namespace {

TEST(AppSuiteTest, RegistersItsAppsUnderTheirAddresses) {
  const SystemClock clock;
  throwaway::SeededRandom random(7);
  const AppSuite suite("https://apps.localhost:1", clock, random);
  const auto apps = suite.Registrations(FiveRuleExample());
  ASSERT_EQ(apps.size(), 4u);
  EXPECT_EQ(apps[0].id(), "mail");
  EXPECT_EQ(apps[0].saml().acs(0).url(), "https://apps.localhost:1/mail/acs");
  EXPECT_EQ(apps[0].rules_size(), 4);
}

TEST(AppSuiteTest, RegistersOfficeAsTheKindThatTellsClientsApart) {
  const SystemClock clock;
  throwaway::SeededRandom random(7);
  const AppSuite suite("https://apps.localhost:1", clock, random);
  const org::v1::App office = suite.OfficeRegistration(FiveRuleExample());
  EXPECT_TRUE(office.has_client_conditions());
  EXPECT_EQ(office.ws_fed().reply_urls(0), "https://apps.localhost:1/office/wsfed");
  EXPECT_EQ(office.ws_fed().claims(), org::v1::WsFedRelyingParty::CLAIMS_OFFICE_365);
}

}  // namespace
}  // namespace devicetrust::simulator
