// Filter expressions against the store: what indexes propose must be what a scan finds.
#include <fmt/format.h>

#include "libs/rpc/error.h"
#include "policy-engine/log/system_log.h"
#include "policy-engine/log/system_log_fixture.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

class SystemLogSearchTest : public SystemLogFixture {
 protected:
  static void AddTarget(Event& event, const std::string& type, const std::string& id) {
    v1::Target& target = *event.add_targets();
    target.set_type(type);
    target.set_id(id);
    target.set_display_name("name of " + id);
  }
  // Events "0", "1", …, of few types, users, devices and apps in every combination.
  void AppendMany(int count) {
    std::vector<Event> events;
    for (int i = 0; i < count; ++i) {
      events.push_back(NewEvent(std::to_string(i), fmt::format("type.{}", i % 3), i % 60,
                                fmt::format("user{}", i % 4), fmt::format("device{}", i % 5)));
      AddTarget(events.back(), "AppInstance", fmt::format("app{}", i % 7));
      AddTarget(events.back(), "Device", fmt::format("device{}", i % 5));
      if (events.size() == 1000 || i + 1 == count) {
        Append(events);
        events.clear();
      }
    }
  }
  // All events, page by page, as any reader takes them.
  std::vector<Event> AllPages(const v1::EventFilter& filter, int page_size, int* pages = nullptr) {
    v1::SearchEventsRequest request;
    *request.mutable_filter() = filter;
    request.set_page_size(page_size);
    std::vector<Event> events;
    do {
      v1::SearchEventsResponse response;
      const grpc::Status status = service_.SearchEvents(nullptr, &request, &response);
      EXPECT_TRUE(status.ok()) << status.error_message();
      events.insert(events.end(), response.events().begin(), response.events().end());
      request.set_page_token(response.next_page_token());
      if (pages != nullptr) ++*pages;
    } while (!request.page_token().empty());
    return events;
  }
};

TEST_F(SystemLogSearchTest, FindsByExpressionWhateverTheIndex) {
  AppendMany(420);
  const std::vector<Event> all = AllPages({}, 1000);
  ASSERT_EQ(all.size(), 420u);
  for (const std::string& text :
       {std::string(R"(eventType eq "type.1")"),
        std::string(R"(eventType eq "type.1" or eventType eq "type.2")"),
        std::string(R"(actor.alternateId sw "user2")"),
        std::string(R"(actor.alternateId eq "USER2@corp.test" and eventType eq "type.0")"),
        std::string(R"(target[type eq "AppInstance" and id eq "app3"])"),
        std::string(R"(target.id eq "app3" and target.id eq "device4")"),
        std::string(R"(debugContext.debugData.device_id eq "device0" and not (eventType eq "x"))"),
        std::string(
            R"(published ge "2026-06-01T00:00:30Z" and published lt "2026-06-01T00:00:40Z")"),
        std::string(R"(actor.id eq "nobody" or target.id eq "app1")"),
        std::string(R"(eventType eq "never")"), std::string("target.id eq \"nowhere\"")}) {
    v1::EventFilter filter;
    filter.set_expression(text);
    const auto expression = EventExpression::Parse(text).value();
    std::vector<std::string> expected;
    for (const Event& event : all) {
      if (expression.Matches(event)) expected.push_back(event.id());
    }
    for (const int page_size : {7, 1000}) {
      std::vector<std::string> found;
      for (const Event& event : AllPages(filter, page_size)) found.push_back(event.id());
      EXPECT_EQ(found, expected) << text;
    }
    std::vector<std::string> forward;
    std::int64_t after = 0;
    for (bool more = true; more;) {
      const auto following = log_.After(filter, after, 11).value();
      for (const Event& event : following.events) forward.push_back(event.id());
      more = following.sequence > after;
      after = following.sequence;
    }
    std::ranges::reverse(forward);
    EXPECT_EQ(forward, expected) << text;
    std::int64_t counted = 0;
    const auto counts = log_.Count(filter).value();
    for (const auto& [type, count] : counts.by_type) counted += count;
    EXPECT_EQ(counted, static_cast<std::int64_t>(expected.size())) << text;
  }
}

// A search that finds little looks at so many events and says how to go on.
TEST_F(SystemLogSearchTest, ABoundedScanIsNeverSilentlyIncomplete) {
  const int count = kEventsLookedAtMax + 2000;
  AppendMany(count);
  v1::EventFilter filter;
  filter.set_expression(R"(uuid eq "policy/0" or uuid eq "policy/1")");
  const auto first = log_.Search(filter, 0, 10);
  EXPECT_TRUE(first->events.empty());
  EXPECT_NE(first->next_before, 0);
  int pages = 0;
  EXPECT_EQ(AllPages(filter, 10, &pages).size(), 2u);
  EXPECT_EQ(pages, 2);
  const auto part = log_.Count(filter);
  EXPECT_NE(part->next_before, 0);
  EXPECT_EQ(log_.Count(filter, part->next_before)->by_type.size(), 2u);
}

TEST_F(SystemLogSearchTest, PagesStayStableWhileEventsArrive) {
  AppendMany(50);
  v1::SearchEventsRequest request;
  request.set_page_size(20);
  request.mutable_filter()->set_expression(R"(eventType sw "type.")");
  std::vector<std::string> seen;
  int added = 0;
  do {
    v1::SearchEventsResponse response;
    ASSERT_TRUE(service_.SearchEvents(nullptr, &request, &response).ok());
    for (const Event& event : response.events()) seen.push_back(OwnId(event));
    request.set_page_token(response.next_page_token());
    Append({NewEvent(fmt::format("new{}", added++), "type.0", 1)});
  } while (!request.page_token().empty());
  ASSERT_EQ(seen.size(), 50u);
  EXPECT_EQ(seen.front(), "49");
  EXPECT_EQ(seen.back(), "0");
}

TEST_F(SystemLogSearchTest, AWrongExpressionIsRefusedEverywhere) {
  v1::EventFilter filter;
  filter.set_expression("evenType pr");
  for (const absl::Status& status :
       {log_.Search(filter, 0, 1).status(), log_.After(filter, 0, 1).status(),
        log_.Count(filter).status()}) {
    DT_EXPECT_CODE(status, kInvalidArgument);
    EXPECT_NE(status.message().find("did you mean eventType?"), std::string::npos);
  }
}

// Stores of a release that indexed people, devices and certificates alone.
TEST_F(SystemLogSearchTest, FindsWhatAnOlderReleaseDidNotIndex) {
  AppendMany(30);
  const auto forget = [](db::Transaction& txn) -> absl::Status {
    DT_RETURN_IF_ERROR(txn.Run("DELETE FROM event_subjects WHERE subject LIKE 'app%'").status());
    return txn.Run("UPDATE log_chain SET indexed_from = (SELECT MAX(sequence) + 1 FROM events)")
        .status();
  };
  DT_ASSERT_OK(database_->Write(forget));
  AppendMany(30);  // The same ids: doubles.
  Event later = NewEvent("later", "type.0", 1);
  AddTarget(later, "AppInstance", "app1");
  Append({later});
  v1::EventFilter filter;
  filter.set_expression(R"(target.id eq "app1")");
  std::string found;
  for (const Event& event : AllPages(filter, 2)) found += OwnId(event) + " ";
  EXPECT_EQ(found, "later 29 22 15 8 1 ");
  found.clear();
  const auto following = log_.After(filter, 0, 100).value();
  for (const Event& event : following.events) found += OwnId(event) + " ";
  EXPECT_EQ(found, "1 8 15 22 29 later ");
}

// It ran again after this one had: its events are behind our head.
TEST_F(SystemLogSearchTest, NoticesThatAnOlderReleaseWroteMeanwhile) {
  Event mail = NewEvent("old", "type.0", 1);
  AddTarget(mail, "AppInstance", "mail");
  Append({NewEvent("a", "type.0", 1), mail});
  const auto undo = [](db::Transaction& txn) -> absl::Status {
    DT_RETURN_IF_ERROR(txn.Run("DELETE FROM event_subjects WHERE subject = 'mail'").status());
    return txn.Run("UPDATE log_chain SET sequence = (SELECT MIN(sequence) FROM events)").status();
  };
  DT_ASSERT_OK(database_->Write(undo));
  SystemLog restarted(*database_, clock_);
  DT_ASSERT_OK(restarted.Append(TheOrg(), std::vector{NewEvent("b", "type.0", 1)}));
  EXPECT_EQ(Found(R"(target.id eq "mail")"), "old ");
}

TEST_F(SystemLogSearchTest, SaysWhoTheClientIs) {
  log_.NameZones([](std::string_view address) {
    return address == "10.1.2.3" ? std::vector<std::string>{"network", "office"}
                                 : std::vector<std::string>();
  });
  Event event = NewEvent("a", "x", 1);
  event.mutable_client()->set_address("10.1.2.3");
  event.mutable_client()->set_user_agent("Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0");
  event.mutable_client()->set_browser("what the writer claims");
  event.mutable_client()->add_zones("anywhere");
  (*event.mutable_debug_data())["trace_id"] = "0af7651916cd43dd8448eb211c80319c";
  Append({event, NewEvent("b", "x", 2)});
  const auto kept = log_.Search({}, 0, 10)->events;
  EXPECT_FALSE(kept[0].has_client());
  const v1::ClientContext& client = kept[1].client();
  EXPECT_EQ(client.browser(), "Firefox");
  EXPECT_EQ(client.browser_version(), "128");
  EXPECT_EQ(client.os(), "Linux");
  EXPECT_EQ(client.device(), "Computer");
  ASSERT_EQ(client.zones_size(), 2);
  EXPECT_EQ(kept[1].transaction().id(), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(Found(R"(client.zone eq "office" and client.userAgent.browser eq "firefox")"), "a ");
}

}  // namespace
}  // namespace devicetrust::policy
