// Hooks over real HTTPS, to a receiver on loopback.
#include "policy-engine/log/hook_poster.h"

#include <gtest/gtest.h>

#include <atomic>

#include "libs/http/server.h"
#include "libs/rpc/error.h"
#include "libs/testing/status.h"
#include "libs/throwaway/throwaway_pki.h"

namespace devicetrust::policy {
namespace {

using std::chrono::milliseconds;

TEST(HookUrlTest, MustBeHttpsToAPublicHost) {
  DT_EXPECT_OK(CheckHookUrl("https://siem.example.com/events?org=acme", false));
  DT_EXPECT_OK(CheckHookUrl("https://8.8.8.8/", false));
  DT_EXPECT_OK(CheckHookUrl("https://127.0.0.1:8443/", true));
  for (const std::string& bad :
       {std::string(""), std::string("siem.example.com"), std::string("http://siem.example.com/"),
        std::string("https://user:pass@siem.example.com/"), std::string("https://localhost/"),
        std::string("https://127.0.0.1/"), std::string("https://[::1]/"),
        std::string("https://10.1.2.3/"), std::string("https://[::ffff:10.1.2.3]/"),
        std::string("https://169.254.169.254/latest"), "https://a/" + std::string(2048, 'x')}) {
    const absl::Status refused = CheckHookUrl(bad, false);
    DT_EXPECT_CODE(refused, kInvalidArgument);
    EXPECT_EQ(rpc::ReasonOf(refused), reason::v1::REASON_MALFORMED_REQUEST) << bad;
  }
}

TEST(HookUrlTest, KnowsWhichAddressesAreNotPublic) {
  for (const char* address : {"0.0.0.0",
                              "10.0.0.1",
                              "100.64.0.1",
                              "127.0.0.1",
                              "169.254.169.254",
                              "172.16.0.1",
                              "172.31.255.255",
                              "192.0.0.1",
                              "192.0.2.1",
                              "192.168.1.1",
                              "198.18.0.1",
                              "198.51.100.1",
                              "203.0.113.1",
                              "224.0.0.1",
                              "255.255.255.255",
                              "::",
                              "::1",
                              "::ffff:10.0.0.1",
                              "fc00::1",
                              "fe80::1",
                              "ff02::1",
                              "64:ff9b::a00:1",
                              "2001:db8::1",
                              "2001::1",
                              "2002:a00:1::1",
                              "3fff::1",
                              "nonsense",
                              ""}) {
    EXPECT_TRUE(IsPrivateAddress(address)) << address;
  }
  for (const char* address : {"1.1.1.1", "8.8.8.8", "100.128.0.1", "172.32.0.1", "192.0.1.1",
                              "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8"}) {
    EXPECT_FALSE(IsPrivateAddress(address)) << address;
  }
}

class HookPosterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const pki::ExportableIdentity& receiver = pki_.Server("receiver", {"localhost"});
    http::ListenerConfig listener;
    listener.address = "127.0.0.1:0";
    listener.flag = "--receiver-listen";
    listener.tls =
        std::make_shared<pki::TlsContext>(pki::TlsContext::ForServer({receiver}).value());
    listener.handler = [this](const http::Request& request) { return Answer(&seen_, request); };
    http::ServerConfig config;
    config.listeners.push_back(std::move(listener));
    config.clock = &clock_;
    server_ = http::Server::Start(std::move(config)).value();
    poster_ = HookPoster::Create({pki_.web_ca().certificate}, true, clock_).value();
  }
  static Task<http::Response> Answer(http::Request* seen, const http::Request& request) {
    *seen = request;
    if (request.path == "/moved") co_return http::SeeOther("https://localhost/elsewhere");
    if (request.path == "/broken") co_return http::Text(500, "secret detail");
    co_return http::Text(200, "taken");
  }
  absl::Status Post(const std::string& path, bool given_up = false) {
    const std::string url =
        "https://localhost:" + std::to_string(server_->endpoint(0).port()) + path;
    const std::vector<HookKeyOctets> keys = {{"hk-1", Bytes(32, 1)}, {"hk-2", Bytes(32, 2)}};
    return poster_->Post(url, SignHookMessage("siem/1-2", R"({"events":[]})", 1'780'300'800, keys),
                         {milliseconds(5000), milliseconds(5000)}, [given_up] { return given_up; });
  }

  SystemClock clock_;
  throwaway::ThrowawayPki pki_{"acme", clock_.Now()};
  http::Request seen_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<HookPoster> poster_;
};

// By Python: hmac.new(b"\1"*32, b'v1:1780300800:siem/1-2:{"events":[]}', "sha256").hexdigest().
TEST_F(HookPosterTest, PostsTheBodyWithWhatProvesIt) {
  DT_ASSERT_OK(Post("/events?a=b"));
  EXPECT_EQ(seen_.method, "POST");
  EXPECT_EQ(seen_.target, "/events?a=b");
  EXPECT_EQ(seen_.body, R"({"events":[]})");
  EXPECT_EQ(seen_.fields.Find("content-type"), "application/json");
  EXPECT_EQ(seen_.fields.Find("dt-hook-delivery"), "siem/1-2");
  EXPECT_EQ(seen_.fields.Find("dt-hook-timestamp"), "1780300800");
  EXPECT_EQ(seen_.fields.Find("dt-hook-signature"),
            "v1=hk-1:d13c7ee633aba35740df00762f3225aeffea1a0de4d7ef4e6cf8e4da5fbffde3"
            " v1=hk-2:4b13fb0b2ca6e26928d4e1095f219bbb11cc485ecb31630bbef5e350368435bf");
}

TEST_F(HookPosterTest, OnlyTwoHundredIsTakenAndNoRedirectFollowed) {
  EXPECT_EQ(Post("/moved").message(), "localhost answered 303");
  EXPECT_EQ(seen_.path, "/moved");
  const absl::Status broken = Post("/broken");
  EXPECT_EQ(broken.message(), "localhost answered 500");  // Nothing of its body.
}

TEST_F(HookPosterTest, TrustsNoOtherCaAndNoPrivateAddressUnasked) {
  poster_ = HookPoster::Create({pki_.deployment_ca().certificate}, true, clock_).value();
  DT_EXPECT_CODE(Post("/events"), kUnauthenticated);
  EXPECT_EQ(seen_.method, "");
  poster_ = HookPoster::Create({pki_.web_ca().certificate}, false, clock_).value();
  const absl::Status refused = Post("/events");
  DT_EXPECT_CODE(refused, kFailedPrecondition);
  EXPECT_NE(refused.message().find("no public address"), std::string::npos);
  EXPECT_EQ(seen_.method, "");
}

TEST_F(HookPosterTest, PostsNothingWithoutACa) {
  poster_ = HookPoster::Create({}, true, clock_).value();
  const absl::Status refused = Post("/events");
  DT_EXPECT_CODE(refused, kFailedPrecondition);
  EXPECT_NE(refused.message().find("--hook-ca"), std::string::npos);
}

TEST_F(HookPosterTest, EndsWhenItIsGivenUp) {
  DT_EXPECT_CODE(Post("/events", true), kDeadlineExceeded);
}

}  // namespace
}  // namespace devicetrust::policy
