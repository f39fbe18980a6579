#include "libs/service/metrics_listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/base/run_task.h"
#include "libs/http/client.h"
#include "libs/testing/status.h"

namespace devicetrust::service {
namespace {

using ::testing::HasSubstr;

class MetricsListenerTest : public ::testing::Test {
 protected:
  http::ParsedResponse Ask(std::string method, std::string target, std::string body = {}) {
    const std::string address = "127.0.0.1:" + std::to_string(server_->endpoint(0).port());
    return RunTask(
               http::Fetch({.address = address, .host = "localhost"}, {.method = std::move(method),
                                                                       .target = std::move(target),
                                                                       .fields = {},
                                                                       .body = std::move(body)}))
        .value();
  }

  const SystemClock clock_;
  const std::unique_ptr<http::Server> server_ = StartMetricsListener("127.0.0.1:0", clock_).value();
};

TEST_F(MetricsListenerTest, ServesTheMetricsToGetAndHead) {
  const http::ParsedResponse got = Ask("GET", "/metrics");
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.fields.Find("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(got.body, HasSubstr("\ndt_http_connections_total{listener=\"metrics\"} "));
  const http::ParsedResponse head = Ask("HEAD", "/metrics");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
}

TEST_F(MetricsListenerTest, ServesNothingElse) {
  EXPECT_EQ(Ask("GET", "/").status, 404);
  EXPECT_EQ(Ask("POST", "/metrics").status, 405);
  EXPECT_EQ(Ask("POST", "/metrics", "a body").status, 413);
}

TEST_F(MetricsListenerTest, NamesTheOptionOfABadAddress) {
  const auto refused = StartMetricsListener("nowhere", clock_);
  DT_EXPECT_CODE(refused, kInvalidArgument);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("--metrics-listen"));
}

}  // namespace
}  // namespace devicetrust::service
