#include "simulator/handshake/load_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace devicetrust::simulator {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;

LoadResult Sample() {
  LoadResult result;
  result.seconds = 2;
  result.begun = 1001;
  result.done = 1000;
  result.outcomes = {{"200", 1000}};
  for (int i = 1; i <= 1000; ++i) result.latency.Record(milliseconds(i));
  result.client_cpu_seconds = 0.25;
  result.server = Listener{"nginx", {41, 42}};
  result.server_cpu_seconds = 0.75;
  result.failures.Add("x", "connection", "x");
  return result;
}

TEST(LoadReportTest, TheJsonHasTheFiguresOfAnOpenLoad) {
  LoadPlan plan;
  plan.address = "127.0.0.1";
  plan.port = 8443;
  plan.per_second = 500;
  const auto json = nlohmann::json::parse(LoadJson(plan, Sample(), {"the machine was the limit"}));
  EXPECT_EQ(json["target"], "127.0.0.1:8443");
  EXPECT_EQ(json["mode"], "open");
  EXPECT_EQ(json["rate"], 500);
  EXPECT_EQ(json["done"], 1000);
  EXPECT_EQ(json["errors"], 1);
  EXPECT_EQ(json["per_second"], 500.0);
  EXPECT_NEAR(json["latency"]["p50_ms"].get<double>(), 500, 5);
  EXPECT_NEAR(json["latency"]["p999_ms"].get<double>(), 999, 10);
  EXPECT_EQ(json["latency"]["max_ms"], 1000.0);
  EXPECT_EQ(json["client"]["cpu_us"], 250.0);
  EXPECT_EQ(json["server"]["cpu_us"], 750.0);
  EXPECT_EQ(json["server"]["pids"], nlohmann::json({41, 42}));
  EXPECT_EQ(json["limited_by"][0], "the machine was the limit");
}

TEST(LoadReportTest, TheTextSaysWhatWasMeasuredAndWhatNot) {
  LoadPlan plan;
  plan.address = "127.0.0.1";
  plan.port = 8443;
  const std::string text = LoadSummary(plan, Sample(), {"the machine was the limit"});
  EXPECT_THAT(text, HasSubstr("closed, 16 at once"));
  EXPECT_THAT(text, HasSubstr("1,000 connections in 2.0 s, 500/s"));
  EXPECT_THAT(text, HasSubstr("generator 250 us per connection, nginx 750 us"));
  EXPECT_THAT(text, HasSubstr("was not checked (--ca)"));
  EXPECT_THAT(text, HasSubstr("NOTE: the machine was the limit"));
  EXPECT_THAT(text, HasSubstr("FAILED: 1 connection"));
  EXPECT_THAT(text, Not(HasSubstr("resumed")));
}

}  // namespace
}  // namespace devicetrust::simulator
