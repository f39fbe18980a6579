#include "simulator/report/result.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace devicetrust::simulator {
namespace {

Meter::Snapshot Phase(const std::string& name, std::uint64_t count) {
  Meter meter(name, count);
  for (std::uint64_t i = 0; i < count; ++i) meter.Done(std::chrono::milliseconds(10));
  Meter::Snapshot snapshot = meter.Read();
  snapshot.seconds = 2;
  return snapshot;
}

RunResult Sample() {
  RunResult result;
  result.seed = 7;
  result.enroll = Phase("enroll", 800);
  result.signin = Phase("sign in", 1000);
  result.challenge = Phase("challenge", 3000);
  result.decisions = {{"legacy mail client", "allowed", 0, "not exercised"},
                      {"trusted Windows", "allowed + TOTP", 3200, ""}};
  result.system_log = {{"pki.cert.issue", 800}};
  result.resources = {31, {{"dt-sim", 17, 12.5, 200u << 20}}};
  result.story = {"Who is who.", "What was checked."};
  return result;
}

TEST(ResultTest, TheJsonHasExactlyItsFields) {
  const auto json = nlohmann::json::parse(ToJson(Sample()));
  std::vector<std::string> keys;
  for (const auto& item : json.items()) keys.push_back(item.key());
  EXPECT_EQ(keys,
            (std::vector<std::string>{"challenge", "decisions", "devices", "enroll", "machine",
                                      "recording", "resources", "result_version", "scenario",
                                      "seed", "separate_processes", "signin", "started_at", "steps",
                                      "story", "system_log", "valid", "version", "violations"}));
  EXPECT_EQ(json["enroll"]["count"], 800);
  EXPECT_EQ(json["enroll"]["errors"], 0);
  EXPECT_DOUBLE_EQ(json["enroll"]["per_second"], 400);
  EXPECT_NEAR(json["enroll"]["p50_ms"], 10, 0.1);
  EXPECT_EQ(json["decisions"]["trusted Windows"], 3200);
  EXPECT_EQ(json["resources"]["processes"][0]["pss_bytes"], 200u << 20);
  EXPECT_EQ(json["valid"], true);
  EXPECT_TRUE(json["violations"].empty());
}

TEST(ResultTest, TheStepsStandInColumns) {
  RunResult result = Sample();
  result.steps = {{"enroll: install", {}}, {"sign-in: challenge (mTLS handshake), or longer", {}}};
  const std::string text = Summary(result, Style{});
  const std::size_t first = text.find("enroll: install");
  const std::size_t second = text.find("sign-in: challenge");
  EXPECT_EQ(text.find("p50", first) - first, text.find("p50", second) - second) << text;
}

TEST(ResultTest, RulesAreNumberedAsTheOrgNumbersThem) {
  const std::string text = Summary(Sample(), Style{});
  EXPECT_NE(text.find("1 legacy mail client  allowed"), std::string::npos) << text;
  EXPECT_NE(text.find("2 trusted Windows     allowed + TOTP"), std::string::npos) << text;
}

TEST(ResultTest, ARunThatDidNotComeToItsEndIsNotValidAndSaysWhy) {
  RunResult result;
  result.failure = "dt-ca ended by itself";
  const auto json = nlohmann::json::parse(ToJson(result));
  EXPECT_EQ(json["valid"], false);
  EXPECT_EQ(json["reason"], "dt-ca ended by itself");
}

TEST(ResultTest, AViolationMakesTheRunFail) {
  RunResult result = Sample();
  EXPECT_NE(Summary(result, Style{}).find("PASS in 31.0 s"), std::string::npos);
  result.violations = {"799 issued, but the System Log has 800"};
  const std::string text = Summary(result, Style{});
  EXPECT_NE(text.find("violation  799 issued"), std::string::npos) << text;
  EXPECT_NE(text.find("FAIL"), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(ToJson(result))["valid"], false);
}

}  // namespace
}  // namespace devicetrust::simulator
