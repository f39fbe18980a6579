#include "policy-engine/log/filter.h"

#include <gtest/gtest.h>

#include "libs/rpc/error.h"
#include "libs/testing/status.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

v1::Event Revocation() {
  v1::Event event;
  event.set_id("ca/revoke-0a1b");
  event.set_type("pki.cert.revoke");
  event.set_display_message("Device Trust certificate revocation");
  event.mutable_at()->set_seconds(1'780'300'800);  // 2026-06-01T08:00:00Z.
  event.mutable_at()->set_nanos(250'000'000);
  event.set_sequence(17);
  event.set_writer("ca");
  event.mutable_actor()->set_type("User");
  event.mutable_actor()->set_id("u1");
  event.mutable_actor()->set_display_name("Ada@corp.test");
  event.mutable_client()->set_address("192.0.2.7");
  event.mutable_client()->set_browser("Firefox");
  event.mutable_client()->set_browser_version("128");
  event.mutable_client()->add_zones("office");
  event.mutable_client()->add_zones("vpn");
  for (const auto& [type, id, name] :
       {std::array{"Certificate", "0a1b", "serial 0a1b"}, std::array{"User", "u2", "bob@corp.test"},
        std::array{"Device", "d1", "d1"}}) {
    v1::Target& target = *event.add_targets();
    target.set_type(type);
    target.set_id(id);
    target.set_display_name(name);
  }
  event.mutable_outcome()->set_result(v1::EventOutcome::RESULT_SUCCESS);
  (*event.mutable_debug_data())["device_id"] = "d1";
  (*event.mutable_debug_data())["count"] = "12";
  (*event.mutable_debug_data())["forced"] = "true";
  event.mutable_transaction()->set_id("0af7651916cd43dd8448eb211c80319c");
  return event;
}

// "1" it matches, "0" it does not, else the error.
std::string Judge(std::string_view filter) {
  const auto parsed = EventExpression::Parse(filter);
  if (!parsed.ok()) return std::string(parsed.status().message());
  return parsed->Matches(Revocation()) ? "1" : "0";
}

TEST(FilterTest, ComparesEveryKindOfValue) {
  for (const std::string_view filter :
       {R"(eventType eq "pki.cert.revoke" and actor.alternateId sw "ada")",
        R"(EVENTTYPE EQ "pki.cert.revoke" AND Actor.AlternateID Sw "ADA@")",
        R"(uuid ew "0a1b")",
        R"(displayMessage co "REVOCATION")",
        R"(actor.id ne "u2")",
        R"(actor.id pr)",
        R"(outcome.result eq "success")",
        R"(client.zone eq "VPN")",
        R"(client.zone eq "office")",
        R"(client.userAgent.browser eq "firefox")",
        R"(client.userAgent.browserVersion ge 100)",
        R"(debugContext.debugData.count gt 9)",
        R"(debugContext.debugData.Device_ID eq "D1")",
        R"(debugContext.debugData.forced eq true)",
        R"(debugContext.debugData.forced ne false)",
        R"(debugContext.debugData.absent eq null)",
        R"(debugContext.debugData.absent ne "x")",
        R"(debugContext.debugData.count ne null)",
        R"(target.id eq "u2")",
        R"(target.alternateId eq "BOB@CORP.TEST")",
        R"(sequence eq 17)",
        R"(sequence lt 18)",
        R"(published eq "2026-06-01T08:00:00.25Z")",
        R"(published gt "2026-06-01T08:00:00Z")",
        R"(published le "2026-06-01T08:00:00.250Z")",
        R"(published pr)",
        R"(transaction.id eq "0af7651916cd43dd8448eb211c80319c")",
        R"(actor.displayName gt "ab")",
        R"(actor.displayName eq "\u0041da\u0040corp.test")"}) {
    EXPECT_EQ(Judge(filter), "1") << filter;
  }
  for (const std::string_view filter :
       {R"(eventType eq "PKI.cert.revoke")", R"(uuid eq "CA/revoke-0a1b")", R"(client.device pr)",
        R"(outcome.reason pr)", R"(debugContext.debugData.absent pr)",
        R"(debugContext.debugData.absent co "x")", R"(debugContext.debugData.device_id gt 5)",
        R"(published lt "2026-06-01T08:00:00.250Z")", R"(actor.id eq "")", R"(actor.id eq null)",
        R"(target.alternateId eq "serial 0a1b")", R"(client.zone ne "vpn")"}) {
    EXPECT_EQ(Judge(filter), "0") << filter;
  }
}

TEST(FilterTest, AndBindsMoreThanOrAndNotMoreThanBoth) {
  const std::string yes = R"(actor.id eq "u1")";
  const std::string no = R"(actor.id eq "u9")";
  EXPECT_EQ(Judge(yes + " or " + no + " and " + no), "1");
  EXPECT_EQ(Judge("(" + yes + " or " + no + ") and " + no), "0");
  EXPECT_EQ(Judge("not (" + no + ") and " + yes), "1");
  EXPECT_EQ(Judge("not (" + no + " or " + yes + ")"), "0");
  EXPECT_EQ(Judge("not(" + no + ")and(" + yes + ")"), "1");
  EXPECT_EQ(Judge(no + " or not (" + yes + ") or " + yes), "1");
}

TEST(FilterTest, BracketsAreAboutOneTarget) {
  EXPECT_EQ(Judge(R"(target.type eq "Device" and target.id eq "u2")"), "1");
  EXPECT_EQ(Judge(R"(target[type eq "Device" and id eq "u2"])"), "0");
  EXPECT_EQ(Judge(R"(target[type eq "User" and (alternateId sw "bob" or id eq "x")])"), "1");
  EXPECT_EQ(Judge(R"(not (target[not (type pr)]))"), "1");
}

TEST(FilterTest, SaysWhereAndWhatIsWrong) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"", "character 1: an attribute is missing"},
      {"   ", "character 4: an attribute is missing"},
      {R"(actor.alternateld eq "x")",
       "character 1: there is no attribute actor.alternateld; did "
       "you mean actor.alternateId?"},
      {R"(uuid pr and eventtyp eq "x")",
       "character 13: there is no attribute eventtyp; did you "
       "mean eventType?"},
      {"wurst pr", "character 1: there is no attribute wurst"},
      {R"(eventType = "x")",
       "character 11: after eventType comes one of eq ne co sw ew gt ge lt le"
       " pr, not \"= \"x\"\""},
      {"eventType", "character 10: after eventType comes one of"},
      {"eventType is \"x\"", "character 11: after eventType comes one of"},
      {"eventType eq pki", "character 14: a value is missing here"},
      {"eventType eq 'pki'", "character 14: a value is missing here"},
      {"sequence eq 1.5", "character 13: a value is missing here"},
      {R"(eventType eq "pki)", "character 14: this text has no closing quote"},
      {R"(eventType eq "a\x")", "character 16: after \\ comes one of"},
      {R"(eventType eq "\ud800")", "character 15: after \\ comes one of"},
      {"eventType eq \"\n\"", "character 15: a control character"},
      {"eventType eq \"\xff\"", "character 15: this is no UTF-8"},
      {R"((uuid pr)", "character 1: this \"(\" is not closed"},
      {R"(uuid pr))", "character 8: a \")\" without its opening"},
      {R"((uuid pr])", "character 9: \"and\", \"or\" or \")\" is missing before \"]\""},
      {R"(uuid pr uuid pr)", "character 9: \"and\" or \"or\" is missing before \"uuid pr\""},
      {"uuid pr and", "character 12: an attribute is missing"},
      {"not uuid pr", "character 5: after \"not\" comes a parenthesis"},
      {R"(published gt "yesterday")", "character 14: published compares with a time in quotes"},
      {"published eq 5", "character 14: published compares with a time in quotes"},
      {R"(published co "2026")", "character 14: co, sw and ew look for a part of a text"},
      {"uuid sw 5", "character 9: co, sw and ew look for a part of a text"},
      {"uuid gt true", "character 9: true, false and null compare with eq and ne"},
      {R"(sequence eq "5")", "character 13: sequence compares with a whole number"},
      {R"(target[eventType eq "x"])", "character 8: there is no attribute eventType of a target"},
      {R"(target[target[id pr]])", "character 8: a target has no targets of its own"},
      {R"(actor[id pr])", "character 1: there is no attribute actor"},
      {"debugContext.debugData. pr", "character 1: there is no attribute"},
  };
  for (const auto& [filter, message] : wrong) {
    const auto parsed = EventExpression::Parse(filter);
    DT_EXPECT_CODE(parsed, kInvalidArgument);
    EXPECT_NE(parsed.status().message().find(message), std::string::npos)
        << filter << "\n"
        << parsed.status().message();
    EXPECT_EQ(rpc::ReasonOf(parsed.status()), reason::v1::REASON_MALFORMED_REQUEST) << filter;
  }
}

TEST(FilterTest, IsBounded) {
  const auto nested = [](int depth) {
    return std::string(static_cast<std::size_t>(depth), '(') + "uuid pr" +
           std::string(static_cast<std::size_t>(depth), ')');
  };
  EXPECT_EQ(Judge(nested(kFilterDepthMax)), "1");
  EXPECT_NE(Judge(nested(kFilterDepthMax + 1)).find("more than 32 parentheses"), std::string::npos);
  std::string many = "uuid pr";
  for (int i = 1; i < kFilterTermsMax; ++i) many += " and uuid pr";
  EXPECT_EQ(Judge(many), "1");
  EXPECT_NE(Judge(many + " or uuid pr").find("more than 100 comparisons"), std::string::npos);
  EXPECT_NE(
      Judge("uuid eq \"" + std::string(kFilterBytesMax, 'x') + "\"").find("at most 4096 bytes"),
      std::string::npos);
}

TEST(FilterTest, HintsAreWhatMustHold) {
  const auto hints = [](std::string_view filter) {
    return EventExpression::Parse(filter)->hints();
  };
  using Texts = std::vector<std::string>;
  EXPECT_EQ(hints(R"(eventType eq "a" and writer eq "ca")").types, Texts{"a"});
  EXPECT_EQ(hints(R"((eventType eq "a" or eventType eq "b") and uuid pr)").types,
            (Texts{"a", "b"}));
  EXPECT_EQ(hints(R"(eventType eq "a" or writer eq "ca")").types, Texts{});
  EXPECT_EQ(hints(R"(not (eventType eq "a"))").types, Texts{});
  EXPECT_EQ(hints(R"(eventType ne "a")").types, Texts{});
  EXPECT_EQ(hints(R"(eventType sw "a")").types, Texts{});
  EXPECT_EQ(hints(R"(target[type eq "Device" and id eq "D1"])").subjects, Texts{"d1"});
  EXPECT_EQ(hints(R"(actor.id eq "u1" and target.alternateId eq "b")").subjects,
            (Texts{"u1", "b"}));
  EXPECT_EQ(hints(R"(debugContext.debugData.device_id eq "d")").subjects, Texts{"d"});
  EXPECT_EQ(hints(R"(debugContext.debugData.code eq "d")").subjects, Texts{});
  EXPECT_EQ(hints(R"(actor.id eq "u1" or uuid pr)").subjects, Texts{});
  EXPECT_EQ(hints(R"(target[not (id eq "d1")])").subjects, Texts{});
  EXPECT_TRUE(hints(R"(published ge "2026-06-01T08:00:00Z")").since.has_value());
  EXPECT_FALSE(hints(R"(published le "2026-06-01T08:00:00Z")").since.has_value());
}

}  // namespace
}  // namespace devicetrust::policy
