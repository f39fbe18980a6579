#include "simulator/browser/browser.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>

#include "libs/http/server.h"

namespace devicetrust::simulator {
namespace {

// A server that answers with what it was told of cookies, and sets and deletes some.
class BrowserTest : public ::testing::Test {
 protected:
  void SetUp() override {
    http::ListenerConfig listener;
    listener.address = "127.0.0.1:0";
    listener.flag = "--listen";
    listener.handler = [this](const http::Request& request) { return Answer(request); };
    http::ServerConfig config;
    config.listeners.push_back(std::move(listener));
    config.clock = &clock_;
    server_ = http::Server::Start(std::move(config)).value();
  }

  Task<http::Response> Answer(const http::Request& request) {
    http::Response response =
        http::Text(200, fmt::format("{} [{}] {}", request.method,
                                    request.fields.Find("cookie").value_or("none"), request.body));
    if (request.path == "/set") {
      response.fields.Add("set-cookie", http::FormatCookie({"__Host-lax", "1", {}}));
      response.fields.Add(
          "set-cookie",
          http::FormatCookie({"__Host-none", "2", {}, http::SetCookie::SameSite::kNone}));
    }
    if (request.path == "/delete") {
      response.fields.Add("set-cookie", http::FormatCookie({"__Host-lax", "", 0}));
    }
    if (request.path == "/away") response = http::SeeOther("/set?x=1");
    if (request.path == "/close") response.close = true;
    connections_ = server_->counters().connections;
    co_return response;
  }

  std::string Origin() const {
    return fmt::format("http://127.0.0.1:{}", server_->endpoint(0).port());
  }

  absl::StatusOr<Page> Run(Task<absl::StatusOr<Page>> task) {
    absl::StatusOr<Page> result = absl::UnknownError("not run");
    co_spawn(io_, std::move(task), [&](std::exception_ptr, absl::StatusOr<Page> page) {
      result = std::move(page);
      io_.stop();  // Kept connections would hold it.
    });
    io_.restart();
    io_.run_for(std::chrono::seconds(20));
    return result;
  }
  std::string Get(Browser& browser, const std::string& path) {
    return Run(browser.Get(Origin() + path)).value().response.body;
  }

  SystemClock clock_;
  std::unique_ptr<http::Server> server_;
  std::atomic<std::uint64_t> connections_{0};
  boost::asio::io_context io_;
};

TEST_F(BrowserTest, KeepsCookiesOfItsHostUntilTheyAreDeleted) {
  Browser browser(BrowserConfig{});
  EXPECT_EQ(Get(browser, "/"), "GET [none] ");
  Get(browser, "/set");
  EXPECT_EQ(Get(browser, "/"), "GET [__Host-lax=1; __Host-none=2] ");
  Get(browser, "/delete");
  EXPECT_EQ(Get(browser, "/"), "GET [__Host-none=2] ");
  Browser other(BrowserConfig{});
  EXPECT_EQ(Get(other, "/"), "GET [none] ");
}

TEST_F(BrowserTest, LaxCookiesStayHomeWhenAnotherSitePosts) {
  Browser browser(BrowserConfig{});
  Get(browser, "/set");
  EXPECT_EQ(Run(browser.Post(Origin() + "/", "a=1", /*cross_site=*/true)).value().response.body,
            "POST [__Host-none=2] a=1");
  EXPECT_EQ(Run(browser.Post(Origin() + "/", "a=1", /*cross_site=*/false)).value().response.body,
            "POST [__Host-lax=1; __Host-none=2] a=1");
}

TEST_F(BrowserTest, KeepsOneConnectionAndReplacesAClosedOne) {
  Browser browser(BrowserConfig{});
  Get(browser, "/");
  Get(browser, "/");
  EXPECT_EQ(connections_, 1u);
  Get(browser, "/close");
  Get(browser, "/");
  EXPECT_EQ(connections_, 2u);
}

TEST_F(BrowserTest, ResolvesWhereAPageLeads) {
  Browser browser(BrowserConfig{});
  const Page page = Run(browser.Get(Origin() + "/away")).value();
  EXPECT_TRUE(page.IsRedirect());
  EXPECT_EQ(page.Location(), Origin() + "/set?x=1");
  EXPECT_EQ(page.Resolve("signin"), Origin() + "/signin");
  EXPECT_EQ(page.Resolve(""), Origin() + "/away");
  EXPECT_EQ(page.Resolve("https://sp.localhost/acs"), "https://sp.localhost/acs");
}

TEST_F(BrowserTest, ABadAddressIsAnError) {
  Browser browser(BrowserConfig{});
  EXPECT_EQ(Run(browser.Get("javascript:alert(1)")).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Run(browser.Get("http://127.0.0.1:1/")).status().code(),
            absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace devicetrust::simulator
