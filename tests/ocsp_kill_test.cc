// dt-ca is killed again and again while certificates are revoked and others ask OCSP: no answer
// ever says good about what was acknowledged as revoked, and the responder's key stays the same.
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "ca-service/ocsp_fixture.h"
#include "devicetrust/ca/v1/ca.grpc.pb.h"
#include "libs/base/run_task.h"
#include "libs/base/wait_until.h"
#include "libs/http/client.h"
#include "libs/pki/csr.h"
#include "libs/rpc/channel.h"
#include "libs/testing/status.h"
#include "tests/test_deployment.h"

namespace devicetrust::tests {
namespace {

using Single = ca::ReadOcspAnswer::Single;
using ca::v1::CertificateAdminService;

constexpr std::size_t kAsked = 24;
constexpr std::chrono::seconds kUntilBack{60};

class OcspKill : public ::testing::Test {
 protected:
  void SetUp() override {
    auto created = TestDeployment::CreateRunning();
    DT_ASSERT_OK(created);
    deployment_ = *std::move(created);
    const auto edge = ca::v1::EnrollmentService::NewStub(deployment_->CaEdge());
    for (std::size_t i = 0; i < kAsked; ++i) {
      const auto key = pki::PrivateKey::Generate().value();
      const int person = static_cast<int>(i) % TestDeployment::kPeople;
      ca::v1::EnrollRequest request;
      request.set_user_token(deployment_->UserToken(person, key.public_key()).value());
      request.set_csr_der(ToString(pki::BuildCsr("pc", key).value()));
      const auto enrolled = rpc::Call(*edge, &ca::v1::EnrollmentService::Stub::Enroll, request);
      DT_ASSERT_OK(enrolled);
      const auto leaf = pki::Certificate::FromDer(AsBytes(enrolled->certificate_der())).value();
      const auto issuer = pki::Certificate::FromDer(AsBytes(enrolled->chain_der(0))).value();
      serials_.push_back(leaf.serial_hex());
      requests_.push_back(ca::OcspRequestAbout({ca::CertIdOf(issuer, leaf.serial_hex())}));
    }
  }

  // Nothing while dt-ca is away, and while it says to try later.
  std::optional<ca::ReadOcspAnswer> Ask(std::size_t number) {
    http::ClientOptions options;
    options.address = deployment_->Address("ca-http");
    options.host = "pki.example.com";
    http::ClientRequest request;
    request.method = "POST";
    request.target = "/ocsp";
    request.body = ToString(requests_[number]);
    const auto answer = RunTask(http::Fetch(options, std::move(request)));
    if (!answer.ok() || answer->status != 200) return std::nullopt;
    ca::ReadOcspAnswer read = ca::ReadOcsp(AsBytes(answer->body));
    if (read.response_status != 0) return std::nullopt;
    const std::lock_guard lock(mutex_);
    delegates_.insert(read.delegate->serial_hex());
    return read;
  }

  // Asks about all of them in turn, and counts the answers that are lies.
  void AskOn() {
    while (acknowledged_ < kAsked) {
      for (std::size_t i = 0; i < kAsked; ++i) {
        const bool must_be_revoked = i < acknowledged_;
        const auto answer = Ask(i);
        if (!answer) continue;
        ++answers_;
        if (must_be_revoked && answer->singles.at(0).status != Single::kRevoked) ++lies_;
      }
    }
  }

  // Revokes one after the other, each until it is acknowledged.
  void RevokeAll() {
    const auto channel = deployment_->CaAs(deployment_->admin());
    const auto stub = CertificateAdminService::NewStub(channel);
    const auto end = std::chrono::steady_clock::now() + kUntilBack;
    for (const std::string& serial : serials_) {
      ca::v1::RevokeCertificateRequest revoke;
      revoke.set_serial(serial);
      revoke.set_requested_by("admin:test");
      while (!rpc::Call(*stub, &CertificateAdminService::Stub::RevokeCertificate, revoke).ok() &&
             std::chrono::steady_clock::now() < end) {
        channel->WaitForConnected(
            gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(5, GPR_TIMESPAN)));
      }
      ++acknowledged_;
    }
  }

  std::unique_ptr<TestDeployment> deployment_;
  std::vector<std::string> serials_;
  std::vector<Bytes> requests_;
  std::atomic<std::size_t> acknowledged_{0};  // So many, from the first.
  std::atomic<int> answers_{0};
  std::atomic<int> lies_{0};
  std::mutex mutex_;
  std::set<std::string> delegates_;
};

TEST_F(OcspKill, NoAnswerIsOlderThanAnAcknowledgedRevocation) {
  for (std::size_t i = 0; i < kAsked; ++i) {
    const auto answer = Ask(i);
    ASSERT_TRUE(answer.has_value());
    ASSERT_EQ(answer->singles.at(0).status, Single::kGood);
  }
  std::jthread asker([this] { AskOn(); });
  std::jthread revoker([this] { RevokeAll(); });
  for (const std::size_t after : {4, 9, 14, 19}) {
    DT_ASSERT_OK(WaitUntil([&]() -> absl::StatusOr<bool> { return acknowledged_ >= after; },
                           std::chrono::milliseconds(1), kUntilBack));
    deployment_->Kill("dt-ca");
    DT_EXPECT_OK(deployment_->StartCa());
  }
  revoker.join();
  asker.join();
  EXPECT_EQ(lies_, 0);
  EXPECT_GT(answers_, 0);
  for (std::size_t i = 0; i < kAsked; ++i) {
    const auto answer = Ask(i);
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->singles.at(0).status, Single::kRevoked) << i;
  }
  EXPECT_EQ(delegates_.size(), 1U);  // Out of the store after each restart.
}

}  // namespace
}  // namespace devicetrust::tests
