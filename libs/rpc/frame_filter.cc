#include "libs/rpc/frame_filter.h"

#include <algorithm>

namespace devicetrust::rpc {
namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// RFC 9113, section 6.
enum FrameType : std::uint8_t {
  kData = 0,
  kHeaders = 1,
  kReset = 3,
  kSettings = 4,
  kPushPromise = 5,
  kContinuation = 9,
};
constexpr std::uint8_t kEndStream = 0x1;
constexpr std::uint8_t kEndHeaders = 0x4;

// A client that gives up calls in a bad moment resets all that it has; nobody does so for long.
constexpr double kResetsMax = 128;
constexpr double kResetsPerSecond = 10;
// Pings, settings, window updates: gRPC's clients send about two a call, and few without one.
constexpr double kOthersMax = 256;
constexpr double kOthersPerSecond = 20;
constexpr double kOthersPerCall = 8;

absl::Status Broken(absl::string_view what) { return absl::InvalidArgumentError(what); }
absl::Status TooMuch(absl::string_view what) { return absl::ResourceExhaustedError(what); }

}  // namespace

std::optional<FrameHead> FrameReader::Next(std::string_view& data) {
  const std::size_t skipped = std::min(left_, data.size());
  data.remove_prefix(skipped);
  left_ -= skipped;
  if (left_ > 0 || data.empty()) return std::nullopt;
  const std::size_t taken = std::min(kHeadBytes - head_.size(), data.size());
  head_.append(data.substr(0, taken));
  data.remove_prefix(taken);
  if (head_.size() < kHeadBytes) return std::nullopt;
  const auto octet = [this](std::size_t at) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(head_[at]));
  };
  FrameHead frame;
  frame.size = octet(0) << 16 | octet(1) << 8 | octet(2);
  frame.type = static_cast<std::uint8_t>(octet(3));
  frame.flags = static_cast<std::uint8_t>(octet(4));
  frame.stream = (octet(5) & 0x7f) << 24 | octet(6) << 16 | octet(7) << 8 | octet(8);
  left_ = frame.size;
  head_.clear();
  return frame;
}

bool TokenBucket::Take(SteadyTime now) {
  if (last_) {
    Give(std::chrono::duration<double>(now - *last_).count() * per_second_);
  }
  last_ = now;
  if (left_ < 1) return false;
  left_ -= 1;
  return true;
}

void TokenBucket::Give(double tokens) { left_ = std::min(most_, left_ + tokens); }

FrameFilter::FrameFilter(Limits limits)
    : limits_(limits),
      resets_(kResetsMax, kResetsPerSecond),
      others_(kOthersMax, kOthersPerSecond) {}

absl::Status FrameFilter::Feed(std::string_view data, SteadyTime now) {
  DT_RETURN_IF_ERROR(FeedPreface(data));
  while (!data.empty()) {
    const std::optional<FrameHead> frame = frames_.Next(data);
    if (frame) DT_RETURN_IF_ERROR(Accept(*frame, now));
  }
  return absl::OkStatus();
}

void FrameFilter::FeedAnswer(std::string_view data, SteadyTime now) {
  while (!data.empty()) {
    const std::optional<FrameHead> frame = answers_.Next(data);
    if (!frame) continue;
    const bool carries = frame->type == kHeaders || frame->type == kData;
    const bool ends = carries && (frame->flags & kEndStream) != 0;
    if (ends || frame->type == kReset) {
      End(frame->stream);
    } else if (carries) {
      BeginAnswer(frame->stream, now);
    }
  }
}

std::optional<SteadyTime> FrameFilter::oldest_unfinished() const {
  std::optional<SteadyTime> oldest;
  if (unfinished_ == 0) return oldest;
  for (const Call& call : calls_) {
    if (call.unfinished() && (!oldest || call.since < *oldest)) oldest = call.since;
  }
  return oldest;
}

absl::Status FrameFilter::FeedPreface(std::string_view& data) {
  const std::size_t taken = std::min(kPreface.size() - preface_size_, data.size());
  if (data.substr(0, taken) != kPreface.substr(preface_size_, taken)) {
    return Broken("no HTTP/2 preface");
  }
  preface_size_ += taken;
  data.remove_prefix(taken);
  return absl::OkStatus();
}

absl::Status FrameFilter::Accept(const FrameHead& frame, SteadyTime now) {
  if (frame.size > kFrameBytesMax) return TooMuch("a frame that is too long");
  if (!settings_seen_ && frame.type != kSettings) return Broken("no settings first");
  settings_seen_ = true;
  switch (frame.type) {
    case kHeaders:
      return Begin(frame, now);
    case kData: {
      if (frame.stream == 0 || frame.stream > last_stream_) return Broken("data of no call");
      // Nobody knows at once that the other side has ended a call.
      const Calls::iterator call = Find(frame.stream);
      if (call == calls_.end()) break;
      if (call->whole) return Broken("data behind the end of a call");
      call->bytes += frame.size;
      call_bytes_ += frame.size;
      if ((frame.flags & kEndStream) == 0) break;
      MakeWhole(*call, now);
      return absl::OkStatus();
    }
    case kReset:
      if (frame.stream > last_stream_) return Broken("a reset of no call");
      End(frame.stream);
      return resets_.Take(now) ? absl::OkStatus() : TooMuch("too many resets");
    case kPushPromise:
      return Broken("a push from a client");
    case kContinuation:
      return TooMuch("headers that are too long");
    default:
      break;
  }
  return others_.Take(now) ? absl::OkStatus() : TooMuch("too many frames for its calls");
}

absl::Status FrameFilter::Begin(const FrameHead& frame, SteadyTime now) {
  if ((frame.flags & kEndHeaders) == 0) return TooMuch("headers that are too long");
  if (frame.stream % 2 == 0 || frame.stream <= last_stream_) return Broken("calls must rise");
  if (calls_.size() >= limits_.calls_max) return TooMuch("too many calls");
  last_stream_ = frame.stream;
  others_.Give(kOthersPerCall);
  calls_.push_back({.stream = frame.stream, .since = now, .bytes = frame.size});
  call_bytes_ += frame.size;
  ++unfinished_;
  if ((frame.flags & kEndStream) != 0) MakeWhole(calls_.back(), now);
  return unfinished_ <= limits_.unfinished_calls_max ? absl::OkStatus()
                                                     : TooMuch("too many unfinished calls");
}

FrameFilter::Calls::iterator FrameFilter::Find(std::uint32_t stream) {
  const auto found = std::ranges::lower_bound(calls_, stream, {}, &Call::stream);
  return found != calls_.end() && found->stream == stream ? found : calls_.end();
}

void FrameFilter::MakeWhole(Call& call, SteadyTime now) {
  call.whole = true;
  call.since = now;
  if (!call.unfinished()) --unfinished_;
  had_whole_call_ = true;
}

void FrameFilter::BeginAnswer(std::uint32_t stream, SteadyTime now) {
  const Calls::iterator call = Find(stream);
  if (call == calls_.end() || call->answered) return;
  if (call->whole) {
    ++unfinished_;
    call->since = now;
  }
  call->answered = true;
}

void FrameFilter::End(std::uint32_t stream) {
  const Calls::iterator call = Find(stream);
  if (call == calls_.end()) return;
  if (call->unfinished()) --unfinished_;
  call_bytes_ -= call->bytes;
  calls_.erase(call);
}

}  // namespace devicetrust::rpc
