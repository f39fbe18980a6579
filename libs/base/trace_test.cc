#include "libs/base/trace.h"

#include <gtest/gtest.h>

#include <thread>

namespace devicetrust {
namespace {

// The example of the standard, section 3.2.
constexpr char kExample[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
constexpr char kExampleTrace[] = "4bf92f3577b34da6a3ce929d0e0e4736";

TEST(TraceTest, ReadsTheStandardsExample) {
  const auto id = ParseTraceParent(kExample);
  ASSERT_TRUE(id);
  const TraceScope scope(*id);
  EXPECT_EQ(CurrentTrace(), kExampleTrace);
}

TEST(TraceTest, ReadsWhatItWrites) {
  const TraceId id = NewTraceId();
  const std::string header = FormatTraceParent(id);
  EXPECT_EQ(header.size(), 55U);
  EXPECT_EQ(ParseTraceParent(header), id);
  EXPECT_NE(FormatTraceParent(id), header) << "each call has an id of its own";
  EXPECT_NE(NewTraceId(), id);
  EXPECT_EQ(FormatTraceParent(TraceId()), "");
}

TEST(TraceTest, RefusesWhatTheStandardCallsInvalid) {
  const std::string good = kExample;
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(ParseTraceParent(std::string_view(good).substr(0, size))) << size;
  }
  for (const char* bad : {
           "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
           "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
           "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
           "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
           "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more",
       }) {
    EXPECT_FALSE(ParseTraceParent(bad)) << bad;
  }
  EXPECT_TRUE(ParseTraceParent("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"));
}

TEST(TraceTest, AScopeEndsAndIsOfOneThread) {
  EXPECT_EQ(CurrentTrace(), "");
  {
    const TraceScope outer(*ParseTraceParent(kExample));
    {
      const TraceScope inner(NewTraceId());
      EXPECT_NE(CurrentTrace(), kExampleTrace);
    }
    EXPECT_EQ(CurrentTrace(), kExampleTrace);
    std::thread([] { EXPECT_EQ(CurrentTrace(), ""); }).join();
  }
  EXPECT_EQ(CurrentTrace(), "");
}

}  // namespace
}  // namespace devicetrust
