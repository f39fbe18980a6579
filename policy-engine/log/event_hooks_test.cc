#include "policy-engine/log/event_hooks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>
#include <deque>
#include <functional>
#include <nlohmann/json.hpp>

#include "libs/base/encoding.h"
#include "libs/base/wait_until.h"
#include "libs/pki/digest.h"
#include "libs/rpc/error.h"
#include "policy-engine/log/system_log_fixture.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using std::chrono::milliseconds;

bool Eventually(const std::function<bool()>& done) {
  return WaitUntil([&done]() -> absl::StatusOr<bool> { return done(); }, milliseconds(2),
                   std::chrono::seconds(20))
      .ok();
}

// A receiver: answers by a script, then takes everything.
class FakeReceiver {
 public:
  struct Received {
    HookMessage message;
    std::vector<std::string> ids;
  };

  absl::Status Take(const std::string& url, const HookMessage& message,
                    const std::function<bool()>& given_up) {
    Received received{message, {}};
    const auto body = nlohmann::json::parse(message.body);
    for (const auto& event : body["events"]) {
      received.ids.push_back(event["uuid"].get<std::string>().substr(std::strlen("policy/")));
    }
    {
      const MutexLock lock(mutex_);
      urls_.push_back(url);
      all_.push_back(received);
      if (!failures_.empty()) {
        const absl::Status failure = failures_.front();
        failures_.pop_front();
        if (!failure.ok()) return failure;
      }
      if (!hangs_) {
        for (const std::string& id : received.ids) taken_.push_back(id);
        return absl::OkStatus();
      }
    }
    Eventually(given_up);
    return absl::DeadlineExceededError("hung");
  }
  void Fail(int times) {
    const MutexLock lock(mutex_);
    for (int i = 0; i < times; ++i) failures_.push_back(absl::UnavailableError("answered 503"));
  }
  void Hang() {
    const MutexLock lock(mutex_);
    hangs_ = true;
  }
  std::vector<Received> all() {
    const MutexLock lock(mutex_);
    return all_;
  }
  std::string taken() {
    const MutexLock lock(mutex_);
    return fmt::format("{}", fmt::join(taken_, " "));
  }

 private:
  Mutex mutex_;
  std::deque<absl::Status> failures_ ABSL_GUARDED_BY(mutex_);
  bool hangs_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::string> urls_ ABSL_GUARDED_BY(mutex_);
  std::vector<Received> all_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> taken_ ABSL_GUARDED_BY(mutex_);
};

class EventHooksTest : public SystemLogFixture {
 protected:
  EventHooksTest() {
    limits_.tries_max = 3;
    limits_.retry_min = milliseconds(1);
    limits_.retry_max = milliseconds(2);
    limits_.linger = milliseconds(1);
    limits_.batch_events_max = 3;
    limits_.dead_letters_max = 2;
    limits_.hooks_max = 2;
    Make();
  }
  ~EventHooksTest() override { hooks_->Stop(); }

  void Make() {
    hooks_.reset();
    hooks_ = std::make_unique<EventHooks>(
        HookParts{*database_, log_, kek_, "acme", clock_, random_,
                  [this](const std::string& url, const HookMessage& message,
                         HookDeadlines /*deadlines*/, const std::function<bool()>& given_up) {
                    return receiver_.Take(url, message, given_up);
                  },
                  limits_},
        false);
  }
  v1::AddHookResponse Add(const std::string& name, const std::string& expression = {}) {
    v1::AddHookRequest request;
    request.set_name(name);
    request.set_url("https://siem.example.com/events");
    request.set_expression(expression);
    const auto added = hooks_->Add(admin_, request);
    DT_EXPECT_OK(added);
    return added.value_or(v1::AddHookResponse());
  }
  v1::EventHook Shown(const std::string& name) {
    const v1::ListHooksResponse list = hooks_->List().value();
    for (const v1::EventHook& hook : list.hooks()) {
      if (hook.name() == name) return hook;
    }
    return {};
  }
  bool Takes(const std::string& ids) {
    Eventually([&] { return receiver_.taken() == ids; });
    return receiver_.taken() == ids;
  }
  void AppendIds(int from, int count) {
    for (int i = from; i < from + count; ++i) Append({NewEvent(std::to_string(i), "x", 1)});
  }
  void Settle(const std::string& name, int letters) {
    EXPECT_TRUE(Eventually([&] { return Shown(name).dead_letters() == letters; }));
  }

  HookLimits limits_;
  FakeReceiver receiver_;
  const rpc::Caller admin_{rpc::Caller::Kind::kAdmin, "ada", "admin", "acme"};
  std::unique_ptr<EventHooks> hooks_;
};

TEST_F(EventHooksTest, DeliversWhatMatchesInOrderFromItsBeginningOn) {
  AppendIds(0, 2);
  Add("siem", R"(eventType eq "x")");
  AppendIds(2, 5);
  Append({NewEvent("other", "y", 1)});
  DT_ASSERT_OK(hooks_->Start());
  EXPECT_TRUE(Takes("2 3 4 5 6")) << receiver_.taken();
  AppendIds(7, 1);
  EXPECT_TRUE(Takes("2 3 4 5 6 7")) << receiver_.taken();
  for (const auto& received : receiver_.all()) EXPECT_LE(received.ids.size(), 3u);
  EXPECT_TRUE(Shown("siem").has_delivered_at());
  EXPECT_EQ(Shown("siem").last_error(), "");
}

TEST_F(EventHooksTest, SignsWithTheKeyThatWasToldOnce) {
  const v1::AddHookResponse added = Add("siem");
  DT_ASSERT_OK(hooks_->Start());
  AppendIds(0, 1);
  Eventually([&] { return receiver_.taken().ends_with(" 0"); });
  const HookMessage message = receiver_.all().front().message;
  EXPECT_EQ(message.timestamp, std::to_string(UnixSeconds(kLogBegin)));
  const Bytes key = HexDecode(added.secret().secret()).value();
  EXPECT_EQ(key.size(), 32u);
  const std::string text = "v1:" + message.timestamp + ":" + message.delivery + ":" + message.body;
  EXPECT_EQ(message.signature,
            "v1=" + added.secret().key_id() + ":" + HexEncode(pki::HmacSha256(key, AsBytes(text))));
  EXPECT_EQ(hooks_->List()->SerializeAsString().find(added.secret().secret()), std::string::npos);
}

TEST_F(EventHooksTest, BothKeysSignUntilTheOldOneExpires) {
  const std::string old_id = Add("siem").secret().key_id();
  v1::RotateHookKeyRequest request;
  request.set_name("siem");
  request.set_overlap_hours(2);
  const auto rotated = hooks_->RotateKey(admin_, request);
  DT_ASSERT_OK(rotated);
  const std::string new_id = rotated->secret().key_id();
  const auto ids = [&] {
    EXPECT_TRUE(hooks_->Test("siem")->delivered());
    std::string found;
    const std::string signature = receiver_.all().back().message.signature;
    for (std::size_t at = 0; (at = signature.find("v1=", at)) != std::string::npos; ++at) {
      found += signature.substr(at + 3, signature.find(':', at) - at - 3) + " ";
    }
    return found;
  };
  EXPECT_EQ(ids(), new_id + " " + old_id + " ");
  clock_.Advance(std::chrono::hours(2));
  EXPECT_EQ(ids(), new_id + " ");
  for (const int overlap_hours : {-1, 721}) {
    request.set_overlap_hours(overlap_hours);
    DT_EXPECT_CODE(hooks_->RotateKey(admin_, request), kInvalidArgument);
  }
}

TEST_F(EventHooksTest, TriesAgainAndGoesOnInOrder) {
  Add("siem", R"(eventType eq "x")");
  receiver_.Fail(2);
  AppendIds(0, 4);
  DT_ASSERT_OK(hooks_->Start());
  EXPECT_TRUE(Takes("0 1 2 3")) << receiver_.taken();
  EXPECT_EQ(receiver_.all()[0].ids, receiver_.all()[2].ids);
  EXPECT_EQ(receiver_.all()[0].message.delivery, receiver_.all()[2].message.delivery);
  EXPECT_EQ(Shown("siem").tries(), 0);
}

TEST_F(EventHooksTest, WhatIsGivenUpIsADeadLetterThatCanBeSentAgain) {
  Add("siem", R"(eventType eq "x")");
  receiver_.Fail(3);
  AppendIds(0, 4);
  DT_ASSERT_OK(hooks_->Start());
  EXPECT_TRUE(Takes("3")) << receiver_.taken();
  Settle("siem", 1);
  const auto letters = hooks_->DeadLetters("siem").value();
  ASSERT_EQ(letters.dead_letters_size(), 1);
  EXPECT_EQ(letters.dead_letters(0).events(), 3);
  EXPECT_EQ(letters.dead_letters(0).error(), "answered 503");
  DT_EXPECT_CODE(hooks_->Resend(admin_, "siem", letters.dead_letters(0).id() + 7), kNotFound);
  EXPECT_EQ(hooks_->Resend(admin_, "siem", letters.dead_letters(0).id()).value(), 1);
  EXPECT_TRUE(Takes("3 0 1 2")) << receiver_.taken();
  Settle("siem", 0);
}

TEST_F(EventHooksTest, ADeadLetterThatFailsAgainStaysOne) {
  Add("siem", R"(eventType eq "x")");
  receiver_.Fail(6);
  AppendIds(0, 3);
  DT_ASSERT_OK(hooks_->Start());
  Settle("siem", 1);
  EXPECT_EQ(hooks_->Resend(admin_, "siem", 0).value(), 1);
  EXPECT_TRUE(Eventually([&] { return receiver_.all().size() == 6; }));
  EXPECT_TRUE(
      Eventually([&] { return !hooks_->DeadLetters("siem")->dead_letters(0).resending(); }));
  EXPECT_EQ(receiver_.taken(), "");
  EXPECT_EQ(hooks_->Resend(admin_, "siem", 0).value(), 1);
  EXPECT_TRUE(Takes("0 1 2"));
}

TEST_F(EventHooksTest, DeadLettersAreBoundedAndTheOldestGo) {
  Add("siem", R"(eventType eq "x")");
  receiver_.Fail(9);
  AppendIds(0, 10);
  DT_ASSERT_OK(hooks_->Start());
  EXPECT_TRUE(Takes("9")) << receiver_.taken();
  Settle("siem", 2);
  EXPECT_EQ(hooks_->Resend(admin_, "siem", 0).value(), 2);
  EXPECT_TRUE(Takes("9 3 4 5 6 7 8")) << receiver_.taken();
}

TEST_F(EventHooksTest, AHangingReceiverHarmsNobodyElseAndEndsAtStop) {
  Add("hanging", R"(eventType eq "x")");
  receiver_.Hang();
  DT_ASSERT_OK(hooks_->Start());
  AppendIds(0, 1);
  EXPECT_TRUE(Eventually([&] { return !receiver_.all().empty(); }));
  AppendIds(1, 5);  // Writers do not wait.
  EXPECT_EQ(Found(R"(eventType eq "x")"), "5 4 3 2 1 0 ");
  hooks_->Stop();
  EXPECT_EQ(Shown("hanging").tries(), 0);  // It was given up, not refused.
}

TEST_F(EventHooksTest, AnotherProcessGoesOnWhereThisOneWas) {
  Add("siem", R"(eventType eq "x")");
  DT_ASSERT_OK(hooks_->Start());
  AppendIds(0, 2);
  EXPECT_TRUE(Takes("0 1"));
  EXPECT_TRUE(Eventually([&] { return Shown("siem").has_delivered_at(); }));
  hooks_->Stop();
  AppendIds(2, 2);
  Make();
  DT_ASSERT_OK(hooks_->Start());
  EXPECT_TRUE(Eventually([&] { return receiver_.taken().ends_with("2 3"); })) << receiver_.taken();
}

TEST_F(EventHooksTest, IsPausedResumedAndRemoved) {
  Add("siem", R"(eventType eq "x")");
  DT_ASSERT_OK(hooks_->Start());
  v1::SetHookEnabledRequest request;
  request.set_name("siem");
  EXPECT_FALSE(hooks_->SetEnabled(admin_, request)->hook().enabled());
  AppendIds(0, 2);
  EXPECT_EQ(receiver_.taken(), "");
  request.set_enabled(true);
  DT_EXPECT_OK(hooks_->SetEnabled(admin_, request));
  EXPECT_TRUE(Takes("0 1"));
  DT_EXPECT_OK(hooks_->Remove(admin_, "siem"));
  DT_EXPECT_CODE(hooks_->Remove(admin_, "siem"), kNotFound);
  AppendIds(2, 1);
  EXPECT_EQ(hooks_->List()->hooks_size(), 0);
  EXPECT_EQ(receiver_.taken(), "0 1");
  // Each change is told of, by whom.
  v1::EventFilter filter;
  filter.add_types("org.hook.change");
  std::vector<std::string> told;
  const auto events = log_.After(filter, 0, 10).value().events;
  for (const Event& event : events) {
    EXPECT_EQ(event.actor().display_name(), "admin:ada");
    told.push_back(event.targets(0).display_name());
  }
  EXPECT_EQ(told, (std::vector<std::string>{"siem added: https://siem.example.com/events",
                                            "siem paused", "siem resumed", "siem removed"}));
}

TEST_F(EventHooksTest, RefusesWhatMakesNoSense) {
  v1::AddHookRequest request;
  request.set_url("https://siem.example.com/");
  for (const std::string& name : {std::string(), std::string("Siem"), std::string("a b"),
                                  std::string(41, 'a'), std::string("../x")}) {
    request.set_name(name);
    DT_EXPECT_CODE(hooks_->Add(admin_, request), kInvalidArgument);
  }
  request.set_name("siem");
  request.set_url("https://10.0.0.1/");
  DT_EXPECT_CODE(hooks_->Add(admin_, request), kInvalidArgument);
  request.set_url("https://siem.example.com/");
  request.set_expression("wurst pr");
  DT_EXPECT_CODE(hooks_->Add(admin_, request), kInvalidArgument);
  request.clear_expression();
  DT_EXPECT_OK(hooks_->Add(admin_, request));
  DT_EXPECT_CODE(hooks_->Add(admin_, request), kAlreadyExists);
  Add("second");
  request.set_name("third");
  DT_EXPECT_CODE(hooks_->Add(admin_, request), kResourceExhausted);
  DT_EXPECT_CODE(hooks_->Test("nobody"), kNotFound);
  DT_EXPECT_CODE(hooks_->DeadLetters("nobody"), kNotFound);
}

// It cannot have what retention took, and goes on with what is there.
TEST_F(EventHooksTest, GoesOnBehindWhatWasDeletedUndelivered) {
  Add("siem", R"(eventType eq "x")");
  receiver_.Fail(3);
  AppendIds(0, 3);
  DT_ASSERT_OK(hooks_->Start());
  Settle("siem", 1);
  hooks_->Stop();
  clock_.Advance(std::chrono::hours(24 * 91));
  AppendIds(3, 1);
  while (*log_.Prune()) {
  }
  EXPECT_EQ(hooks_->Resend(admin_, "siem", 0).value(), 1);
  DT_ASSERT_OK(hooks_->Start());
  EXPECT_TRUE(Takes("3")) << receiver_.taken();
  Settle("siem", 0);
}

}  // namespace
}  // namespace devicetrust::policy
