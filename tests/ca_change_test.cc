// The CA changes its issuer, or goes away and comes back, while people sign in to an app that wants
// a trusted device: the gateway goes on, and trusts whom it should.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "ca-service/ca_server.h"
#include "devicetrust/ca/v1/ca.grpc.pb.h"
#include "libs/admin/admin_client.h"
#include "libs/base/run_task.h"
#include "libs/base/wait_until.h"
#include "libs/pki/csr.h"
#include "libs/rpc/channel.h"
#include "libs/testing/status.h"
#include "simulator/browser/visit.h"
#include "simulator/deployment/app_suite.h"
#include "simulator/deployment/org_setup.h"
#include "tests/test_deployment.h"

namespace devicetrust::tests {
namespace {

using simulator::VisitEnd;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kSignInPatience{60};
constexpr milliseconds kSignInEvery{100};

// A certificate with its key, on a computer of the person of that number.
struct Device {
  int person = 0;
  pki::Identity identity;
  Bytes issuer_der;
};

class CaChangeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto created = TestDeployment::Create();
    DT_ASSERT_OK(created);
    deployment_ = *std::move(created);
    DT_ASSERT_OK(deployment_->StartPolicy());
    DT_ASSERT_OK(deployment_->SetUpOrg());
    admin_ = std::make_unique<admin::AdminClient>(
        admin::Channels{deployment_->OrgAs(deployment_->admin()),
                        deployment_->CaAs(deployment_->admin())},
        admin::AdminConfig{.name = "admin:test"});
    for (const org::v1::App& app : apps_.Registrations(simulator::TrustedOnly())) {
      DT_ASSERT_OK(simulator::RegisterApp(*admin_, app));
    }
    auto tls = pki::TlsContext::ForClient({.trusted = {deployment_->web_ca()}, .clock = &clock_});
    DT_ASSERT_OK(tls);
    tls_ = std::make_unique<pki::TlsContext>(*std::move(tls));
  }

  // After the CA.
  void StartGateway() {
    DT_ASSERT_OK(deployment_->StartGateway("gateway-1"));
    const std::string address = deployment_->Address("gateway-1-org");
    const std::string origin = "https://org.localhost" + address.substr(address.rfind(':'));
    DT_ASSERT_OK(apps_.Connect(origin, origin + "/saml/metadata", {deployment_->web_ca()}));
  }

  absl::StatusOr<Device> Enroll(int person) {
    DT_ASSIGN_OR_RETURN(const pki::PrivateKey key, pki::PrivateKey::Generate());
    ca::v1::EnrollRequest request;
    DT_ASSIGN_OR_RETURN(*request.mutable_user_token(),
                        deployment_->UserToken(person, key.public_key()));
    DT_ASSIGN_OR_RETURN(const Bytes csr, pki::BuildCsr("pc", key));
    request.set_csr_der(ToString(csr));
    const auto stub = ca::v1::EnrollmentService::NewStub(deployment_->CaEdge());
    DT_ASSIGN_OR_RETURN(
        const ca::v1::EnrollResponse response,
        rpc::Call(*stub, &ca::v1::EnrollmentService::Stub::Enroll, request, seconds(10)));
    DT_ASSIGN_OR_RETURN(pki::Certificate certificate,
                        pki::Certificate::FromDer(AsBytes(response.certificate_der())));
    const auto issuer = AsBytes(response.chain_der(0));
    return Device{person, {std::move(certificate), key}, {issuer.begin(), issuer.end()}};
  }

  // One sign-in of the device's person in a new browser on it. Thread-safe.
  absl::StatusOr<VisitEnd> SignIn(const Device& device) {
    simulator::FleetUser user;
    user.account_name = fmt::format("user{}", device.person);
    user.principal = user.account_name + "@corp.test";
    user.password = fmt::format("Pw-{}", device.person);
    simulator::StepTimes times{};
    simulator::Visit visit;
    visit.app = apps_.pointers().at(0);
    visit.user = &user;
    visit.relay_state = fmt::format("visit-{}", ++visits_);  // By which the app tells them apart.
    visit.clock = &clock_;
    visit.times = &times;
    return RunTask(InNewBrowser({tls_.get(), user_agent_, &device.identity}, std::move(visit)));
  }
  static Task<absl::StatusOr<VisitEnd>> InNewBrowser(simulator::BrowserConfig config,
                                                     simulator::Visit visit) {
    simulator::Browser browser(config);
    visit.browser = &browser;
    co_return co_await simulator::OpenApp(std::move(visit));
  }

  // Until a sign-in ends so.
  absl::Status UntilItEnds(const Device& device, bool allowed) {
    const auto done = [&]() -> absl::StatusOr<bool> {
      DT_ASSIGN_OR_RETURN(const VisitEnd end, SignIn(device));
      return end.allowed == allowed;
    };
    return WaitUntil(done, kSignInEvery, kSignInPatience);
  }

  std::atomic<int> visits_{0};
  SystemClock clock_;
  SystemRandom random_;
  const std::string user_agent_ = simulator::MakeFleet({.devices = 1}).devices.at(0).user_agent;
  simulator::AppSuite apps_{"", clock_, random_};
  std::unique_ptr<TestDeployment> deployment_;
  std::unique_ptr<admin::AdminClient> admin_;
  std::unique_ptr<pki::TlsContext> tls_;
};

TEST_F(CaChangeTest, ANewIssuerIsTakenByTheRunningGatewayAndDevicesOfBothSignIn) {
  auto ca = ca::CaServer::Create(deployment_->CaConfig(), clock_, random_);
  DT_ASSERT_OK(ca);
  StartGateway();
  const auto before = Enroll(0);
  DT_ASSERT_OK(before);
  DT_ASSERT_OK(UntilItEnds(*before, /*allowed=*/true));

  const auto added = (*ca)->issuers().Add();
  DT_ASSERT_OK(added);
  DT_ASSERT_OK((*ca)->issuers().Activate(*added));
  const auto after = Enroll(1);
  DT_ASSERT_OK(after);
  EXPECT_NE(after->issuer_der, before->issuer_der);
  DT_EXPECT_OK(UntilItEnds(*after, /*allowed=*/true));
  const auto old_device = SignIn(*before);
  DT_ASSERT_OK(old_device);
  EXPECT_TRUE(old_device->allowed);

  // What the old issuer signed is revoked as ever.
  ca::v1::RevokeCertificateRequest revoke;
  revoke.set_serial(before->identity.certificate.serial_hex());
  const auto stub =
      ca::v1::CertificateAdminService::NewStub(deployment_->CaAs(deployment_->admin()));
  DT_ASSERT_OK(rpc::Call(*stub, &ca::v1::CertificateAdminService::Stub::RevokeCertificate, revoke));
  DT_EXPECT_OK(UntilItEnds(*before, /*allowed=*/false));
  const auto new_device = SignIn(*after);
  DT_ASSERT_OK(new_device);
  EXPECT_TRUE(new_device->allowed);
}

TEST_F(CaChangeTest, WhileTheCaIsGoneSignInsEndInARefusalAndAfterwardsInTheAppAgain) {
  DT_ASSERT_OK(deployment_->StartCa());
  StartGateway();
  std::vector<Device> devices;
  for (int person = 0; person < 3; ++person) {
    auto device = Enroll(person);
    DT_ASSERT_OK(device);
    devices.push_back(*std::move(device));
  }
  for (const Device& device : devices) DT_ASSERT_OK(UntilItEnds(device, /*allowed=*/true));

  // Sign-ins are under way all the time: none ends in an error.
  std::atomic<bool> enough{false};
  std::vector<absl::Status> ends(2);
  std::vector<std::thread> people;
  for (std::size_t i = 0; i < ends.size(); ++i) {
    people.emplace_back([&, i] {
      while (!enough && ends[i].ok()) ends[i] = SignIn(devices[i]).status();
    });
  }
  deployment_->Kill("dt-ca");
  DT_EXPECT_OK(UntilItEnds(devices[2], /*allowed=*/false));
  DT_EXPECT_OK(deployment_->StartCa());
  DT_EXPECT_OK(UntilItEnds(devices[2], /*allowed=*/true));
  enough = true;
  for (std::thread& person : people) person.join();
  for (const absl::Status& end : ends) DT_EXPECT_OK(end);
}

}  // namespace
}  // namespace devicetrust::tests
