#include "libs/rpc/frame_filter.h"

#include <gtest/gtest.h>

#include <string>

#include "libs/testing/status.h"

namespace devicetrust::rpc {
namespace {

constexpr std::uint8_t kDataType = 0;
constexpr std::uint8_t kHeadersType = 1;
constexpr std::uint8_t kResetType = 3;
constexpr std::uint8_t kSettingsType = 4;
constexpr std::uint8_t kPingType = 6;
constexpr std::uint8_t kEnd = 0x1;    // END_STREAM.
constexpr std::uint8_t kWhole = 0x4;  // END_HEADERS.

std::string Frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                  const std::string& content = "") {
  const auto octet = [](std::size_t number) { return static_cast<char>(number & 0xff); };
  std::string frame;
  for (const int shift : {16, 8, 0}) frame += octet(content.size() >> shift);
  frame += octet(type);
  frame += octet(flags);
  for (const int shift : {24, 16, 8, 0}) frame += octet(stream >> shift);
  return frame + content;
}

std::string Begin() {
  return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Frame(kSettingsType, 0, 0, "123456");
}
std::string Head(std::uint32_t stream) { return Frame(kHeadersType, kWhole, stream, "headers"); }
std::string Message(std::uint32_t stream) { return Frame(kDataType, kEnd, stream, "message"); }

class FrameFilterTest : public ::testing::Test {
 protected:
  absl::Status Feed(const std::string& data) { return filter_.Feed(data, now_); }
  void After(std::chrono::seconds passed) { now_ += passed; }

  SteadyTime now_{};
  FrameFilter filter_{{.calls_max = 8, .unfinished_calls_max = 4}};
};

TEST_F(FrameFilterTest, PassesCallsInPiecesOfAnySize) {
  const std::string data = Begin() + Head(1) + Message(1) + Head(3) + Message(3);
  for (const std::size_t step : {1, 2, 7, 1000}) {
    FrameFilter filter({});
    for (std::size_t at = 0; at < data.size(); at += step) {
      DT_ASSERT_OK(filter.Feed(std::string_view(data).substr(at, step), now_));
    }
    EXPECT_EQ(filter.calls(), 2U);
    EXPECT_EQ(filter.unfinished_calls(), 0U);
    EXPECT_TRUE(filter.had_whole_call());
    filter.FeedAnswer(Frame(kHeadersType, kWhole, 1) + Frame(kDataType, 0, 1, "answer") +
                          Frame(kHeadersType, kWhole | kEnd, 1),
                      now_);
    EXPECT_EQ(filter.calls(), 1U);
    EXPECT_EQ(filter.unfinished_calls(), 0U);
  }
}

TEST_F(FrameFilterTest, KnowsSinceWhenACallIsUnfinished) {
  DT_ASSERT_OK(Feed(Begin() + Head(1)));
  After(std::chrono::seconds(1));
  DT_ASSERT_OK(Feed(Head(3)));
  EXPECT_EQ(filter_.unfinished_calls(), 2U);
  EXPECT_EQ(filter_.oldest_unfinished(), SteadyTime());
  EXPECT_FALSE(filter_.had_whole_call());
  DT_ASSERT_OK(Feed(Message(1)));
  EXPECT_EQ(filter_.oldest_unfinished(), SteadyTime() + std::chrono::seconds(1));
  filter_.FeedAnswer(Frame(kResetType, 0, 3, "0000"), now_);  // Refused at its headers.
  EXPECT_EQ(filter_.oldest_unfinished(), std::nullopt);
  DT_EXPECT_OK(Feed(Message(3)));  // It was on its way.
}

// Windows of the client may be so small that an answer never gets through.
TEST_F(FrameFilterTest, KnowsSinceWhenAnAnswerIsNotTaken) {
  DT_ASSERT_OK(Feed(Begin() + Head(1) + Message(1) + Head(3) + Message(3)));
  After(std::chrono::seconds(1));
  filter_.FeedAnswer(Frame(kHeadersType, kWhole, 1), now_);
  EXPECT_EQ(filter_.unfinished_calls(), 1U);
  After(std::chrono::seconds(1));
  filter_.FeedAnswer(Frame(kDataType, 0, 1, "a") + Frame(kHeadersType, kWhole, 3), now_);
  EXPECT_EQ(filter_.unfinished_calls(), 2U);
  EXPECT_EQ(filter_.oldest_unfinished(), SteadyTime() + std::chrono::seconds(1));
  filter_.FeedAnswer(Frame(kHeadersType, kWhole | kEnd, 1), now_);
  EXPECT_EQ(filter_.oldest_unfinished(), SteadyTime() + std::chrono::seconds(2));
  DT_ASSERT_OK(Feed(Frame(kResetType, 0, 3, "0000")));
  EXPECT_EQ(filter_.unfinished_calls(), 0U);
  EXPECT_EQ(filter_.oldest_unfinished(), std::nullopt);
}

TEST_F(FrameFilterTest, EndsWhatIsNoHttp2) {
  for (const std::string& data :
       {std::string("GET / HTTP/1.1\r\n"),
        Begin().substr(0, 24) + Frame(kPingType, 0, 0, "12345678"), Begin() + Frame(5, kWhole, 1),
        Begin() + Head(2), Begin() + Head(3) + Head(1), Begin() + Head(1) + Head(1),
        Begin() + Message(1), Begin() + Frame(kResetType, 0, 1, "0000"),
        Begin() + Head(1) + Message(1) + Message(1), Begin() + Frame(kDataType, 0, 0)}) {
    FrameFilter filter({});
    DT_EXPECT_CODE(filter.Feed(data, now_), kInvalidArgument);
  }
}

TEST_F(FrameFilterTest, BoundsFramesAndHeaders) {
  const std::string longest(kFrameBytesMax, 'h');
  DT_EXPECT_OK(FrameFilter({}).Feed(Begin() + Frame(kHeadersType, kWhole, 1, longest), now_));
  for (const std::string& data :
       {Begin() + Frame(kHeadersType, kWhole, 1, longest + "h"),
        Begin() + Frame(kHeadersType, 0, 1, "begun"),   // More is to come...
        Begin() + Frame(9, kWhole, 1, "continued")}) {  // ... in CONTINUATION.
    FrameFilter filter({});
    DT_EXPECT_CODE(filter.Feed(data, now_), kResourceExhausted);
  }
}

TEST_F(FrameFilterTest, BoundsCallsAndUnfinishedOnes) {
  DT_ASSERT_OK(Feed(Begin()));
  for (std::uint32_t stream = 1; stream < 9; stream += 2) DT_ASSERT_OK(Feed(Head(stream)));
  FrameFilter unfinished = filter_;
  DT_EXPECT_CODE(unfinished.Feed(Head(9), now_), kResourceExhausted);
  for (std::uint32_t stream = 1; stream < 9; stream += 2) DT_ASSERT_OK(Feed(Message(stream)));
  for (std::uint32_t stream = 9; stream < 17; stream += 2) {
    DT_ASSERT_OK(Feed(Head(stream) + Message(stream)));
  }
  DT_EXPECT_CODE(Feed(Head(17)), kResourceExhausted);
}

TEST_F(FrameFilterTest, BoundsResetsButForgets) {
  DT_ASSERT_OK(Feed(Begin()));
  std::uint32_t stream = 1;
  const auto give_up = [&] {
    const std::string data = Head(stream) + Frame(kResetType, 0, stream, "0000");
    stream += 2;
    return Feed(data);
  };
  for (int i = 0; i < 128; ++i) DT_ASSERT_OK(give_up());
  FrameFilter now_full = filter_;
  DT_EXPECT_CODE(give_up(), kResourceExhausted);
  filter_ = now_full;
  After(std::chrono::seconds(1));
  for (int i = 0; i < 10; ++i) DT_ASSERT_OK(give_up());
  DT_EXPECT_CODE(give_up(), kResourceExhausted);
}

TEST_F(FrameFilterTest, BoundsFramesThatNoCallAccountsFor) {
  DT_ASSERT_OK(Feed(Begin()));
  const auto pings = [this] {
    int passed = 0;
    while (passed < 10'000) {
      FrameFilter next = filter_;  // After a refusal a filter takes no more.
      if (!next.Feed(Frame(kPingType, 0, 0, "12345678"), now_).ok()) break;
      filter_ = next;
      ++passed;
    }
    return passed;
  };
  EXPECT_EQ(pings(), 255);  // And the settings.
  After(std::chrono::seconds(1));
  EXPECT_EQ(pings(), 20);
  DT_ASSERT_OK(Feed(Head(1) + Message(1)));
  EXPECT_EQ(pings(), 8);
}

TEST_F(FrameFilterTest, CountsWhatCameOfTheCallsUnderWay) {
  DT_ASSERT_OK(Feed(Begin() + Head(1)));
  EXPECT_EQ(filter_.call_bytes(), 7U);
  DT_ASSERT_OK(Feed(Frame(kDataType, 0, 1, "more") + Head(3) + Message(3)));
  EXPECT_EQ(filter_.call_bytes(), 7U + 4U + 7U + 7U);
  DT_ASSERT_OK(Feed(Frame(kResetType, 0, 1, "1234")));
  EXPECT_EQ(filter_.call_bytes(), 14U);
  filter_.FeedAnswer(Frame(kHeadersType, kWhole | kEnd, 3), now_);
  EXPECT_EQ(filter_.call_bytes(), 0U);
  DT_ASSERT_OK(Feed(Message(3)));  // Too late: of no call any more.
  EXPECT_EQ(filter_.call_bytes(), 0U);
}

}  // namespace
}  // namespace devicetrust::rpc
