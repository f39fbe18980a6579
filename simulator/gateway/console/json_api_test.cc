#include "simulator/gateway/console/json_api.h"

#include "devicetrust/org/v1/system_log.pb.h"
#include "simulator/gateway/console/transcoder.h"
#include "simulator/gateway/gateway_fixture.h"

namespace devicetrust::gateway {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kListApps[] = "devicetrust.org.v1.AppService/ListApps";
constexpr char kConsole[] = "devicetrust.org.v1.ConsoleService/";

class JsonApiTest : public GatewayTest {
 protected:
  void SignIn() {
    http::Response step = browser_.Get(gateway_, "/console");
    while (!Location(step).empty() && !Location(step).starts_with("/signin")) {
      step = browser_.Get(gateway_, Location(step));
    }
    step = browser_.SignIn(gateway_, browser_.Get(gateway_, Location(step)));
    EXPECT_EQ(Location(step), "/console");
    gateway_.admins.admin_sessions.insert("session-1");
  }
  http::Request NewCall(const std::string& method, const std::string& body = "{}") {
    http::Request request = browser_.NewRequest("POST", "/console/api/" + method);
    request.fields.Set("content-type", "application/json");
    request.fields.Set("origin", kOrigin);
    request.fields.Set("sec-fetch-site", "same-origin");
    request.fields.Set("x-dt-console", "1");
    request.body = body;
    return request;
  }
  http::Response Call(const std::string& method, const std::string& body = "{}") {
    return browser_.Send(gateway_, NewCall(method, body));
  }
  void Open() {
    SignIn();
    EXPECT_EQ(Call(std::string(kConsole) + "OpenConsole", R"({"totp_code":"123456"})").status, 200);
  }
};

TEST_F(JsonApiTest, TheConsoleAsksWhoIsThereFirst) {
  const http::Response stranger = browser_.Get(gateway_, "/console");
  EXPECT_THAT(Location(stranger), HasSubstr("/signin"));
  SignIn();
  const http::Response page = browser_.Get(gateway_, "/console");
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.body, HasSubstr("console/main.js"));
  EXPECT_EQ(browser_.Post(gateway_, "/console", "").status, 405);
}

TEST_F(JsonApiTest, ACallGoesToItsServiceWithTheOrgsGrant) {
  Open();
  org::v1::ListAppsResponse apps;
  apps.set_version(7);
  apps.add_apps()->set_label("Mail & <more>");
  gateway_.admins.answer = apps.SerializeAsString();
  const http::Response response = Call(kListApps, R"({"known_version":"3"})");
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.body, R"({"version":"7","apps":[{"label":"Mail & \u003cmore\u003e"}]})");
  EXPECT_EQ(response.fields.Find("content-type"), "application/json");
  ASSERT_EQ(gateway_.admins.calls.size(), 1U);
  const AdminCall& call = gateway_.admins.calls[0];
  EXPECT_EQ(call.peer, AdminCall::Peer::kOrg);
  EXPECT_EQ(call.method, "/devicetrust.org.v1.AppService/ListApps");
  EXPECT_EQ(call.grant, "grant for /devicetrust.org.v1.AppService/ListApps");
  org::v1::ListAppsRequest sent;
  ASSERT_TRUE(sent.ParseFromString(call.request));
  EXPECT_EQ(sent.known_version(), 3);
  EXPECT_EQ(gateway_.admins.asked[0].client().address(), "192.0.2.7");
  EXPECT_EQ(Call("devicetrust.ca.v1.CertificateAdminService/ListCertificates").status, 200);
  EXPECT_EQ(gateway_.admins.calls[1].peer, AdminCall::Peer::kCa);
}

TEST(ListenersTest, NobodyListensInThePlaceOfEverybody) {
  Listeners listeners;
  for (int i = 0; i < kListenersOfUserMax; ++i) EXPECT_TRUE(listeners.Enter("ada"));
  EXPECT_FALSE(listeners.Enter("ada"));
  EXPECT_TRUE(listeners.Enter("bob"));
  listeners.Leave("ada");
  EXPECT_TRUE(listeners.Enter("ada"));
  for (int user = 2; user < kListenersMax / kListenersOfUserMax; ++user) {
    for (int i = 0; i < kListenersOfUserMax; ++i) {
      EXPECT_TRUE(listeners.Enter(fmt::format("user{}", user)));
    }
  }
  for (int i = 1; i < kListenersOfUserMax; ++i) EXPECT_TRUE(listeners.Enter("bob"));
  EXPECT_FALSE(listeners.Enter("carol"));
}

TEST_F(JsonApiTest, TheNinthTabOfAnAdministratorIsToldToWait) {
  Open();
  constexpr char kTail[] = "devicetrust.org.v1.SystemLogService/TailEvents";
  std::vector<int> statuses;
  gateway_.admins.while_listening = [&] { statuses.push_back(Call(kTail).status); };
  EXPECT_EQ(Call(kTail).status, 200);
  EXPECT_EQ(std::ranges::count(statuses, 429), 1);
  EXPECT_EQ(std::ranges::count(statuses, 200), kListenersOfUserMax - 1);
  gateway_.admins.while_listening = nullptr;
  EXPECT_EQ(Call(kTail).status, 200);
}

TEST_F(JsonApiTest, WithoutSessionRoleOrFactorNothingIsCalled) {
  EXPECT_EQ(Call(kListApps).status, 401);
  SignIn();
  const http::Response closed = Call(kListApps);
  EXPECT_EQ(closed.status, 409);
  EXPECT_THAT(closed.body, HasSubstr(R"("reason":"FACTOR_NEEDED")"));
  gateway_.admins.admin_sessions.clear();
  const http::Response nobody = Call(kListApps);
  EXPECT_EQ(nobody.status, 401);
  EXPECT_THAT(nobody.body, AllOf(HasSubstr(R"("reason":"SESSION_EXPIRED")"),
                                 HasSubstr(R"("remedy":"Sign in again.")")));
  EXPECT_TRUE(gateway_.admins.calls.empty());
}

TEST_F(JsonApiTest, AnotherSitesPageCannotCall) {
  Open();
  const auto refused = [&](auto change) {
    http::Request request = NewCall(kListApps);
    change(request);
    return browser_.Send(gateway_, request).status;
  };
  EXPECT_EQ(refused([](auto& r) { r.fields.Set("origin", "https://evil.example"); }), 403);
  EXPECT_EQ(refused([](auto& r) { r.fields.Set("origin", "null"); }), 403);
  EXPECT_EQ(refused([](auto& r) { r.fields.Remove("origin"); }), 403);
  EXPECT_EQ(refused([](auto& r) { r.fields.Remove("x-dt-console"); }), 403);
  EXPECT_EQ(refused([](auto& r) { r.fields.Set("sec-fetch-site", "same-site"); }), 403);
  EXPECT_EQ(refused([](auto& r) { r.fields.Set("content-type", "text/plain"); }), 422);
  EXPECT_EQ(refused([](auto& r) { r.fields.Set("content-type", "application/jsonx"); }), 422);
  EXPECT_EQ(refused([](auto& r) { r.method = "GET"; }), 422);
  EXPECT_TRUE(gateway_.admins.calls.empty());
}

TEST_F(JsonApiTest, WhatNoProtoExposesIsNotThere) {
  Open();
  for (const char* method :
       {"devicetrust.org.v1.GatewayKeyService/GetGatewayKeys",
        "devicetrust.org.v1.UserService/EnrollFactor", "devicetrust.org.v1.UserService/ImportUsers",
        "devicetrust.ca.v1.IssuerAdminService/AddIssuer", "devicetrust.org.v1.AppService/",
        "devicetrust.org.v1.AppService", "", "devicetrust.org.v1.ConsoleService/AuthorizeCall",
        "devicetrust.org.v1.AppService/ListApps/", "grpc.health.v1.Health/Check"}) {
    EXPECT_EQ(Call(method).status, 404) << method;
  }
  EXPECT_TRUE(gateway_.admins.calls.empty());
}

TEST_F(JsonApiTest, ABodyThatIsNoMessageIsRefusedWithItsReason) {
  Open();
  for (const char* body : {"{", "[]", "1", "{\"known_version\":\"x\"}", "{\"nothing\":1}",
                           "{known_version:1}", "{'known_version':1}", "\xff"}) {
    const http::Response response = Call(kListApps, body);
    EXPECT_EQ(response.status, 422) << body;
    EXPECT_THAT(response.body, HasSubstr(R"("reason":"MALFORMED_REQUEST")")) << body;
  }
  EXPECT_EQ(Call(kListApps, std::string(9000, '[') + std::string(9000, ']')).status, 422);
  EXPECT_TRUE(gateway_.admins.calls.empty());
}

TEST_F(JsonApiTest, AnErrorKeepsReasonSubjectAndRemedy) {
  Open();
  gateway_.admins.answer =
      rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_RULE_INVALID,
                     "rule 2 says \"<b>\"", "rule 2", "Deselect it.", seconds{3});
  const http::Response response = Call("devicetrust.org.v1.AppService/SetRules");
  EXPECT_EQ(response.status, 422);
  EXPECT_EQ(response.body,
            R"({"reason":"RULE_INVALID","message":"rule 2 says \"<b>\"","subject":"rule 2",)"
            R"("remedy":"Deselect it.","retry_after_seconds":3})");
  EXPECT_EQ(response.fields.Find("retry-after"), "3");
  gateway_.admins.answer = absl::InternalError("secret");
  EXPECT_THAT(Call(kListApps).body, Not(HasSubstr("secret")));
  gateway_.admins.answer = std::string("\xff\xff");
  EXPECT_EQ(Call(kListApps).status, 500);
}

TEST_F(JsonApiTest, AStreamIsLinesOfMessages) {
  Open();
  org::v1::TailEventsResponse tail;
  tail.set_sequence(9);
  tail.add_events()->set_type("pki.cert.revoke");
  gateway_.admins.listened.messages = {tail.SerializeAsString(), tail.SerializeAsString()};
  const http::Response response =
      Call("devicetrust.org.v1.SystemLogService/TailEvents", R"({"after_sequence":"-1"})");
  EXPECT_EQ(response.fields.Find("content-type"), "application/x-ndjson");
  const std::string line = R"({"events":[{"type":"pki.cert.revoke"}],"sequence":"9"})";
  EXPECT_EQ(response.body, line + "\n" + line + "\n{\"ended\":false}\n");
}

TEST_F(JsonApiTest, TheConsoleOpensWithACodeAndSaysWhatTheRoleMay) {
  SignIn();
  const std::string open = std::string(kConsole) + "OpenConsole";
  const http::Response wrong = Call(open, R"({"totp_code":"654321"})");
  EXPECT_EQ(wrong.status, 401);
  EXPECT_THAT(wrong.body, HasSubstr("FACTOR_WRONG"));
  EXPECT_EQ(Call(open, R"({"totp_code":1})").status, 422);
  EXPECT_EQ(Call(open, R"({"session_id":"x","totp_code":"123456"})").status, 422);
  const http::Response right = Call(open, R"({"recovery_code":"right"})");
  EXPECT_EQ(right.status, 200);
  EXPECT_THAT(right.body, AllOf(HasSubstr(R"("role":"ROLE_HELP_DESK")"), HasSubstr(kListApps),
                                Not(HasSubstr("SetDeviceTrust"))));
  EXPECT_EQ(Call(std::string(kConsole) + "CloseConsole").status, 200);
  EXPECT_EQ(Call(kListApps).status, 409);
}

TEST_F(JsonApiTest, EveryExposedMethodIsOfARoleAndDoesNotGiveAwaySecrets) {
  const auto every = ConsoleMethodsOf(access::v1::ROLE_SUPER_ADMIN);
  const auto read = ConsoleMethodsOf(access::v1::ROLE_READ_ONLY);
  EXPECT_GT(every.size(), read.size());
  for (const std::string& name : read) {
    EXPECT_THAT(every, Contains(name));
    for (const char* verb : {"/Set", "/Put", "/Remove", "/Revoke", "/Grant", "/Apply", "/Block",
                             "/Rollback", "/Reset", "/Release", "/Run", "/Approve"}) {
      EXPECT_THAT(name, Not(HasSubstr(verb)));
    }
  }
  EXPECT_TRUE(ConsoleMethodsOf(access::v1::ROLE_UNSPECIFIED).empty());
}

}  // namespace
}  // namespace devicetrust::gateway
