#include "policy-engine/log/system_log.h"

#include <gtest/gtest.h>

#include "libs/rpc/timestamps.h"
#include "libs/testing/settable_clock.h"
#include "libs/testing/status.h"
#include "policy-engine/log/system_log_service.h"
#include "policy-engine/migrations.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr WallTime kBegin{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}};

class SystemLogTest : public ::testing::Test {
 protected:
  static v1::Event NewEvent(const std::string& id, const std::string& type, int second,
                            const std::string& user = "ada", const std::string& device = "d1") {
    v1::Event event;
    event.set_id(id);
    event.set_type(type);
    *event.mutable_at() = rpc::ToTimestamp(kBegin + std::chrono::seconds(second));
    event.mutable_actor()->set_type("User");
    event.mutable_actor()->set_id("id-" + user);
    event.mutable_actor()->set_display_name(user + "@corp.test");
    (*event.mutable_debug_data())["device_id"] = device;
    return event;
  }
  void Append(const std::vector<v1::Event>& events) { DT_ASSERT_OK(log_.Append(events)); }
  std::string Found(const v1::EventFilter& filter) {
    std::string ids;
    const SystemLog::Page page = log_.Search(filter, 0, 100).value();
    for (const v1::Event& event : page.events) ids += event.id() + " ";
    return ids;
  }

  std::unique_ptr<db::Database> database_ =
      db::Database::Open("sqlite::memory:", LogMigrations()).value();
  testing::SettableClock clock_{kBegin};
  SystemLog log_{*database_, clock_};
  SystemLogService service_{log_};
};

TEST_F(SystemLogTest, StoresEachEventOnce) {
  const std::vector<v1::Event> events = {NewEvent("a", "pki.cert.issue", 1),
                                         NewEvent("b", "pki.cert.issue", 2),
                                         NewEvent("a", "pki.cert.issue", 1)};
  const auto first = log_.Append(events);
  EXPECT_EQ(first->stored, 2);
  EXPECT_EQ(first->duplicates, 1);
  const auto again = log_.Append(events);
  EXPECT_EQ(again->stored, 0);
  EXPECT_EQ(again->duplicates, 3);
  EXPECT_EQ(Found({}), "b a ");
}

TEST_F(SystemLogTest, SearchesByTimeTypeUserAndDevice) {
  v1::Event revoke = NewEvent("c", "pki.cert.revoke", 3, "root", "");
  v1::Target& target = *revoke.add_targets();
  target.set_type("User");
  target.set_id("id-ada");
  target.set_display_name("ada@corp.test");
  Append({NewEvent("a", "pki.cert.issue", 1), NewEvent("b", "pki.cert.issue", 2, "bob", "d2"),
          revoke, NewEvent("d", "user.session.start", 4, "ada", "d3")});

  v1::EventFilter filter;
  filter.set_user_id("ada@corp.test");  // As actor and as target.
  EXPECT_EQ(Found(filter), "d c a ");
  filter.set_user_id("ada@CORP.TEST");  // As Kerberos writes it.
  EXPECT_EQ(Found(filter), "d c a ");
  filter.set_user_id("id-ada");
  EXPECT_EQ(Found(filter), "d c a ");
  filter.set_device_id("d3");
  EXPECT_EQ(Found(filter), "d ");
  filter.clear_user_id();
  filter.set_device_id("d2");
  EXPECT_EQ(Found(filter), "b ");

  filter.Clear();
  filter.add_types("pki.cert.issue");
  filter.add_types("pki.cert.revoke");
  EXPECT_EQ(Found(filter), "c b a ");
  *filter.mutable_since() = rpc::ToTimestamp(kBegin + std::chrono::seconds(2));
  *filter.mutable_until() = rpc::ToTimestamp(kBegin + std::chrono::seconds(3));
  EXPECT_EQ(Found(filter), "b ");
  filter.set_user_id("id-nobody");
  EXPECT_EQ(Found(filter), "");
}

TEST_F(SystemLogTest, PagesWithoutLossOrDoubles) {
  std::vector<v1::Event> events;
  for (int i = 0; i < 25; ++i) events.push_back(NewEvent(std::to_string(i), "t", i));
  Append(events);
  v1::SearchEventsRequest request;
  request.set_page_size(10);
  std::vector<std::string> seen;
  int pages = 0;
  do {
    v1::SearchEventsResponse response;
    ASSERT_TRUE(service_.SearchEvents(nullptr, &request, &response).ok());
    for (const v1::Event& event : response.events()) seen.push_back(event.id());
    request.set_page_token(response.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(pages, 3);
  ASSERT_EQ(seen.size(), 25u);
  EXPECT_EQ(seen.front(), "24");
  EXPECT_EQ(seen.back(), "0");
}

TEST_F(SystemLogTest, FollowsFromASequenceNumber) {
  Append({NewEvent("a", "x", 1), NewEvent("b", "y", 2), NewEvent("c", "x", 3)});
  v1::EventFilter filter;
  filter.add_types("x");
  const auto first = log_.After(filter, 0, 1);
  ASSERT_EQ(first->events.size(), 1u);
  EXPECT_EQ(first->events[0].id(), "a");
  const auto second = log_.After(filter, first->sequence, 10);
  ASSERT_EQ(second->events.size(), 1u);
  EXPECT_EQ(second->events[0].id(), "c");
  EXPECT_EQ(second->sequence, *log_.LastSequence());
  EXPECT_TRUE(log_.After(filter, second->sequence, 10)->events.empty());
  DT_EXPECT_CODE(log_.After(filter, second->sequence + 1, 10), kOutOfRange);

  // A store that was restored from a backup, here an empty one, begins after all positions
  // that it has lost.
  const auto restored = db::Database::Open("sqlite::memory:", LogMigrations()).value();
  clock_.Advance(std::chrono::seconds(1));
  SystemLog later(*restored, clock_);
  DT_ASSERT_OK(later.Append(std::vector{NewEvent("d", "x", 4)}));
  EXPECT_EQ(later.After(filter, second->sequence, 10)->events.size(), 1u);
}

TEST_F(SystemLogTest, TakesAnyTimeAsABound) {
  Append({NewEvent("a", "x", 1)});
  v1::CountEventsRequest request;
  v1::CountEventsResponse response;
  request.mutable_filter()->mutable_until()->set_seconds(253'402'300'799);  // The year 9999.
  ASSERT_TRUE(service_.CountEvents(nullptr, &request, &response).ok());
  EXPECT_EQ(response.total(), 1);
  request.mutable_filter()->clear_until();
  request.mutable_filter()->mutable_since()->set_seconds(253'402'300'799);
  response.Clear();
  ASSERT_TRUE(service_.CountEvents(nullptr, &request, &response).ok());
  EXPECT_EQ(response.total(), 0);
}

TEST_F(SystemLogTest, CountsByType) {
  Append({NewEvent("a", "x", 1), NewEvent("b", "y", 2, "bob"), NewEvent("c", "x", 3)});
  v1::CountEventsRequest request;
  v1::CountEventsResponse response;
  ASSERT_TRUE(service_.CountEvents(nullptr, &request, &response).ok());
  EXPECT_EQ(response.total(), 3);
  EXPECT_EQ(response.by_type().at("x"), 2);
  request.mutable_filter()->set_user_id("id-bob");
  response.Clear();
  ASSERT_TRUE(service_.CountEvents(nullptr, &request, &response).ok());
  EXPECT_EQ(response.total(), 1);
}

TEST_F(SystemLogTest, RefusesBadInputWhole) {
  v1::Event never = NewEvent("e", "x", 1);
  never.mutable_at()->set_seconds(INT64_MAX / 2);
  v1::Event no_id = NewEvent("", "x", 1);
  v1::Event no_type = NewEvent("b", "", 1);
  v1::Event no_time = NewEvent("c", "x", 1);
  no_time.clear_at();
  v1::Event long_id = NewEvent(std::string(65, 'i'), "x", 1);
  v1::Event big = NewEvent("d", "x", 1);
  (*big.mutable_debug_data())["k"] = std::string(kEventBytesMax, 'x');
  for (const v1::Event& bad : {no_id, no_type, no_time, never, long_id, big}) {
    DT_EXPECT_CODE(log_.Append(std::vector<v1::Event>{NewEvent("good", "x", 1), bad}),
                   kInvalidArgument);
  }
  DT_EXPECT_CODE(log_.Append(std::vector<v1::Event>(kEventsPerAppendMax + 1)), kInvalidArgument);
  EXPECT_EQ(Found({}), "");

  v1::SearchEventsRequest request;
  v1::SearchEventsResponse response;
  for (const int size : {-1, 1001}) {
    request.set_page_size(size);
    EXPECT_EQ(service_.SearchEvents(nullptr, &request, &response).error_code(),
              grpc::StatusCode::INVALID_ARGUMENT);
  }
  request.set_page_size(0);
  for (const auto* token : {"x", "-1", "1x", "99999999999999999999"}) {
    request.set_page_token(token);
    EXPECT_EQ(service_.SearchEvents(nullptr, &request, &response).error_code(),
              grpc::StatusCode::INVALID_ARGUMENT);
  }
  v1::EventFilter many;
  for (int i = 0; i <= kEventTypesPerFilterMax; ++i) many.add_types("t" + std::to_string(i));
  DT_EXPECT_CODE(log_.Search(many, 0, 10), kInvalidArgument);
}

}  // namespace
}  // namespace devicetrust::policy
