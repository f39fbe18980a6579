#include "simulator/apps/app_listener.h"

#include <gtest/gtest.h>

#include "libs/base/encoding.h"
#include "libs/base/run_task.h"
#include "libs/http/client.h"
#include "libs/http/form.h"
#include "libs/throwaway/throwaway_pki.h"
#include "simulator/apps/idp_fixture.h"
#include "simulator/apps/xml.h"

namespace devicetrust::simulator {
namespace {

class AppListenerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    idp_ = std::make_unique<TestIdp>();
    listener_ = AppListener::Start("127.0.0.1:0", "apps.localhost",
                                   pki_.Server("apps", {"apps.localhost"}), clock_, random_)
                    .value();
    app_ =
        std::make_unique<ServiceProvider>(ServiceProviderConfig{"mail", "Mail", "urn:example:mail",
                                                                listener_->origin() + "/mail/acs"},
                                          clock_, random_);
    app_->SetIdp({"https://org.localhost/saml",
                  "https://org.localhost/sso",
                  "",
                  {idp_->key().public_key()}});
    pki::TlsClientConfig tls;
    tls.trusted = {pki_.web_ca().certificate};
    tls.clock = &clock_;
    tls_ = std::make_unique<pki::TlsContext>(pki::TlsContext::ForClient(std::move(tls)).value());
  }

  http::ParsedResponse Send(http::ClientRequest request) {
    const http::Url url = http::ParseUrl(listener_->origin()).value();
    http::ClientOptions options;
    options.address = url.Address();
    options.host = url.host;
    options.port = url.port;
    options.tls = tls_.get();
    return RunTask(http::Fetch(std::move(options), std::move(request))).value();
  }
  http::ParsedResponse Get(const std::string& path) {
    http::ClientRequest request;
    request.target = path;
    return Send(std::move(request));
  }
  // Posts a response to the request with that id; `cookie` empty: none.
  http::ParsedResponse Post(const std::string& request_id, const std::string& state,
                            const std::string& cookie) {
    ResponseParts parts;
    parts.request_id = request_id;
    parts.acs = listener_->origin() + "/mail/acs";
    parts.issued = clock_.Now();
    const std::string response = Base64Encode(AsBytes(idp_->Respond(parts)));
    http::ClientRequest request;
    request.method = "POST";
    request.target = "/mail/acs";
    request.fields.Set("content-type", "application/x-www-form-urlencoded");
    if (!cookie.empty()) request.fields.Set("cookie", cookie);
    request.body = http::EncodeParameters({{"SAMLResponse", response}, {"RelayState", state}});
    return Send(std::move(request));
  }

  SystemClock clock_;
  SystemRandom random_;
  throwaway::ThrowawayPki pki_{"acme", clock_.Now()};
  std::unique_ptr<TestIdp> idp_;
  std::unique_ptr<ServiceProvider> app_;
  std::unique_ptr<AppListener> listener_;
  std::unique_ptr<pki::TlsContext> tls_;
};

TEST_F(AppListenerTest, ListsTheAppsWithNotes) {
  listener_->SetApps({app_.get()});
  EXPECT_NE(Get("/").body.find("<a href=\"/mail/\">Mail</a>"), std::string::npos);
  listener_->SetNotes(
      {{"Zo\u00eb <Q&A>", ""}, {"CRM, yours", "https://org.localhost/app/crm?a&b"}});
  const std::string page = Get("/").body;
  EXPECT_NE(page.find("<p>Zo\u00eb &lt;Q&amp;A&gt;</p>"), std::string::npos) << page;
  EXPECT_NE(page.find("<a href=\"https://org.localhost/app/crm?a&amp;b\">CRM, yours</a>"),
            std::string::npos)
      << page;
}

TEST_F(AppListenerTest, SaysThatItStartsUntilItHasItsApps) {
  EXPECT_EQ(Get("/").status, 503);
  listener_->SetApps({app_.get()});
  EXPECT_NE(Get("/").body.find("href=\"/mail/\""), std::string::npos);
  EXPECT_EQ(Get("/nothing").status, 404);
}

TEST_F(AppListenerTest, SignsInTheBrowserThatAskedAndNoOther) {
  listener_->SetApps({app_.get()});
  const http::ParsedResponse begin = Get("/mail/");
  ASSERT_EQ(begin.status, 303);
  const std::string location(begin.fields.Find("location").value());
  const std::string cookie(begin.fields.Find("set-cookie").value());
  const std::string pair = cookie.substr(0, cookie.find(';'));
  const auto query = http::ParseParameters(location.substr(location.find('?') + 1)).value();
  const std::string state = query.Single("RelayState").value();
  EXPECT_EQ(pair, "__Host-app-state-" + state + "=1");

  const auto other = app_->StartSignOn(ServiceProvider::Binding::kRedirect, "other").value();
  EXPECT_EQ(Post(other.request_id, "other", pair).status, 403);
  EXPECT_EQ(Post(other.request_id, "other", "").status, 403);
  const http::ParsedResponse welcome = Post(other.request_id, "other", "__Host-app-state-other=1");
  EXPECT_EQ(welcome.status, 200);
  EXPECT_NE(welcome.body.find("user9@corp.test"), std::string::npos);
  EXPECT_NE(welcome.body.find("Zoë &lt;Q&amp;A&gt; Müller"), std::string::npos) << welcome.body;
}

// Tabs opened at once each finish, in any order, and leave nothing behind.
TEST_F(AppListenerTest, ManySignInsOfOneBrowserAllFinish) {
  listener_->SetApps({app_.get()});
  std::string cookies;
  std::vector<std::pair<std::string, std::string>> tabs;  // Request id and state.
  for (int i = 0; i < 3; ++i) {
    const std::string state = fmt::format("tab{}", i);
    const auto sign_on = app_->StartSignOn(ServiceProvider::Binding::kRedirect, state).value();
    tabs.emplace_back(sign_on.request_id, state);
    cookies += fmt::format("{}__Host-app-state-{}=1", i == 0 ? "" : "; ", state);
  }
  for (const auto& [request_id, state] : {tabs[2], tabs[0], tabs[1]}) {
    const http::ParsedResponse welcome = Post(request_id, state, cookies);
    EXPECT_EQ(welcome.status, 200) << welcome.body;
    EXPECT_TRUE(
        welcome.fields.Find("set-cookie")->starts_with("__Host-app-state-" + state + "=; "));
  }
}

TEST_F(AppListenerTest, TabsLeftBehindGiveWay) {
  listener_->SetApps({app_.get()});
  std::string cookies = "other=1";
  for (int i = 0; i < 16; ++i) cookies += fmt::format("; __Host-app-state-{}=1", i);
  http::ClientRequest request;
  request.target = "/mail/";
  request.fields.Set("cookie", cookies);
  const http::ParsedResponse begin = Send(std::move(request));
  std::vector<std::string> cleared;
  for (const http::Field& field : begin.fields.all()) {
    if (field.name == "set-cookie" && field.value.find("Max-Age=0") != std::string::npos) {
      cleared.push_back(field.value.substr(0, field.value.find(';')));
    }
  }
  EXPECT_EQ(cleared, std::vector<std::string>{"__Host-app-state-0="});
}

TEST_F(AppListenerTest, ARelyingPartyBeginsEndsAndHearsOfSignOuts) {
  RelyingParty office(
      {"office", "Office", "urn:example:office", listener_->origin() + "/office/wsfed"}, clock_);
  office.SetIssuer({"https://org.localhost/fed", "https://org.localhost/sso/wsfed", "", {}});
  listener_->SetApps({app_.get()}, {&office});
  EXPECT_NE(Get("/").body.find("<a href=\"/office/\">Office</a>"), std::string::npos);
  const http::ParsedResponse begin = Get("/office/");
  ASSERT_EQ(begin.status, 303);
  const std::string location(begin.fields.Find("location").value());
  const auto query = http::ParseParameters(location.substr(location.find('?') + 1)).value();
  EXPECT_EQ(query.Single("wtrealm").value(), "urn:example:office");
  const std::string cookie(begin.fields.Find("set-cookie").value());
  EXPECT_TRUE(cookie.starts_with("__Host-app-state-" + query.Single("wctx").value() + "=1"));

  http::ClientRequest request;
  request.method = "POST";
  request.target = "/office/wsfed";
  request.fields.Set("content-type", "application/x-www-form-urlencoded");
  request.body = http::EncodeParameters(
      {{"wa", "wsignin1.0"}, {"wresult", "<x/>"}, {"wctx", query.Single("wctx").value()}});
  EXPECT_EQ(Send(std::move(request)).status, 403);  // Another browser.

  const http::ParsedResponse told = Get("/office/wsfed?wa=wsignoutcleanup1.0");
  EXPECT_EQ(told.fields.Find("content-type"), "image/gif");
  EXPECT_NE(Get("/office/wsfed").body.find("signed out"), std::string::npos);
  listener_.reset();  // Before the party that it knows.
}

}  // namespace
}  // namespace devicetrust::simulator
