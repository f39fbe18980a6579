#include "simulator/forest/kdc.h"

#include <gtest/gtest.h>

#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"

namespace devicetrust::simulator {
namespace {

TEST(KdcTest, AStartThatFailsSaysWhy) {
  const testing::TempFolder run;
  const auto kdc =
      Kdc::Start({.run_dir = run.path(), .table = run / "no.table", .realms = {"CORP.TEST"}});
  DT_EXPECT_CODE(kdc, kUnavailable);
  EXPECT_NE(kdc.status().message().find("no.table"), absl::string_view::npos) << kdc.status();
}

}  // namespace
}  // namespace devicetrust::simulator
