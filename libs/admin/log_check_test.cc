#include "libs/admin/log_check.h"

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <sstream>

#include "devicetrust/org/v1/system_log.grpc.pb.h"
#include "libs/eventlog/chain.h"
#include "libs/eventlog/event_json.h"
#include "libs/pki/key.h"
#include "libs/testing/status.h"

namespace devicetrust::admin {
namespace {

namespace v1 = ::devicetrust::org::v1;

std::vector<v1::Event> ExportedEvents(int count) {
  std::vector<v1::Event> events;
  eventlog::Hash before = eventlog::kNoHash;
  for (int i = 1; i <= count; ++i) {
    v1::Event event;
    event.set_id("ca/e" + std::to_string(i));
    event.set_type("pki.cert.issue");
    event.set_display_message("M\u00e4\u202e\"\\\x01\x7f");
    event.set_sequence(1'780'272'000'000'000 + i);
    (*event.mutable_debug_data())["b"] = "2";
    (*event.mutable_debug_data())["a"] = "1";
    const eventlog::Hash hash =
        eventlog::LinkHash(before, event.sequence(), eventlog::ContentHash(event));
    event.mutable_chain()->set_previous_hash(std::string(before.begin(), before.end()));
    event.mutable_chain()->set_hash(std::string(hash.begin(), hash.end()));
    before = hash;
    events.push_back(event);
  }
  return events;
}

LogCheck CheckEvents(const std::vector<v1::Event>& events, std::optional<v1::LogHead> kept = {}) {
  std::stringstream lines;
  for (const v1::Event& event : events) lines << eventlog::EventJson(event) << "\n";
  return CheckExport(lines, kept);
}

v1::LogHead HeadAt(const v1::Event& event) {
  v1::LogHead head;
  head.set_org("acme");
  head.set_sequence(event.sequence());
  head.set_hash(event.chain().hash());
  head.mutable_at()->set_seconds(1'780'272'000);
  head.set_key_id("log-1");
  head.set_signature(std::string(64, 's'));
  return head;
}

TEST(LogCheckTest, AnExportHoldsByItself) {
  const auto events = ExportedEvents(5);
  EXPECT_EQ(CheckEvents(events).problem, "");
  EXPECT_EQ(CheckEvents(events).events, 5);
  EXPECT_EQ(CheckEvents({events.begin() + 3, events.end()}).problem, "");
  auto older = ExportedEvents(5);
  older.insert(older.begin(), v1::Event());
  older[0].set_sequence(1);
  EXPECT_EQ(CheckEvents(older).problem, "");
  EXPECT_EQ(CheckEvents(older).unchained, 1);
}

// Whoever empties the file must not be told that it holds.
TEST(LogCheckTest, AnExportOfNothingShowsNothing) {
  EXPECT_EQ(CheckEvents({}).problem, "there is no event in it");
}

TEST(LogCheckTest, AnExportThatWasChangedSaysFromWhereOn) {
  auto changed = ExportedEvents(5);
  (*changed[2].mutable_debug_data())["a"] = "3";
  EXPECT_EQ(CheckEvents(changed).problem,
            "event ca/e3 of 1970-01-01T00:00:00Z, sequence 1780272000000003: its content is not"
            " what was written");
  EXPECT_EQ(CheckEvents(changed).events, 2);
  auto filtered = ExportedEvents(5);
  filtered.erase(filtered.begin() + 1);
  EXPECT_NE(CheckEvents(filtered).problem.find("event ca/e3"), std::string::npos);
  std::stringstream lines(eventlog::EventJson(ExportedEvents(1)[0]) + "\n{\"a\":1}\n");
  EXPECT_NE(CheckExport(lines).problem.find("line 2: this is no event"), std::string::npos);
  std::stringstream garbage("\xff\xfe\n");
  EXPECT_NE(CheckExport(garbage).problem.find("line 1: this is no event"), std::string::npos);
}

TEST(LogCheckTest, AHeadThatWasKeptShowsACutTail) {
  const auto events = ExportedEvents(5);
  const v1::LogHead head = HeadAt(events[4]);
  EXPECT_EQ(CheckEvents(events, head).problem, "");
  EXPECT_EQ(CheckEvents(events, HeadAt(events[1])).problem, "");
  EXPECT_EQ(CheckEvents(events, HeadAt(events[1])).heads, 1);
  EXPECT_NE(CheckEvents({events.begin(), events.begin() + 3}, head).problem.find("were removed"),
            std::string::npos);
  v1::LogHead other = HeadAt(events[1]);
  other.set_hash(events[2].chain().hash());
  EXPECT_NE(CheckEvents(events, other).problem.find("not the one that was signed"),
            std::string::npos);
}

// An org whose log begins after one of its events, the earlier ones having been deleted.
class PrunedLog final : public v1::SystemLogService::Service {
 public:
  PrunedLog(std::vector<v1::Event> events, std::size_t deleted)
      : events_(std::move(events)), deleted_(deleted) {
    for (const v1::Event& event : events_) heads.push_back(Signed(HeadAt(event)));
  }
  std::vector<v1::LogHead> heads;  // Of each event, also of those that were deleted.

 private:
  v1::LogHead Signed(v1::LogHead head) const {
    const Bytes signature = key_.SignEs256(eventlog::HeadText(head)).value();
    head.set_signature(std::string(signature.begin(), signature.end()));
    return head;
  }
  grpc::Status GetLogChain(grpc::ServerContext* /*context*/,
                           const v1::GetLogChainRequest* /*request*/,
                           v1::GetLogChainResponse* response) override {
    const v1::Event& anchor = events_[deleted_ - 1];
    response->set_anchor_sequence(anchor.sequence());
    response->set_anchor_hash(anchor.chain().hash());
    *response->mutable_head() = heads.back();
    const Bytes spki = key_.public_key().Spki();
    response->set_public_key(std::string(spki.begin(), spki.end()));
    return grpc::Status::OK;
  }
  grpc::Status ListLogHeads(grpc::ServerContext* /*context*/,
                            const v1::ListLogHeadsRequest* /*request*/,
                            v1::ListLogHeadsResponse* /*response*/) override {
    return grpc::Status::OK;
  }
  grpc::Status TailEvents(grpc::ServerContext* /*context*/,
                          const v1::TailEventsRequest* /*request*/,
                          grpc::ServerWriter<v1::TailEventsResponse>* writer) override {
    v1::TailEventsResponse message;
    for (std::size_t i = deleted_; i < events_.size(); ++i) *message.add_events() = events_[i];
    message.set_sequence(events_.back().sequence());
    writer->Write(message);
    return grpc::Status::OK;
  }

  const pki::PrivateKey key_ = pki::PrivateKey::Generate().value();
  const std::vector<v1::Event> events_;
  const std::size_t deleted_;
};

TEST(LogCheckTest, AHeadOlderThanTheLogShowsNothingAndIsRefused) {
  PrunedLog log(ExportedEvents(6), 3);
  grpc::ServerBuilder builder;
  builder.RegisterService(&log);
  const auto server = builder.BuildAndStart();
  AdminClient client({.org = server->InProcessChannel({}), .ca = nullptr}, {});
  const auto check = [&](const v1::LogHead& kept) { return CheckLog(client, kept).value(); };
  EXPECT_EQ(check(log.heads[3]).problem, "");
  EXPECT_EQ(check(log.heads[3]).events, 3);
  EXPECT_EQ(check(log.heads[2]).problem, "");  // Of the last one that was deleted.
  const std::string old = check(log.heads[1]).problem;
  EXPECT_NE(old.find("nothing is left to hold it against"), std::string::npos) << old;
  EXPECT_NE(old.find("keep a newer head"), std::string::npos) << old;
  v1::LogHead other = log.heads[2];
  other.set_hash(log.heads[1].hash());
  EXPECT_NE(check(other).problem, "");
}

TEST(LogCheckTest, AHeadIsReadBackAsWritten) {
  const v1::LogHead head = HeadAt(ExportedEvents(1)[0]);
  const auto read = HeadFromJson("head.json", HeadJson(head));
  DT_ASSERT_OK(read);
  EXPECT_EQ(read->SerializeAsString(), head.SerializeAsString());
  for (const char* bad : {"", "[]", "{}", R"({"sequence":1,"hash":"00"})"}) {
    const auto refused = HeadFromJson("head.json", bad);
    DT_EXPECT_CODE(refused, kInvalidArgument);
    EXPECT_NE(refused.status().message().find("head.json"), std::string::npos);
  }
}

}  // namespace
}  // namespace devicetrust::admin
