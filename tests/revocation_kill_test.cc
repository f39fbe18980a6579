// dt-ca is killed again and again while certificates are revoked, put on hold and released: what
// was acknowledged stands afterwards, on the list and in the feed, and no number goes back.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "ca-service/crl_publisher.h"
#include "ca-service/crl_shards.h"
#include "ca-service/migrations.h"
#include "devicetrust/ca/v1/ca.grpc.pb.h"
#include "libs/base/encoding.h"
#include "libs/base/run_task.h"
#include "libs/base/wait_until.h"
#include "libs/http/client.h"
#include "libs/pki/crl.h"
#include "libs/pki/csr.h"
#include "libs/rpc/channel.h"
#include "libs/testing/status.h"
#include "tests/test_deployment.h"

namespace devicetrust::tests {
namespace {

using ca::v1::CertificateAdminService;
using ca::v1::RevocationFeedService;

constexpr std::size_t kVictims = 24;
constexpr std::chrono::seconds kUntilItIsBack{60};

class RevocationKill : public ::testing::Test {
 protected:
  void SetUp() override {
    auto created = TestDeployment::CreateRunning();
    DT_ASSERT_OK(created);
    deployment_ = *std::move(created);
  }

  void Enroll(std::size_t count) {
    serials_.clear();
    const auto edge = ca::v1::EnrollmentService::NewStub(deployment_->CaEdge());
    for (std::size_t i = 0; i < count; ++i) {
      const auto key = pki::PrivateKey::Generate().value();
      const int person = static_cast<int>(i) % TestDeployment::kPeople;
      ca::v1::EnrollRequest request;
      request.set_user_token(deployment_->UserToken(person, key.public_key()).value());
      request.set_csr_der(ToString(pki::BuildCsr("pc", key).value()));
      const auto enrolled = rpc::Call(*edge, &ca::v1::EnrollmentService::Stub::Enroll, request);
      DT_ASSERT_OK(enrolled);
      const auto leaf = pki::Certificate::FromDer(AsBytes(enrolled->certificate_der())).value();
      issuer_ = pki::Certificate::FromDer(AsBytes(enrolled->chain_der(0))).value();
      serials_.push_back(leaf.serial_hex());
    }
  }
  // What a store has grown to once each new certificate names the list of a part, and delta lists
  // stand beside the complete one. While dt-ca is down.
  void GrowStore() {
    const auto store = db::Database::Open(deployment_->CaConfig().database, ca::Migrations());
    DT_ASSERT_OK(store);
    const std::int64_t now = UnixSeconds(SystemClock().Now());
    DT_ASSERT_OK((*store)->Write([&](db::Transaction& txn) {
      return txn
          .Run(
              "INSERT INTO certificates (serial, issuer_id, enrollment_id, device_id, user_id,"
              " user_sid, principal, key_thumbprint, issued_at, not_after, der, revoked_at,"
              " reason, revocation_sequence)"
              " WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)"
              " SELECT printf('01%08x%030x', i, i), $2, '', '', '', '', '', '', $3, $4, x'00',"
              " CASE WHEN i <= $5 THEN $3 END, CASE WHEN i <= $5 THEN $6 END,"
              " CASE WHEN i <= $5 THEN i END FROM n",
              {ca::CrlShards::Options().first_after, HexEncode(issuer_->subject_key_id()), now,
               now + 86400, static_cast<std::int64_t>(ca::kLargeCrl) + 1,
               static_cast<std::int64_t>(ca::v1::REVOCATION_REASON_SUPERSEDED)})
          .status();
    }));
  }

  // Until it is acknowledged, however often dt-ca dies meanwhile.
  template <typename Request, typename Response>
  void Insist(grpc::Status (CertificateAdminService::Stub::*method)(grpc::ClientContext*,
                                                                    const Request&, Response*),
              Request request) {
    request.set_requested_by("admin:test");
    const auto channel = deployment_->CaAs(deployment_->admin());
    const auto stub = CertificateAdminService::NewStub(channel);
    const auto end = std::chrono::steady_clock::now() + kUntilItIsBack;
    while (true) {
      const absl::Status status = rpc::Call(*stub, method, request).status();
      if (status.ok()) break;
      ASSERT_TRUE(std::chrono::steady_clock::now() < end) << status;
      channel->WaitForConnected(
          gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(5, GPR_TIMESPAN)));
    }
    ++acknowledged_;
  }
  void Revoke(const std::string& serial, ca::v1::RevocationReason reason) {
    ca::v1::RevokeCertificateRequest request;
    request.set_serial(serial);
    request.set_reason(reason);
    Insist(&CertificateAdminService::Stub::RevokeCertificate, request);
  }
  void Release(const std::string& serial) {
    ca::v1::ReleaseHoldRequest request;
    request.set_serial(serial);
    Insist(&CertificateAdminService::Stub::ReleaseHold, request);
  }
  // Every third stays revoked, every third on hold, every third is released.
  void ChangeAll() {
    for (std::size_t i = 0; i < kVictims; ++i) {
      Revoke(serials_[i], i % 3 == 0 ? ca::v1::REVOCATION_REASON_SUPERSEDED
                                     : ca::v1::REVOCATION_REASON_CERTIFICATE_HOLD);
      if (i % 3 == 2) Release(serials_[i]);
    }
  }

  // What dt-ca serves as "ISSUER" + `suffix`.
  std::optional<pki::Crl> List(const std::string& suffix = "") {
    http::ClientOptions options;
    options.address = deployment_->Address("ca-http");
    options.host = "pki.example.com";
    http::ClientRequest request;
    request.target = "/crl/" + HexEncode(issuer_->subject_key_id()) + suffix + ".crl";
    const auto answer = RunTask(http::Fetch(options, std::move(request)));
    if (!answer.ok() || answer->status != 200) return std::nullopt;
    return pki::ParseCrl(AsBytes(answer->body), *issuer_).value();
  }
  // Fetches a list all the time, and counts where it goes back.
  void WatchList(const std::string& suffix) {
    pki::Crl last;
    int lists = 0;
    while (!enough_) {
      const auto list = List(suffix);
      if (!list) continue;
      if (list->base_number < last.base_number) ++steps_back_;
      const bool same = list->number == last.number && list->this_update == last.this_update;
      const bool later = list->number > last.number && list->this_update > last.this_update;
      if (!same && !later) ++steps_back_;
      if (!same) ++lists;
      last = *list;
    }
    EXPECT_GT(lists, 2) << suffix;
  }

  // Changes all, with those lists watched and dt-ca killed five times meanwhile.
  void ChangeAllUnderKills(const std::vector<std::string>& suffixes) {
    std::vector<std::jthread> watchers;
    for (const std::string& suffix : suffixes) {
      watchers.emplace_back([this, suffix] { WatchList(suffix); });
    }
    std::jthread changer([this] { ChangeAll(); });
    for (const std::size_t after : {3, 9, 15, 21, 27}) {
      DT_EXPECT_OK(WaitUntil([&]() -> absl::StatusOr<bool> { return acknowledged_ >= after; },
                             std::chrono::milliseconds(1), kUntilItIsBack));
      deployment_->Kill("dt-ca");
      DT_EXPECT_OK(deployment_->StartCa());
    }
    changer.join();
    enough_ = true;
    watchers.clear();
    EXPECT_EQ(steps_back_, 0);
  }
  using Reasons = std::map<std::string, pki::CrlReason>;  // By serial.
  Reasons Expected() {
    Reasons expected;
    for (std::size_t i = 0; i < kVictims; ++i) {
      if (i % 3 == 0) expected[serials_[i]] = pki::CrlReason::kSuperseded;
      if (i % 3 == 1) expected[serials_[i]] = pki::CrlReason::kCertificateHold;
    }
    return expected;
  }
  // What the list says, in words of a complete one.
  static void Apply(const std::optional<pki::Crl>& list, Reasons& reasons) {
    ASSERT_TRUE(list.has_value());
    for (const auto& entry : list->revoked) {
      if (entry.reason == pki::CrlReason::kRemoveFromCrl) {
        reasons.erase(entry.serial_hex);
      } else {
        reasons[entry.serial_hex] = entry.reason;
      }
    }
  }

  std::unique_ptr<TestDeployment> deployment_;
  std::optional<pki::Certificate> issuer_;
  std::vector<std::string> serials_;
  std::atomic<std::size_t> acknowledged_{0};
  std::atomic<bool> enough_{false};
  std::atomic<int> steps_back_{0};
};

TEST_F(RevocationKill, WhatWasAcknowledgedStandsAndNoNumberGoesBack) {
  Enroll(kVictims);
  ChangeAllUnderKills({""});
  Reasons listed;
  Apply(List(), listed);
  EXPECT_EQ(listed, Expected());
}

TEST_F(RevocationKill, NorThatOfAPartOrOfADeltaList) {
  Enroll(1);
  deployment_->Kill("dt-ca");
  GrowStore();
  DT_ASSERT_OK(deployment_->StartCa());
  Enroll(kVictims);
  ASSERT_TRUE(List("-1").has_value());
  ChangeAllUnderKills({"", "-1", "-delta"});
  Reasons of_part;
  Apply(List("-1"), of_part);
  EXPECT_EQ(of_part, Expected());  // All of them name that part.
  // The complete list may be older than the delta list that is fetched after it: both together
  // say all.
  Reasons together;
  Apply(List(), together);
  const auto delta = List("-delta");
  Apply(delta, together);
  EXPECT_TRUE(delta->base_number.has_value());
  std::erase_if(together, [](const auto& entry) { return entry.first.starts_with("010000"); });
  EXPECT_EQ(together, Expected());
}

}  // namespace
}  // namespace devicetrust::tests
