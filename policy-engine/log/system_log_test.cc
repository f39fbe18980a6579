#include "policy-engine/log/system_log.h"

#include <gtest/gtest.h>

#include <tuple>

#include "libs/rpc/error.h"
#include "policy-engine/log/system_log_fixture.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr WallTime kBegin = kLogBegin;

class SystemLogTest : public SystemLogFixture {};

TEST_F(SystemLogTest, StoresEachEventOnce) {
  const std::vector<v1::Event> events = {NewEvent("a", "pki.cert.issue", 1),
                                         NewEvent("b", "pki.cert.issue", 2),
                                         NewEvent("a", "pki.cert.issue", 1)};
  const auto first = log_.Append(TheOrg(), events);
  EXPECT_EQ(first->stored, 2);
  EXPECT_EQ(first->duplicates, 1);
  const auto again = log_.Append(TheOrg(), events);
  EXPECT_EQ(again->stored, 0);
  EXPECT_EQ(again->duplicates, 3);
  EXPECT_EQ(Found(v1::EventFilter()), "b a ");
}

// Nobody takes another's ids: an event of one component hides none of another's.
TEST_F(SystemLogTest, IdsAreTheWritersOwn) {
  const std::vector<v1::Event> revocation = {NewEvent("revoke-0a1b", "pki.cert.revoke", 1)};
  std::vector<v1::Event> squatter = {NewEvent("revoke-0a1b", "gateway.noise", 1)};
  squatter[0].set_writer("ca");  // Not the writer's to say.
  DT_ASSERT_OK(log_.Append(Component("gateway-1", "gateway"), squatter));
  EXPECT_EQ(log_.Append(Component("ca", "ca"), revocation)->stored, 1);
  EXPECT_EQ(log_.Append(Component("ca", "ca"), revocation)->duplicates, 1);
  const auto events = log_.Search({}, 0, 10)->events;
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].id(), "ca/revoke-0a1b");
  EXPECT_EQ(events[0].writer(), "ca");
  EXPECT_EQ(events[1].id(), "gateway-1/revoke-0a1b");
  EXPECT_EQ(events[1].writer(), "gateway-1");
}

TEST_F(SystemLogTest, EachRoleWritesItsOwnTypes) {
  for (const char* type : {"user.credential.enroll", "pki.cert.issue", "pki.cert.renew",
                           "pki.cert.revoke", "ca.crl.publish"}) {
    EXPECT_TRUE(MayWrite("ca", type)) << type;
    EXPECT_FALSE(MayWrite("iwa", type)) << type;
    EXPECT_FALSE(MayWrite("gateway", type)) << type;
  }
  for (const char* type : {"org.settings.change", "policy.evaluate_sign_on", "user.session.start",
                           "pki.cert.revoked", "ca", "ca.", "cat.x", "iwa.x", ""}) {
    EXPECT_FALSE(MayWrite("ca", type)) << type;
    EXPECT_TRUE(MayWrite("policy", type)) << type;
  }
  EXPECT_TRUE(MayWrite("iwa", "iwa.token.refuse"));
  EXPECT_FALSE(MayWrite("stranger", "stranger.x"));
  const auto refused = log_.Append(
      Component("ca", "ca"),
      std::vector{NewEvent("a", "pki.cert.issue", 1), NewEvent("b", "org.settings.change", 1)});
  DT_EXPECT_CODE(refused, kPermissionDenied);
  EXPECT_EQ(rpc::ReasonOf(refused.status()), reason::v1::REASON_CALLER_NOT_ALLOWED);
  EXPECT_EQ(Found(v1::EventFilter()), "");
}

TEST_F(SystemLogTest, ATimeThatCannotBeIsThatOfTheArrival) {
  const std::vector<v1::Event> events = {
      NewEvent("late", "x", -3600), NewEvent("skewed", "x", 5 * 60),
      NewEvent("ahead", "x", 5 * 60 + 1), NewEvent("ancient", "x", -91 * 24 * 3600)};
  Append(events);
  const auto kept = log_.After({}, 0, 10)->events;
  ASSERT_EQ(kept.size(), 4u);
  EXPECT_EQ(kept[0].at().seconds(), events[0].at().seconds());
  EXPECT_EQ(kept[1].at().seconds(), events[1].at().seconds());
  for (const v1::Event& event : {kept[2], kept[3]}) {
    EXPECT_EQ(event.at().seconds(), UnixSeconds(kBegin)) << event.id();
  }
  EXPECT_EQ(kept[2].debug_data().at("claimed_time"), "2026-06-01T00:05:01Z");
  EXPECT_EQ(kept[0].debug_data().count("claimed_time"), 0u);
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
  filter.set_user_id("\u200eAda@corp.test ");  // As a person pastes it.
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

TEST_F(SystemLogTest, FindsPeopleAsNamesCompareInEveryAlphabet) {
  Append({NewEvent("a", "x", 1, "ZOË"), NewEvent("b", "x", 2, "ДМИТРИЙ")});
  v1::EventFilter filter;
  filter.set_user_id("zoë@corp.test");
  EXPECT_EQ(Found(filter), "a ");
  filter.set_user_id("Дмитрий@corp.test");
  EXPECT_EQ(Found(filter), "b ");
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
    for (const v1::Event& event : response.events()) seen.push_back(OwnId(event));
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
  EXPECT_EQ(OwnId(first->events[0]), "a");
  const auto second = log_.After(filter, first->sequence, 10);
  ASSERT_EQ(second->events.size(), 1u);
  EXPECT_EQ(OwnId(second->events[0]), "c");
  EXPECT_EQ(second->sequence, *log_.LastSequence());
  EXPECT_TRUE(log_.After(filter, second->sequence, 10)->events.empty());
  DT_EXPECT_CODE(log_.After(filter, second->sequence + 1, 10), kOutOfRange);

  // A store that was restored from a backup, here an empty one, begins after all positions
  // that it has lost.
  const auto restored = db::Database::Open("sqlite::memory:", LogMigrations()).value();
  clock_.Advance(std::chrono::seconds(1));
  SystemLog later(*restored, clock_);
  DT_ASSERT_OK(later.Append(TheOrg(), std::vector{NewEvent("d", "x", 4)}));
  EXPECT_EQ(later.After(filter, second->sequence, 10)->events.size(), 1u);
}

TEST_F(SystemLogTest, DeletesWhatIsTooOldInSmallSteps) {
  SystemLog log(*database_, clock_, {.kept_for = std::chrono::hours(24), .bytes_max = 0});
  std::vector<v1::Event> events;
  for (int i = 0; i < 500; ++i) events.push_back(NewEvent(std::to_string(i), "x", i % 60));
  DT_ASSERT_OK(log.Append(TheOrg(), events));
  clock_.Advance(std::chrono::hours(23));
  EXPECT_FALSE(*log.Prune());
  EXPECT_EQ(log.Count({})->by_type.at("x"), 500);
  clock_.Advance(std::chrono::hours(2));
  DT_ASSERT_OK(log.Append(TheOrg(), std::vector{NewEvent("new", "x", 25 * 3600)}));
  int steps = 1;
  for (; *log.Prune(); ++steps) {
  }
  EXPECT_EQ(steps, 3);
  v1::EventFilter ada;
  ada.set_user_id("id-ada");
  EXPECT_EQ(Found(ada), "new ");
  const auto rows = database_->Read(
      [](db::Transaction& txn) { return txn.Run("SELECT COUNT(*) FROM event_subjects"); });
  EXPECT_EQ(db::Int(rows->at(0)[0]), 3);  // Of the one that is left: id, principal, device.
}

TEST_F(SystemLogTest, DeletesTheOldestWhileItIsTooLarge) {
  const std::int64_t bytes_max = 50 * 1000;
  SystemLog log(*database_, clock_, {.bytes_max = bytes_max});
  const auto size = [this] {
    const auto rows = database_->Read(
        [](db::Transaction& txn) { return txn.Run("SELECT bytes, events FROM log_usage"); });
    return std::pair(db::Int(rows->at(0)[0]), db::Int(rows->at(0)[1]));
  };
  for (int i = 0; i < 300; ++i) {
    DT_ASSERT_OK(log.Append(TheOrg(), std::vector{NewEvent(std::to_string(i), "x", 1)}));
  }
  EXPECT_GT(size().first, bytes_max);
  while (*log.Prune()) {
  }
  EXPECT_LE(size().first, bytes_max);
  EXPECT_GT(size().first, bytes_max * 9 / 10);
  EXPECT_EQ(size().second, log.Count({})->by_type.at("x"));
  EXPECT_EQ(log.Search({}, 0, 1)->events[0].id(), "policy/299");
}

// A reader whose position was deleted is told, and goes on with what is there.
TEST_F(SystemLogTest, TellsAReaderWhatWasDeletedUnread) {
  SystemLog log(*database_, clock_, {.kept_for = std::chrono::hours(24), .bytes_max = 0});
  SystemLogService service(log, *heads_);
  v1::SearchEventsRequest request;
  v1::SearchEventsResponse page;
  DT_ASSERT_OK(log.Append(TheOrg(), std::vector{NewEvent("a", "x", 1)}));
  const std::int64_t read = *log.LastSequence();
  ASSERT_TRUE(service.SearchEvents(nullptr, &request, &page).ok());
  EXPECT_FALSE(page.has_kept_since());
  clock_.Advance(std::chrono::hours(1));
  DT_ASSERT_OK(log.Append(TheOrg(), std::vector{NewEvent("b", "x", 3600)}));
  clock_.Advance(std::chrono::hours(25));
  DT_ASSERT_OK(log.Append(TheOrg(), std::vector{NewEvent("c", "x", 26 * 3600)}));
  EXPECT_FALSE(*log.Prune());
  const auto following = log.After({}, read, 10);
  EXPECT_GT(following->deleted_to, read);
  ASSERT_EQ(following->events.size(), 1u);
  EXPECT_EQ(following->events[0].id(), "policy/c");
  EXPECT_LT(log.After({}, following->sequence, 10)->deleted_to, following->sequence);
  page.Clear();
  ASSERT_TRUE(service.SearchEvents(nullptr, &request, &page).ok());
  EXPECT_EQ(page.kept_since().seconds(), UnixSeconds(kBegin) + 3600);
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

// An outbox delivers what was refused again, with all that waits behind it.
TEST_F(SystemLogTest, AMalformedEventHoldsUpNoOther) {
  v1::Event never = NewEvent("e", "x", 1);
  never.mutable_at()->set_seconds(INT64_MAX / 2);
  v1::Event no_id = NewEvent("", "x", 1);
  v1::Event no_type = NewEvent("b", "", 1);
  v1::Event no_time = NewEvent("c", "x", 1);
  no_time.clear_at();
  v1::Event long_id = NewEvent(std::string(65, 'i'), "x", 1);
  v1::Event big = NewEvent("d", "x", 1);
  (*big.mutable_debug_data())["k"] = std::string(kEventBytesMax, 'x');
  const std::vector<v1::Event> bad = {no_id, no_type, no_time, never, long_id, big};
  std::vector<v1::Event> given = {NewEvent("before", "x", 1)};
  given.insert(given.end(), bad.begin(), bad.end());
  given.push_back(NewEvent("behind", "x", 1));
  const auto first = log_.Append(TheOrg(), given).value();
  EXPECT_EQ(std::tuple(first.stored, first.duplicates, first.refused), std::tuple(8, 0, 6));
  clock_.Advance(std::chrono::seconds(5));
  const auto again = log_.Append(TheOrg(), given).value();
  EXPECT_EQ(std::tuple(again.stored, again.duplicates, again.refused), std::tuple(0, 8, 6));

  v1::EventFilter refusals;
  refusals.add_types(kRefuseEvent);
  const auto kept = log_.Search(refusals, 0, 100).value().events;
  ASSERT_EQ(kept.size(), bad.size());
  for (std::size_t i = 0; i < bad.size(); ++i) {
    const v1::Event& event = kept[bad.size() - 1 - i];
    EXPECT_EQ(event.debug_data().at("refused_id"), bad[i].id().substr(0, 128));
    EXPECT_EQ(event.debug_data().at("refused_type"), bad[i].type());
    EXPECT_NE(event.debug_data().at("why"), "");
    EXPECT_EQ(event.writer(), "policy");
    EXPECT_LT(event.ByteSizeLong(), std::size_t{2048});
  }
  EXPECT_TRUE(Found(v1::EventFilter()).starts_with("behind "));
  EXPECT_TRUE(Found(v1::EventFilter()).ends_with(" before "));
}

TEST_F(SystemLogTest, RefusesBadInputWhole) {
  DT_EXPECT_CODE(log_.Append(TheOrg(), std::vector<v1::Event>(kEventsPerAppendMax + 1)),
                 kInvalidArgument);
  EXPECT_EQ(Found(v1::EventFilter()), "");

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
