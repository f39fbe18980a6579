#include "libs/eventlog/event_json.h"

#include <gtest/gtest.h>

#include "libs/rpc/timestamps.h"

namespace devicetrust::eventlog {
namespace {

namespace v1 = ::devicetrust::org::v1;

v1::Event FullEvent() {
  v1::Event event;
  event.set_id("policy/e1");
  event.set_type("policy.evaluate_sign_on");
  event.set_display_message("Evaluation of a sign-on policy");
  event.mutable_at()->set_seconds(1'780'272'000);
  event.mutable_at()->set_nanos(250'000'000);
  event.mutable_actor()->set_type("User");
  event.mutable_actor()->set_id("u1");
  event.mutable_actor()->set_display_name("ada@corp.test");
  event.mutable_client()->set_address("192.0.2.7");
  event.mutable_client()->set_user_agent("Mozilla/5.0 \"x\"\t\x01\x7f");
  event.mutable_client()->set_browser("Firefox");
  event.mutable_client()->set_browser_version("128");
  event.mutable_client()->set_os("Windows");
  event.mutable_client()->set_device("Computer");
  event.mutable_client()->set_platform("windows");
  event.mutable_client()->add_zones("network");
  v1::Target& target = *event.add_targets();
  target.set_type("AppInstance");
  target.set_id("mail");
  target.set_display_name("M\u00e4il\u202e");
  event.mutable_outcome()->set_result(v1::EventOutcome::RESULT_DENY);
  event.mutable_outcome()->set_reason("DENIED_BY_RULE");
  (*event.mutable_debug_data())["trust"] = "untrusted";
  (*event.mutable_debug_data())["code"] = "7F3K-9QXD";
  event.set_writer("policy");
  event.mutable_transaction()->set_id("0af7651916cd43dd8448eb211c80319c");
  event.set_sequence(1'780'272'000'000'001);
  return event;
}

TEST(EventJsonTest, HasOneFormWithItsMembersInOrder) {
  EXPECT_EQ(CanonicalJson(FullEvent()),
            R"({"actor":{"alternateId":"ada@corp.test","displayName":"ada@corp.test","id":"u1",)"
            R"("type":"User"},"client":{"device":"Computer","ipAddress":"192.0.2.7",)"
            R"("platform":"windows","userAgent":{"browser":"Firefox","browserVersion":"128",)"
            R"("os":"Windows","rawUserAgent":"Mozilla/5.0 \"x\"\t\u0001)"
            "\x7f"
            R"("},"zone":["network"]},"debugContext":{"debugData":{"code":"7F3K-9QXD",)"
            R"("trust":"untrusted"}},"displayMessage":"Evaluation of a sign-on policy",)"
            R"("eventType":"policy.evaluate_sign_on","outcome":{"reason":"DENIED_BY_RULE",)"
            R"("result":"DENY"},"published":"2026-06-01T00:00:00.250Z","target":[)"
            "{\"displayName\":\"M\u00e4il\u202e\",\"id\":\"mail\",\"type\":\"AppInstance\"}]"
            R"(,"transaction":{"id":"0af7651916cd43dd8448eb211c80319c"},"uuid":"policy/e1",)"
            R"("writer":"policy"})");
}

TEST(EventJsonTest, LeavesOutWhatIsEmptyAndAddsThePlace) {
  v1::Event event;
  event.set_sequence(7);
  event.mutable_chain()->set_previous_hash(std::string(2, '\0'));
  event.mutable_chain()->set_hash("\x0a\xff");
  event.set_display_message("\xff");  // No UTF-8.
  EXPECT_EQ(
      EventJson(event),
      R"({"actor":{},"chain":{"hash":"0aff","previousHash":"0000"},"client":{"userAgent":{}},)"
      R"("debugContext":{"debugData":{}},"displayMessage":")"
      "\xEF\xBF\xBD"
      R"(","eventType":"","outcome":{},"published":"1970-01-01T00:00:00Z","sequence":7,)"
      R"("target":[],"transaction":{},"uuid":"","writer":""})");
}

TEST(EventJsonTest, TimesHaveAFractionWhereThereIsOne) {
  google::protobuf::Timestamp at;
  EXPECT_EQ(EventTime(at), "1970-01-01T00:00:00Z");
  at.set_nanos(120'000'000);
  EXPECT_EQ(EventTime(at), "1970-01-01T00:00:00.120Z");
  at.set_nanos(1'000);
  EXPECT_EQ(EventTime(at), "1970-01-01T00:00:00.000001Z");
  at.set_nanos(1);
  EXPECT_EQ(EventTime(at), "1970-01-01T00:00:00.000000001Z");
}

}  // namespace
}  // namespace devicetrust::eventlog
