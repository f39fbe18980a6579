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
  void Decide(const std::string& rule) {
    v1::Target& target = *Add("policy.evaluate_sign_on").add_targets();
    target.set_type("Rule");
    target.set_display_name(rule);
  }
  void Authenticate(Outcome::Result result, const std::string& reason = "") {
    v1::Event& event = Add("user.authentication.authenticate");
    event.mutable_outcome()->set_result(result);
    event.mutable_outcome()->set_reason(reason);
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
    for (int i = 0; i < 5; ++i) log_.Authenticate(Outcome::RESULT_SUCCESS);
    log_.Authenticate(Outcome::RESULT_FAILURE, "CERTIFICATE_REVOKED");
    for (int i = 0; i < 5; ++i) log_.Decide(rules[1].name());
    for (int i = 0; i < 2; ++i) log_.Decide(rules[2].name());
    for (int i = 0; i < 2; ++i) log_.Decide(rules[3].name());
  }
  RunResult Compare() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&log_);
    const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    admin::AdminClient admin({.org = server->InProcessChannel({}), .ca = nullptr}, {});
    RunResult result;
    DT_EXPECT_OK(CompareWithLog(admin, WallTime(), seen_, result, std::chrono::milliseconds(0)));
    return result;
  }

  const Seen seen_{.enrolled = 3,
                   .revoked = 1,
                   .allowed_trusted = 5,
                   .allowed_elsewhere = 2,
                   .denied_without = 1,
                   .denied_revoked = 1,
                   .passwords = 4,
                   .factors = 2};
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

TEST_F(CompareTest, ADecisionOfAnotherRuleIsNamed) {
  log_.Remove("policy.evaluate_sign_on");
  log_.Decide("Default sign-on rule");
  EXPECT_THAT(Compare().violations,
              ElementsAre(HasSubstr("the System Log has 4, the devices saw 5"),
                          HasSubstr("\"Default sign-on rule\": the System Log has 1")));
  log_.Decide("a rule that nobody wrote");
  EXPECT_THAT(Compare().violations, Contains(HasSubstr("a rule that nobody wrote")));
}

TEST_F(CompareTest, ARefusalForAnotherReasonIsNamed) {
  log_.Remove("user.authentication.authenticate");
  log_.Authenticate(Outcome::RESULT_FAILURE, "CERTIFICATE_EXPIRED");
  EXPECT_THAT(Compare().violations,
              ElementsAre(HasSubstr("trusted device authentications: the System Log has 4")));
}

}  // namespace
}  // namespace devicetrust::simulator
