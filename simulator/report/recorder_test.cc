#include "simulator/report/recorder.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "simulator/report/recording_json.h"

namespace devicetrust::simulator {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

class RecorderTest : public ::testing::Test {
 protected:
  Recorder::Moment At(std::chrono::duration<double> since) const {
    return begun_ + std::chrono::duration_cast<Recorder::Monotonic::duration>(since);
  }

  const Recorder::Moment begun_{seconds(1000)};
  Recorder recorder_{begun_};
};

TEST_F(RecorderTest, CountsEachSecondByItself) {
  recorder_.Done("enroll", milliseconds(30), milliseconds(10), At(seconds(1)));
  recorder_.Done("enroll", milliseconds(50), milliseconds(20), At(seconds(1)));
  recorder_.Failed("enroll", At(seconds(2)));
  const Recording recording = recorder_.Read(At(seconds(3)));
  ASSERT_EQ(recording.operations.size(), 1u);
  const OperationRecord& enroll = recording.operations[0];
  EXPECT_EQ(enroll.slots[4].done, 2u);
  EXPECT_EQ(enroll.slots[5].done, 0u);
  EXPECT_EQ(enroll.slots[8].errors, 1u);
  EXPECT_EQ(enroll.response.max(), milliseconds(50));
  EXPECT_EQ(enroll.service.max(), milliseconds(20));
  EXPECT_EQ(recording.slots(), 13u);
}

TEST_F(RecorderTest, ADayHasAsManySlotsAsAMinuteAndLosesNothing) {
  for (int minute = 0; minute < 24 * 60; ++minute) {
    recorder_.Done("open", milliseconds(minute + 1), milliseconds(1), At(seconds(60 * minute)));
    recorder_.Decided("rule", "allowed", At(seconds(60 * minute)));
    recorder_.Gauge("enrolled", minute, At(seconds(60 * minute)));
  }
  const Recording recording = recorder_.Read(At(seconds(24 * 3600)));
  EXPECT_DOUBLE_EQ(recording.slot_seconds, 256);
  std::uint64_t done = 0;
  std::uint64_t latencies = 0;
  for (const OperationSlot& slot : recording.operations[0].slots) {
    done += slot.done;
    latencies += slot.response.count();
  }
  EXPECT_EQ(done, 1440u);
  EXPECT_EQ(latencies, 1440u);
  EXPECT_LE(recording.operations[0].slots.size(), Recorder::kSlotsMax);
  std::uint64_t decided = 0;
  for (const std::uint64_t slot : recording.rules[0].slots) decided += slot;
  EXPECT_EQ(decided, 1440u);
  EXPECT_EQ(recording.gauges[0].slots.back(), 1439);
}

TEST_F(RecorderTest, HasABoundForNamesToo) {
  for (int i = 0; i < 1000; ++i) {
    const std::string name = std::to_string(i);
    recorder_.Done(name, microseconds(1), microseconds(1), At(seconds(1)));
    recorder_.Decided(name, "allowed", At(seconds(1)));
    recorder_.Gauge(name, 1, At(seconds(1)));
    recorder_.Happened(name, At(seconds(1)));
    recorder_.Tell({name, "", "", "", 0, {}, {}}, At(seconds(1)));
  }
  const Recording recording = recorder_.Read();
  EXPECT_EQ(recording.operations.size(), Recorder::kNamesMax);
  EXPECT_EQ(recording.rules.size(), Recorder::kNamesMax);
  EXPECT_EQ(recording.gauges.size(), Recorder::kNamesMax);
  EXPECT_EQ(recording.faults.size(), Recorder::kFaultsMax);
  EXPECT_EQ(recording.stories.size(), Recorder::kNamesMax);
}

TEST_F(RecorderTest, CpuTimeIsThatSinceTheReadingBefore) {
  recorder_.Used({0, {{"dt-ca", 17, 2.0, 100}}}, At(seconds(0)));
  recorder_.Used({0, {{"dt-ca", 17, 2.5, 300}}}, At(seconds(1)));
  recorder_.Used({0, {{"dt-ca", 17, 2.75, 200}}}, At(seconds(2)));
  const Recording recording = recorder_.Read(At(seconds(2)));
  ASSERT_EQ(recording.processes.size(), 1u);
  EXPECT_DOUBLE_EQ(recording.processes[0].slots[0]->cpu_seconds, 0);
  EXPECT_DOUBLE_EQ(recording.processes[0].slots[4]->cpu_seconds, 0.5);
  EXPECT_FALSE(recording.processes[0].slots[5].has_value());
  EXPECT_DOUBLE_EQ(recording.processes[0].slots[8]->cpu_seconds, 0.25);
  EXPECT_EQ(recording.processes[0].slots[8]->pss_bytes, 200u);
}

TEST_F(RecorderTest, AFaultLastsUntilItEnds) {
  recorder_.FaultBegins("CA down", At(seconds(2)));
  recorder_.Happened("five revoked", At(seconds(3)));
  recorder_.FaultEnds("CA down", At(seconds(5)));
  recorder_.FaultBegins("CA down", At(seconds(9)));
  const Recording recording = recorder_.Read();
  ASSERT_EQ(recording.faults.size(), 3u);
  EXPECT_DOUBLE_EQ(recording.faults[0].begin_seconds, 2);
  EXPECT_EQ(recording.faults[0].end_seconds, 5);
  EXPECT_EQ(recording.faults[1].end_seconds, 3);
  EXPECT_FALSE(recording.faults[2].end_seconds.has_value());
}

TEST_F(RecorderTest, OfStoriesTheSlowestIsKept) {
  for (const int took : {20, 50, 30}) {
    const std::string who = std::to_string(took);
    recorder_.Tell({"The slowest", who, "allowed", "", 0, milliseconds(took), {}});
  }
  EXPECT_FALSE(recorder_.WantsStory("The slowest", milliseconds(40)));
  EXPECT_TRUE(recorder_.WantsStory("The slowest", milliseconds(60)));
  EXPECT_EQ(recorder_.Read().stories.at(0).subject, "50");
}

RunResult Recorded(Recorder& recorder) {
  recorder.Done("enroll", milliseconds(30), milliseconds(10));
  recorder.Failed("enroll");
  recorder.Decided("trusted", "allowed");
  recorder.Gauge("enrolled", 17);
  recorder.Used({0, {{"dt-ca", 17, 2.0, 100}}});
  recorder.FaultBegins("CA down");
  recorder.Tell({"The slowest",
                 "user1",
                 "denied",
                 "7F3K-9QXD",
                 0,
                 milliseconds(40),
                 {{"password", milliseconds(1), milliseconds(2), "200"}}});
  recorder.Judged({{"enroll.p99 < 1s", "30 ms", true}});
  RunResult result;
  result.version = "1.2.3";
  result.scenario = "Monday morning";
  result.seed = 999'999'999'999'999'999;
  result.cores = 2;
  result.resources = {31, {{"dt-sim", 17, 12.5, 200u << 20}}};
  result.decisions = {{"trusted", "allowed", 1, "all of them"}};
  result.system_log = {{"pki.cert.issue", 1}};
  result.violations = {"none, <really>"};
  result.story = {"Who is who."};
  result.steps = {{"enroll: install", {}}};
  result.steps[0].second.Record(milliseconds(3));
  result.recording = recorder.Read();
  return result;
}

TEST_F(RecorderTest, AResultIsReadAsItWasWritten) {
  const std::string json = ToJson(Recorded(recorder_));
  const absl::StatusOr<RunResult> read = ParseResult(json);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(ToJson(*read), json);
  EXPECT_EQ(read->recording.stories.at(0).steps.at(0).detail, "200");
  EXPECT_EQ(read->steps.at(0).second.count(), 1u);
}

TEST_F(RecorderTest, AFieldOfAnotherKindIsNamed) {
  const std::string good = ToJson(Recorded(recorder_));
  auto json = nlohmann::ordered_json::parse(good);
  const auto refused = [](const nlohmann::ordered_json& changed) {
    return std::string(ParseResult(changed.dump()).status().message());
  };
  auto changed = json;
  changed["recording"]["operations"][0]["response"] = {5, 5, 3, 1};
  EXPECT_EQ(refused(changed), "recording.operations[0].response is not a histogram");
  changed = json;
  changed["recording"]["gauges"][0]["slots"] = {{0, -1}};
  EXPECT_EQ(refused(changed),
            "recording.gauges[0].slots[0][1] is not a number from 0 to 1000000000000000");
  changed = json;
  changed["recording"]["gauges"][0]["slots"] = {{5, 1}, {5, 1}};
  EXPECT_NE(refused(changed).find("later than the slot before it"), std::string::npos);
  changed = json;
  changed["result_version"] = 2;
  EXPECT_NE(refused(changed).find("result_version is 2"), std::string::npos);
  changed.erase("result_version");
  EXPECT_NE(refused(changed).find("older dt-sim"), std::string::npos);
  EXPECT_NE(std::string(ParseResult("[1").status().message()).find("no JSON object"),
            std::string::npos);
}

}  // namespace
}  // namespace devicetrust::simulator
