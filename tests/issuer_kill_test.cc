// dt-ca is killed again and again while one issuer follows the other: what was acknowledged stands,
// exactly one issuer is active, and it certifies.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "devicetrust/ca/v1/ca.grpc.pb.h"
#include "libs/admin/admin_client.h"
#include "libs/base/encoding.h"
#include "libs/base/wait_until.h"
#include "libs/pki/certificate_validator.h"
#include "libs/pki/csr.h"
#include "libs/rpc/channel.h"
#include "libs/testing/status.h"
#include "tests/test_deployment.h"

namespace devicetrust::tests {
namespace {

constexpr int kKills = 12;
constexpr std::chrono::seconds kUntilDone{60};
constexpr std::chrono::milliseconds kLookEvery{2};

class IssuerKill : public ::testing::Test {
 protected:
  void SetUp() override {
    auto created = TestDeployment::CreateRunning();
    DT_ASSERT_OK(created);
    deployment_ = *std::move(created);
  }

  std::unique_ptr<admin::AdminClient> Admin() {
    return std::make_unique<admin::AdminClient>(
        admin::Channels{deployment_->OrgAs(deployment_->admin()),
                        deployment_->CaAs(deployment_->admin())},
        admin::AdminConfig{.name = "admin:test"});
  }

  // One after the other, until dt-ca is gone; remembers what was acknowledged.
  void RollOverUntilKilled() {
    const auto admin = Admin();
    std::string before = active_;
    while (true) {
      const auto added = admin->AddIssuer("");
      if (!added.ok()) return;
      added_.insert(added->id());
      ++steps_;
      maybe_active_ = added->id();
      if (!admin->ActivateIssuer(added->id(), /*force=*/true).ok()) return;
      active_ = added->id();
      ++steps_;
      maybe_retired_ = before;
      if (!admin->RetireIssuer(before, /*force=*/true).ok()) return;
      retired_.insert(before);
      ++steps_;
      before = active_;
    }
  }

  // After a restart.
  void Check() {
    // A channel takes its time to come back after a kill.
    absl::StatusOr<ca::v1::ListIssuersResponse> all;
    DT_ASSERT_OK(WaitUntil(
        [&]() -> absl::StatusOr<bool> {
          all = Admin()->ListIssuers();
          return all.ok();
        },
        kLookEvery, kUntilDone));
    std::set<std::string> ids;
    int active = 0;
    for (const auto& issuer : all->issuers()) {
      EXPECT_TRUE(ids.insert(issuer.id()).second);
      if (issuer.state() != ca::v1::ISSUER_STATE_ACTIVE) continue;
      ++active;
      EXPECT_TRUE(issuer.id() == active_ || issuer.id() == maybe_active_) << issuer.id();
      active_ = issuer.id();
    }
    EXPECT_EQ(active, 1);
    for (const std::string& id : added_) {
      if (id == maybe_retired_) continue;  // Its answer was lost: both are right.
      if (retired_.contains(id)) {
        EXPECT_FALSE(ids.contains(id)) << id;
      }
      // One that was active and certified nobody goes by itself.
      if (certified_.contains(id) && !retired_.contains(id)) {
        EXPECT_TRUE(ids.contains(id)) << id;
      }
    }
    if (!ids.contains(maybe_retired_)) retired_.insert(maybe_retired_);
  }

  // The active issuer certifies, by its own key.
  void Enroll(int person) {
    const auto key = pki::PrivateKey::Generate();
    DT_ASSERT_OK(key);
    ca::v1::EnrollRequest request;
    request.set_user_token(deployment_->UserToken(person, key->public_key()).value());
    request.set_csr_der(ToString(pki::BuildCsr("pc", *key).value()));
    const auto stub = ca::v1::EnrollmentService::NewStub(deployment_->CaEdge());
    absl::StatusOr<ca::v1::EnrollResponse> enrolled;
    DT_ASSERT_OK(WaitUntil(
        [&]() -> absl::StatusOr<bool> {
          enrolled = rpc::Call(*stub, &ca::v1::EnrollmentService::Stub::Enroll, request);
          return !absl::IsUnavailable(enrolled.status());
        },
        kLookEvery, kUntilDone));
    DT_ASSERT_OK(enrolled);
    const auto leaf = pki::Certificate::FromDer(AsBytes(enrolled->certificate_der()));
    const auto issuer = pki::Certificate::FromDer(AsBytes(enrolled->chain_der(0)));
    DT_ASSERT_OK(leaf);
    DT_ASSERT_OK(issuer);
    EXPECT_TRUE(pki::IsIssuedBy(*leaf, *issuer));
    EXPECT_EQ(HexEncode(issuer->subject_key_id()), active_);
    certified_.insert(active_);
  }

  std::unique_ptr<TestDeployment> deployment_;
  std::atomic<int> steps_{0};
  std::set<std::string> added_;  // Acknowledged, as the next two.
  std::set<std::string> retired_;
  std::set<std::string> certified_;
  std::string active_;
  std::string maybe_active_;  // Asked for; the answer may have been lost.
  std::string maybe_retired_;
};

TEST_F(IssuerKill, WhatWasAcknowledgedStandsAndOneIsActive) {
  active_ = Admin()->ListIssuers()->issuers(0).id();
  added_.insert(active_);
  for (int kill = 0; kill < kKills; ++kill) {
    const int until = steps_ + 1 + kill % 4;
    std::thread administrator([this] { RollOverUntilKilled(); });
    DT_EXPECT_OK(WaitUntil([&]() -> absl::StatusOr<bool> { return steps_ >= until; }, kLookEvery,
                           kUntilDone));
    deployment_->Kill("dt-ca");
    administrator.join();
    DT_ASSERT_OK(deployment_->StartCa());
    Check();
    Enroll(kill % TestDeployment::kPeople);
  }
  EXPECT_GE(retired_.size(), 1U);
}

}  // namespace
}  // namespace devicetrust::tests
