// The CA changes its issuer, or goes away and comes back, while people sign in to an app that wants
// a trusted device: the gateway goes on, and trusts whom it should.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "devicetrust/ca/v1/ca.grpc.pb.h"
#include "libs/admin/admin_client.h"
#include "libs/base/files.h"
#include "libs/base/run_task.h"
#include "libs/base/wait_until.h"
#include "libs/pki/csr.h"
#include "libs/rpc/channel.h"
#include "libs/testing/soft_hsm.h"
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
constexpr std::size_t kLogBytesMax = std::size_t{64} << 20;

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

  // Whether that many are what it took last, by its log.
  absl::StatusOr<bool> GatewayKnowsIssuers(int count) {
    DT_ASSIGN_OR_RETURN(const std::string log,
                        ReadFile(deployment_->folder() + "/gateway-1.log", kLogBytesMax));
    const std::size_t last = log.rfind("\"gateway.issuers.changed\"");
    if (last == std::string::npos) return false;
    return log.substr(last, log.find('\n', last) - last)
               .find(fmt::format("\"issuers\":{}", count)) != std::string::npos;
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

// Enrollments and sign-ins go on all the time while one issuer follows the other: none is refused.
TEST_F(CaChangeTest, NobodysSignInFailsWhileOneIssuerFollowsTheOther) {
  DT_ASSERT_OK(deployment_->StartCa());
  StartGateway();
  const auto before = Enroll(0);
  DT_ASSERT_OK(before);
  DT_ASSERT_OK(UntilItEnds(*before, /*allowed=*/true));

  std::atomic<bool> enough{false};
  std::atomic<int> enrolled{0};
  std::vector<absl::Status> ends(3);
  const auto allowed = [this](const Device& device) -> absl::Status {
    DT_ASSIGN_OR_RETURN(const VisitEnd end, SignIn(device));
    return end.allowed ? absl::OkStatus() : absl::PermissionDeniedError("refused: " + end.code);
  };
  std::vector<std::thread> people;
  for (std::size_t i = 0; i < 2; ++i) {
    people.emplace_back([&, i] {
      while (!enough && ends[i].ok()) ends[i] = allowed(*before);
    });
  }
  people.emplace_back([&] {  // A new computer each time: whoever certifies it, it gets in.
    for (int person = 1; !enough && ends[2].ok(); person = person % 7 + 1) {
      const auto device = Enroll(person);
      ends[2] = device.ok() ? allowed(*device) : device.status();
      ++enrolled;
    }
  });

  const auto added = admin_->AddIssuer("");
  DT_EXPECT_OK(added);
  DT_EXPECT_CODE(admin_->ActivateIssuer(added->id(), /*force=*/false), kFailedPrecondition);
  DT_EXPECT_OK(WaitUntil([this] { return GatewayKnowsIssuers(2); }, kSignInEvery, kSignInPatience));
  DT_EXPECT_OK(admin_->ActivateIssuer(added->id(), /*force=*/true));
  const int at_change = enrolled;
  DT_EXPECT_OK(WaitUntil([&]() -> absl::StatusOr<bool> { return enrolled >= at_change + 10; },
                         kSignInEvery, kSignInPatience));
  const auto after = Enroll(1);
  enough = true;
  for (std::thread& person : people) person.join();
  for (const absl::Status& end : ends) DT_EXPECT_OK(end);
  DT_ASSERT_OK(after);
  EXPECT_NE(after->issuer_der, before->issuer_der);
  DT_EXPECT_OK(allowed(*after));

  // What the old issuer signed is revoked as ever.
  DT_ASSERT_OK(admin_->RevokeCertificate(before->identity.certificate.serial_hex(),
                                         ca::v1::REVOCATION_REASON_SUPERSEDED));
  DT_EXPECT_OK(UntilItEnds(*before, /*allowed=*/false));
  DT_EXPECT_OK(allowed(*after));

  // An issuer that somebody insists on retiring is trusted nowhere from then on.
  const auto issuers = admin_->ListIssuers();
  DT_ASSERT_OK(issuers);
  ASSERT_EQ(issuers->issuers_size(), 2);
  const std::string old_id = issuers->issuers(1).id();
  DT_EXPECT_CODE(admin_->RetireIssuer(old_id, /*force=*/false), kFailedPrecondition);
  DT_ASSERT_OK(admin_->RetireIssuer(old_id, /*force=*/true));
  DT_EXPECT_OK(WaitUntil([this] { return GatewayKnowsIssuers(1); }, kSignInEvery, kSignInPatience));
  DT_EXPECT_OK(allowed(*after));
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

TEST_F(CaChangeTest, IssuesWithAKeyInATokenOverRestarts) {
  if (!testing::SoftHsm::IsInstalled()) GTEST_SKIP() << "softhsm2 is not installed";
  testing::SoftHsm& hsm = testing::SoftHsm::Shared();
  const auto key = pki::PrivateKey::Generate();
  DT_ASSERT_OK(key);
  hsm.Import("token-1", "0A", "issuing", key->Pem());
  ca::Config config = deployment_->CaConfig();
  config.ca_key = "pkcs11:token=token-1;id=%0A";
  config.pkcs11_module = hsm.module();
  config.pkcs11_pin_file = hsm.pin_file();
  DT_ASSERT_OK(deployment_->StartCa(config));
  StartGateway();
  const auto before = Enroll(0);
  DT_ASSERT_OK(before);
  const auto issuer = pki::Certificate::FromDer(before->issuer_der);
  DT_ASSERT_OK(issuer);
  EXPECT_EQ(*issuer->public_key(), key->public_key());
  DT_EXPECT_OK(UntilItEnds(*before, /*allowed=*/true));

  deployment_->Kill("dt-ca");
  DT_ASSERT_OK(deployment_->StartCa(config));
  const auto after = Enroll(1);
  DT_ASSERT_OK(after);
  EXPECT_EQ(after->issuer_der, before->issuer_der);

  // A wrong PIN is a clear refusal to start; the right one is taken afterwards.
  deployment_->Kill("dt-ca");
  const std::string right = config.pkcs11_pin_file;
  config.pkcs11_pin_file = deployment_->folder() + "/wrong.pin";
  DT_ASSERT_OK(WriteFileAtomically(config.pkcs11_pin_file, "0000\n"));
  const absl::Status refused = deployment_->StartCa(config);
  EXPECT_NE(refused.message().find("does not take the PIN"), std::string::npos) << refused;
  config.pkcs11_pin_file = right;
  DT_ASSERT_OK(deployment_->StartCa(config));
  DT_EXPECT_OK(Enroll(2));
}

}  // namespace
}  // namespace devicetrust::tests
