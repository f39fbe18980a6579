#include "policy-engine/decisions/sign_on_queue.h"

#include <gtest/gtest.h>

#include <future>
#include <vector>

#include "libs/testing/fake_directory.h"
#include "policy-engine/decisions/sign_on_fixture.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

class SignOnQueueTest : public SignOnFixture {
 protected:
  // Answers to all of them, which came while the store was busy.
  std::vector<SignOn::Response> EvaluateTogether(const std::vector<v1::EvaluateRequest>& requests) {
    std::promise<void> busy;
    std::promise<void> over;
    const auto other = std::async(std::launch::async, [&] {
      return database_->Write([&](db::Transaction& /*txn*/) {
        busy.set_value();
        over.get_future().wait();
        return absl::OkStatus();
      });
    });
    busy.get_future().wait();
    std::vector<std::promise<SignOn::Response>> answers(requests.size());
    {
      SignOnQueue queue(*sign_on_);
      for (std::size_t i = 0; i < requests.size(); ++i) {
        queue.Evaluate(requests[i], [&answer = answers[i]](SignOn::Response response) {
          answer.set_value(std::move(response));
        });
      }
      over.set_value();
    }  // Ends once all are answered.
    std::vector<SignOn::Response> responses;
    for (auto& answer : answers) responses.push_back(answer.get_future().get());
    return responses;
  }
};

TEST_F(SignOnQueueTest, ThoseThatComeMeanwhileShareTransactionsAndEachIsKept) {
  const std::uint64_t commits = database_->commits();
  const std::vector<v1::EvaluateRequest> requests(100, Request());
  std::vector<std::string> codes;
  for (const auto& response : EvaluateTogether(requests)) {
    DT_ASSERT_OK(response);
    codes.push_back(response->result().code());
  }
  // Of the store's other user, and of all of them; the outbox has its own.
  EXPECT_LT(database_->commits() - commits, 20u);
  EXPECT_EQ(EventsOf("policy.evaluate_sign_on").size(), 100u);
  for (const std::string& code : codes) EXPECT_EQ(Explain(code).code(), code);
}

TEST_F(SignOnQueueTest, EachIsRefusedAndFailsAlone) {
  DT_ASSERT_OK(sessions_->EndSession("session-over", clock_.Now()));
  DT_ASSERT_OK(database_->Write([](db::Transaction& txn) {
    return txn
        .Run(
            "CREATE TRIGGER bad BEFORE INSERT ON decisions WHEN NEW.session_id = 'session-bad'"
            " BEGIN SELECT RAISE(ABORT, 'bad'); END")
        .status();
  }));
  std::vector<v1::EvaluateRequest> requests(12, Request());
  requests[3].mutable_session()->set_session_id("session-over");
  requests[4].set_app_id("no-such-app");
  requests[5] = requests[6] = Trusted();
  requests[7] = Trusted();
  requests[7].mutable_session()->set_session_id("session-bad");
  const auto responses = EvaluateTogether(requests);
  for (const std::size_t good : {0u, 1u, 2u, 5u, 6u, 8u, 9u, 10u, 11u})
    DT_EXPECT_OK(responses[good]);
  EXPECT_EQ(rpc::ReasonOf(responses[3].status()), reason::v1::REASON_SESSION_ENDED);
  EXPECT_EQ(rpc::ReasonOf(responses[4].status()), reason::v1::REASON_APP_UNKNOWN);
  EXPECT_TRUE(absl::IsInternal(responses[7].status())) << responses[7].status();
  EXPECT_EQ(EventsOf("policy.evaluate_sign_on").size(), 9u);
  // One proof is good for one of the two that came with it.
  const auto trusts = [&](std::size_t i) {
    return responses[i]->result().trust() == v1::TRUST_STATE_TRUSTED;
  };
  EXPECT_NE(trusts(5), trusts(6));
  // What failed has spent nothing.
  requests[7].mutable_session()->set_session_id("session-1");
  EXPECT_EQ(Evaluate(requests[7]).trust(), v1::TRUST_STATE_TRUSTED);
}

TEST_F(SignOnQueueTest, EachEventHasTheTraceOfItsCall) {
  const TraceId id = NewTraceId();
  {
    const TraceScope trace(id);
    DT_EXPECT_OK(EvaluateTogether({Request()}).front());
  }
  const auto events = EventsOf("policy.evaluate_sign_on");
  ASSERT_EQ(events.size(), 1u);
  const TraceScope trace(id);
  EXPECT_EQ(events[0].debug_data().at("trace_id"), CurrentTrace());
}

TEST_F(SignOnQueueTest, TheDirectoryIsAskedWhereItsWordIsTooOld) {
  testing::FakeDirectory* directory = nullptr;
  std::vector<directory::Domain> domains;
  domains.push_back(testing::NewFakeDomain("corp.test", "CORP", "S-1-5-21-1-2-3", &directory));
  Watch(std::move(domains));
  const std::string sid = "S-1-5-21-1-2-3-1105";
  DT_ASSERT_OK(database_->Write(
      [&](db::Transaction& txn) { return txn.Run("UPDATE users SET sid = $1", {sid}).status(); }));
  directory->users[sid].enabled = false;
  EXPECT_EQ(rpc::ReasonOf(EvaluateTogether({Request()}).front().status()),
            reason::v1::REASON_USER_DISABLED);
  EXPECT_EQ(EventsOf("user.session.end").size(), 1u);
}

}  // namespace
}  // namespace devicetrust::policy
