// An environment of two forests: one org, one CA, one gateway and one IWA serve both.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "devicetrust/org/v1/authentication.grpc.pb.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "simulator/deployment/environment.h"
#include "simulator/report/progress.h"
#include "simulator/scenario/enroll_phase.h"

namespace devicetrust {
namespace {

namespace v1 = org::v1;

simulator::FleetSpec TwoForests() {
  simulator::FleetSpec spec;
  spec.devices = 6;
  spec.forests = {{.domains = {{"corp.test", "CORP"}}}, {.domains = {{"partner.test", "PTNR"}}}};
  return spec;
}

simulator::FleetSpec OneTrustsTheOther() {
  simulator::FleetSpec spec = TwoForests();
  spec.trusts = {{.trusting = "corp.test", .trusted = "partner.test"}};
  return spec;
}

class TwoForestsTest : public ::testing::Test {
 protected:
  explicit TwoForestsTest(const simulator::FleetSpec& spec = TwoForests())
      : fleet_(simulator::MakeFleet(spec)) {}
  void SetUp() override {
    simulator::EnvironmentConfig config;
    config.run_dir = folder_.path();
    auto environment = simulator::Environment::Start(config, fleet_, clock_, random_);
    DT_ASSERT_OK(environment);
    environment_ = *std::move(environment);
    const auto endpoints = environment_->DescribeEndpoints();
    DT_ASSERT_OK(endpoints);
    const pki::ExportableIdentity& gateway = environment_->pki().Component("gateway-1");
    org_ = v1::AuthenticationService::NewStub(rpc::NewChannel(
        {endpoints->grpc.at("policy.internal").address, "policy.devicetrust.internal",
         environment_->pki().deployment_ca().certificate.Pem(),
         rpc::Identity{gateway.certificate.Pem(), gateway.key.Pem()}}));
  }
  void EverybodyEnrolls() {
    simulator::EnrollConfig config;
    config.fleet = &fleet_;
    config.forests = &environment_->forests();
    config.org_url = environment_->org_origin();
    config.org_trust_pem = environment_->pki().web_ca().certificate.Pem();
    config.clock = &clock_;
    config.random = &random_;
    config.threads = 2;
    simulator::Meter meter("enroll", fleet_.domain_joined);
    simulator::EnrollPhase phase(std::move(config), meter);
    DT_ASSERT_OK(phase.Run(phase.AllOf(), meter));
    EXPECT_EQ(phase.issued(), fleet_.domain_joined);
    for (const simulator::EnrollRecord& record : phase.records())
      EXPECT_TRUE(record.good) << record.why;
  }
  absl::StatusOr<v1::StartSessionResponse> SignIn(const std::string& name,
                                                  const std::string& password) {
    v1::StartSessionRequest request;
    request.set_principal(name);
    request.set_password(password);
    request.mutable_client()->set_address("192.0.2.1");
    return rpc::Call(*org_, &v1::AuthenticationService::Stub::StartSession, request,
                     std::chrono::seconds(10));
  }

  const testing::TempFolder folder_;
  const SystemClock clock_;
  SystemRandom random_;
  const WallTime begun_ = clock_.Now() - std::chrono::seconds(1);
  const simulator::Fleet fleet_;
  std::unique_ptr<simulator::Environment> environment_;
  std::unique_ptr<v1::AuthenticationService::Stub> org_;
};

TEST_F(TwoForestsTest, ComputersOfBothEnroll) { EverybodyEnrolls(); }

TEST_F(TwoForestsTest, UsersOfBothSignInWithTheirPasswords) {
  for (const simulator::FleetUser& user : fleet_.users) {
    const auto session = SignIn(user.principal, user.password);
    DT_ASSERT_OK(session);
    EXPECT_EQ(session->user().principal(), user.principal);
  }
  const simulator::FleetUser& guest = fleet_.users[1];
  EXPECT_EQ(guest.principal, "user1@partner.test");
  DT_EXPECT_OK(SignIn("PTNR\\" + guest.account_name, guest.password));
  DT_EXPECT_OK(SignIn(fleet_.users[0].account_name, fleet_.users[0].password));
  // Their own directory does not know them by a name of the other forest.
  EXPECT_EQ(rpc::ReasonName(SignIn("CORP\\" + guest.account_name, guest.password).status()),
            "PASSWORD_WRONG");
}

// The person learns no more than from a wrong password; the administrator finds out why.
TEST_F(TwoForestsTest, AUserOfAnUnknownSuffixIsRefused) {
  const auto refused = SignIn("user1@elsewhere.test", fleet_.users[1].password);
  EXPECT_EQ(rpc::ReasonName(refused.status()), "PASSWORD_WRONG");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  org::v1::EventFilter filter;
  *filter.mutable_since() = rpc::ToTimestamp(begun_);
  filter.add_types("user.session.start");
  std::vector<std::string> reasons;
  while (reasons.empty() && std::chrono::steady_clock::now() < deadline) {
    DT_ASSERT_OK(environment_->admin().ForEachEvent(
        filter, [&](const org::v1::Event& event) { reasons.push_back(event.outcome().reason()); }));
  }
  EXPECT_EQ(reasons, std::vector<std::string>{"UNTRUSTED_FOREST"});
}

class TrustedForestTest : public TwoForestsTest {
 protected:
  TrustedForestTest() : TwoForestsTest(OneTrustsTheOther()) {}
};

// The IWA has a key in its own forest alone: those of the other come across the trust.
TEST_F(TrustedForestTest, ComputersOfTheOtherForestEnrollAcrossTheTrust) {
  const simulator::AccountView& accounts = environment_->forests().view();
  EXPECT_TRUE(accounts.FindPrincipal("HTTP/iwa.corp.test@CORP.TEST"));
  EXPECT_FALSE(accounts.FindPrincipal("HTTP/iwa.corp.test@PARTNER.TEST"));
  EverybodyEnrolls();
}

}  // namespace
}  // namespace devicetrust
