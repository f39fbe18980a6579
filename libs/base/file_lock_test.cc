#include "libs/base/file_lock.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "libs/base/process.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"

namespace devicetrust {
namespace {

TEST(FileLockTest, NamesWhoHoldsIt) {
  const testing::TempFolder folder;
  const std::string path = folder / "store.lock";
  auto first = FileLock::Acquire(path, "the store");
  DT_ASSERT_OK(first);
  const auto second = FileLock::Acquire(path, "the store");
  DT_EXPECT_CODE(second, kFailedPrecondition);
  EXPECT_EQ(second.status().message(),
            fmt::format("the store is in use by {} (pid {})", ProcessName(getpid()), getpid()));
  *first = FileLock();
  DT_EXPECT_OK(FileLock::Acquire(path, "the store"));
}

TEST(FileLockTest, NamesNobodyWhoIsNotThere) {
  const testing::TempFolder folder;
  const std::string path = folder / "store.lock";
  const auto held = FileLock::Acquire(path, "the store");
  DT_ASSERT_OK(held);
  for (const char* const content : {"", "nobody\n", "-1\n", "2147483647\n"}) {
    std::ofstream(path) << content;  // In place: the file itself is locked.
    EXPECT_EQ(FileLock::Acquire(path, "the store").status().message(),
              "the store is in use by another process")
        << content;
  }
}

TEST(FileLockTest, SaysWhichFolderIsMissing) {
  const absl::Status missing =
      FileLock::Acquire("/nonexistent-folder/store.lock", "the store").status();
  DT_EXPECT_CODE(missing, kNotFound);
  EXPECT_THAT(std::string(missing.message()), ::testing::HasSubstr("/nonexistent-folder/"));
}

}  // namespace
}  // namespace devicetrust
