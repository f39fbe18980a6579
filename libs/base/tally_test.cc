#include "libs/base/tally.h"

#include <gtest/gtest.h>

#include "libs/base/files.h"
#include "libs/base/log.h"
#include "libs/base/log_sparsely.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"

namespace devicetrust {
namespace {

int CountMany(Tally& tally, const std::string& key, int count) {
  int told = 0;
  for (int i = 0; i < count; ++i) told += tally.Count(key) ? 1 : 0;
  return told;
}

TEST(TallyTest, TellsTheFirstOfEachKeyAndSumsUpTheRest) {
  Tally tally({.each_max = 2, .all_max = 100, .keys_max = 100});
  EXPECT_EQ(CountMany(tally, "a", 10), 2);
  EXPECT_EQ(CountMany(tally, "b", 2), 2);
  const auto sums = tally.TakeSums();
  ASSERT_EQ(sums.size(), 1u);  // All of b was told.
  EXPECT_EQ(sums[0].key, "a");
  EXPECT_EQ(sums[0].untold, 8u);
  EXPECT_TRUE(tally.TakeSums().empty());
  EXPECT_EQ(CountMany(tally, "a", 10), 2);  // Another period.
}

TEST(TallyTest, IsBoundedHoweverManyKeysThereAre) {
  Tally tally({.each_max = 5, .all_max = 3, .keys_max = 10});
  int told = 0;
  for (int i = 0; i < 1000; ++i) told += tally.Count("key" + std::to_string(i)) ? 1 : 0;
  EXPECT_EQ(told, 3);
  const auto sums = tally.TakeSums();
  ASSERT_EQ(sums.size(), 8u);  // Ten keys, three of them told, and all others as one.
  EXPECT_EQ(sums.back().key, "");
  EXPECT_EQ(sums.back().untold, 990u);
}

TEST(LogSparselyTest, LogsSomeOfEachAndTheirNumber) {
  const testing::TempFolder folder;
  DT_ASSERT_OK(SetLogFile(folder / "log"));
  for (int i = 0; i < 100; ++i) {
    LogSparsely(LogLevel::kWarning, "door.knocked", "192.0.2.1", {{"number", i}});
  }
  LogSparsely(LogLevel::kWarning, "door.knocked", "192.0.2.2", {{"number", 100}});
  LogSparsely(LogLevel::kWarning, "bell.rung", "192.0.2.1");
  LogSums();
  LogSums();  // Nothing is left.
  const std::string log = ReadFile(folder / "log").value();
  const auto count = [&log](std::string_view text) {
    std::size_t found = 0;
    for (std::size_t at = 0; (at = log.find(text, at)) != log.npos; ++at) ++found;
    return found;
  };
  EXPECT_EQ(count("\"event\":\"door.knocked\",\"number\""), kSparseLinesOfEach + 1) << log;
  EXPECT_EQ(count("\"event\":\"bell.rung\""), 1u) << log;
  EXPECT_EQ(count("\"event\":\"log.sum\",\"of\":\"door.knocked\",\"key\":\"192.0.2.1\","
                  "\"count\":95"),
            1u)
      << log;
  EXPECT_EQ(count("log.sum"), 1u) << log;
}

}  // namespace
}  // namespace devicetrust
