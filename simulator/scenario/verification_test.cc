#include "simulator/scenario/verification.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "devicetrust/org/v1/system_log.grpc.pb.h"
#include "libs/rpc/timestamps.h"
#include "libs/testing/status.h"
#include "simulator/deployment/org_setup.h"

namespace devicetrust::simulator {
namespace {

namespace v1 = ::devicetrust::org::v1;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Outcome = v1::EventOutcome;

// A System Log of events that a test made up.
class FakeLog final : public v1::SystemLogService::Service {
 public:
  v1::Event& Add(const std::string& type) {
    events_.emplace_back().set_type(type);
    return events_.back();
  }
  void Decide(const std::string& rule, Outcome::Result result) {
    v1::Event& event = Add("policy.evaluate_sign_on");
    event.mutable_outcome()->set_result(result);
    v1::Target& target = *event.add_targets();
    target.set_type("Rule");
    target.set_display_name(rule);
  }
  void Authenticate(Outcome::Result result, const std::string& serial, WallTime at = WallTime()) {
    v1::Event& event = Add("user.authentication.authenticate");
    *event.mutable_at() = rpc::ToTimestamp(at);
    (*event.mutable_debug_data())["serial"] = serial;
    event.mutable_outcome()->set_result(result);
  }
  void Remove(const std::string& type) {
    const auto found = std::find_if(events_.begin(), events_.end(),
                                    [&](const v1::Event& event) { return event.type() == type; });
    ASSERT_NE(found, events_.end());
    events_.erase(found);
  }

  grpc::Status CountEvents(grpc::ServerContext* /*context*/,
                           const v1::CountEventsRequest* /*request*/,
                           v1::CountEventsResponse* response) override {
    for (const v1::Event& event : events_) ++(*response->mutable_by_type())[event.type()];
    return grpc::Status::OK;
  }
  grpc::Status SearchEvents(grpc::ServerContext* /*context*/,
                            const v1::SearchEventsRequest* request,
                            v1::SearchEventsResponse* response) override {
    for (const v1::Event& event : events_) {
      if (event.type() == request->filter().types(0)) *response->add_events() = event;
    }
    return grpc::Status::OK;
  }

 private:
  std::vector<v1::Event> events_;
};

class CompareTest : public ::testing::Test {
 protected:
  // A log that tells what `seen_` saw.
  void SetUp() override {
    const std::vector<v1::Rule> rules = FiveRuleExample();
    for (int i = 0; i < 3; ++i) log_.Add("user.credential.enroll");
    for (int i = 0; i < 3; ++i) log_.Add("pki.cert.issue");
    log_.Add("pki.cert.revoke");
    for (int i = 0; i < 4; ++i) log_.Add("user.session.start");
    for (int i = 0; i < 2; ++i) log_.Add("user.authentication.verify");
    for (int i = 0; i < 5; ++i) log_.Authenticate(Outcome::RESULT_SUCCESS, "5b0a");
    log_.Authenticate(Outcome::RESULT_FAILURE, "77e1");
    for (int i = 0; i < 5; ++i) log_.Decide(rules[1].name(), Outcome::RESULT_ALLOW);
    for (int i = 0; i < 2; ++i) log_.Decide(rules[2].name(), Outcome::RESULT_ALLOW);
    for (int i = 0; i < 2; ++i) log_.Decide(rules[3].name(), Outcome::RESULT_DENY);
    org::v1::App& app = spec_.apps.emplace_back();
    for (const v1::Rule& rule : rules) *app.add_rules() = rule;
  }
  RunResult Compare() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&log_);
    const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    admin::AdminClient admin({.org = server->InProcessChannel({}), .ca = nullptr}, {});
    RunResult result;
    DT_EXPECT_OK(CompareWithLog(admin, WallTime(), seen_, spec_, revocations_, result, {},
                                std::chrono::milliseconds(0)));
    return result;
  }

  Seen seen_{.issued = 3,
             .revoked = 1,
             .allowed = 7,
             .denied_without = 1,
             .denied_revoked = 1,
             .shown = 6,
             .passwords = 4,
             .factors = 2};
  ScenarioSpec spec_;
  std::vector<Revocation> revocations_;
  FakeLog log_;
};

TEST_F(CompareTest, AgreementIsNoViolation) {
  const RunResult result = Compare();
  EXPECT_THAT(result.violations, IsEmpty());
  EXPECT_EQ(result.system_log.at("policy.evaluate_sign_on"), 9U);
  ASSERT_EQ(result.decisions.size(), 5U);  // The example's rules and the default one.
  EXPECT_EQ(result.decisions[1].count, 5U);
  EXPECT_EQ(result.decisions[3].count, 2U);
}

TEST_F(CompareTest, AnEventMissingOrTooManyIsNamedWithBothNumbers) {
  log_.Remove("pki.cert.issue");
  EXPECT_THAT(Compare().violations,
              ElementsAre("pki.cert.issue: the System Log has 2, the devices saw 3"));
  log_.Add("pki.cert.issue");
  log_.Add("user.session.start");
  EXPECT_THAT(Compare().violations,
              ElementsAre("user.session.start: the System Log has 5, the devices saw 4"));
}

TEST_F(CompareTest, ADecisionOfARuleThatNobodyWroteIsNamed) {
  log_.Decide("a rule that nobody wrote", Outcome::RESULT_ALLOW);
  EXPECT_THAT(Compare().violations, Contains(HasSubstr("a rule that nobody wrote")));
}

TEST_F(CompareTest, ARefusalThatWasToLetInIsNamed) {
  log_.Remove("policy.evaluate_sign_on");
  log_.Decide(FiveRuleExample()[3].name(), Outcome::RESULT_DENY);
  EXPECT_THAT(Compare().violations,
              ElementsAre("decisions that let in: the System Log has 6, the devices saw 7",
                          "decisions that refuse: the System Log has 3, the devices saw 2"));
}

// What an attempt did before it failed is in the log; the device only knows that it failed.
TEST_F(CompareTest, WhatFailedMayBeInTheLogInPart) {
  seen_.errors = 2;
  log_.Add("user.session.start");
  EXPECT_THAT(Compare().violations, IsEmpty());
  log_.Add("user.session.start");
  log_.Add("user.session.start");
  EXPECT_THAT(Compare().violations,
              ElementsAre(HasSubstr("user.session.start: the System Log has 7, the devices saw 4, "
                                    "and 2 attempts that failed")));
}

TEST_F(CompareTest, TrustInARevokedCertificateIsAViolationAfterTheBoundAlone) {
  const WallTime at = WallTime() + std::chrono::hours(1);
  revocations_ = {{.device = 0, .serial = "66ab", .at = {}, .wall = at}};
  seen_.shown = 7;
  log_.Authenticate(Outcome::RESULT_SUCCESS, "66ab", at + std::chrono::milliseconds(900));
  EXPECT_THAT(Compare().violations, IsEmpty());
  seen_.shown = 8;
  log_.Authenticate(Outcome::RESULT_SUCCESS, "66ab", at + std::chrono::milliseconds(1100));
  EXPECT_THAT(Compare().violations,
              ElementsAre("certificate 66ab was trusted 1.1 s after its revocation"));
}

TEST_F(CompareTest, AnEventThatIsThereTwiceIsNamed) {
  log_.Remove("user.credential.enroll");
  log_.Remove("user.credential.enroll");
  for (int i = 0; i < 2; ++i) log_.Add("user.credential.enroll").set_id("ca/enroll-1");
  EXPECT_THAT(Compare().violations, ElementsAre("1 event that the System Log has twice"));
}

}  // namespace
}  // namespace devicetrust::simulator
