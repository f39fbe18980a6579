#include "libs/base/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"

namespace devicetrust {
namespace {

class FilesTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return folder_ / name; }

  testing::TempFolder folder_;
};

TEST_F(FilesTest, ReplacesAFileWholeAndLeavesNothingElse) {
  DT_ASSERT_OK(WriteFileAtomically(Path("a"), "one"));
  DT_ASSERT_OK(WriteFileAtomically(Path("a"), "two", 0640));
  EXPECT_EQ(ReadFile(Path("a")).value(), "two");
  struct stat facts {};
  ASSERT_EQ(stat(Path("a").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777U, 0640U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 1);
}

TEST_F(FilesTest, RefusesWhatIsMissingTooLongOrNoFile) {
  DT_EXPECT_CODE(ReadFile(Path("none")), kNotFound);
  DT_EXPECT_CODE(ReadFile(folder_.path()), kInvalidArgument);
  DT_ASSERT_OK(WriteFileAtomically(Path("long"), "12345"));
  DT_EXPECT_CODE(ReadFile(Path("long"), 4), kInvalidArgument);
  EXPECT_EQ(ReadFile(Path("long"), 5).value(), "12345");
  DT_EXPECT_CODE(WriteFileAtomically(Path("none/a"), "x"), kNotFound);
}

TEST_F(FilesTest, RefusesASecretThatOthersMayRead) {
  DT_ASSERT_OK(WriteFileAtomically(Path("key"), "secret", 0640));
  const absl::Status refused = RefuseIfShared(Path("key"));
  DT_EXPECT_CODE(refused, kFailedPrecondition);
  EXPECT_NE(std::string(refused.message()).find("chmod 600"), std::string::npos);
  DT_ASSERT_OK(WriteFileAtomically(Path("key"), "secret"));
  DT_EXPECT_OK(RefuseIfShared(Path("key")));
  DT_EXPECT_CODE(RefuseIfShared(Path("none")), kNotFound);
}

}  // namespace
}  // namespace devicetrust
