// What an agent's HTTP/2 connection may send to gRPC (RFC 9113, section 4), looked at frame by
// frame before gRPC sees it. A pure push parser: no I/O, no clock of its own.
//
// gRPC 1.51 gathers a header block of any size before it looks at its limit, over any number of
// CONTINUATION frames (CVE-2023-33953), and does as much work for streams that are reset as for
// others (CVE-2023-44487). Here a connection ends at:
//   a preface or first frame that is none of HTTP/2's; a frame longer than kFrameBytesMax; a
//   CONTINUATION, or a header block that would need one: agents send no such block; PUSH_PROMISE;
//   DATA of a call that has not begun, HEADERS of one that has; more calls at once, or more that
//   are not whole yet, than the limits; more resets, pings, settings and other frames than calls
//   account for.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "libs/base/status.h"

namespace devicetrust::rpc {

using SteadyTime = std::chrono::steady_clock::time_point;

// The least that both sides must take (RFC 9113, section 4.2), and what our settings leave it at.
inline constexpr std::size_t kFrameBytesMax = 16 * 1024;

// The head of a frame.
struct FrameHead {
  std::size_t size = 0;  // Of what follows the head.
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::uint32_t stream = 0;
};

// Finds the heads of frames in octets that come in pieces of any size.
class FrameReader {
 public:
  // Takes octets from the front of `data`; a head once it is whole. Call it until `data` is empty.
  std::optional<FrameHead> Next(std::string_view& data);

 private:
  static constexpr std::size_t kHeadBytes = 9;
  std::string head_;
  std::size_t left_ = 0;  // Of the frame whose head was seen.
};

// So many at once, then so many a second.
class TokenBucket {
 public:
  TokenBucket(double most, double per_second) : most_(most), per_second_(per_second), left_(most) {}
  bool Take(SteadyTime now);
  void Give(double tokens);

 private:
  double most_;
  double per_second_;
  double left_;
  std::optional<SteadyTime> last_;
};

// One connection. Both directions are to be fed in the order in which they pass.
class FrameFilter {
 public:
  struct Limits {
    std::size_t calls_max = 128;            // At once; what our settings say, and some more.
    std::size_t unfinished_calls_max = 16;  // Of those, that wait for the client.
  };
  explicit FrameFilter(Limits limits);

  // What the client sent. kInvalidArgument, kResourceExhausted: what the connection is to end for;
  // else pass `data` on.
  absl::Status Feed(std::string_view data, SteadyTime now);
  // What gRPC answered: which calls are over.
  void FeedAnswer(std::string_view data, SteadyTime now);

  // Calls under way, and those of them that wait for the client: it has not sent all of its
  // message, or not taken all of an answer that has begun (its windows are too small for it).
  std::size_t calls() const { return calls_.size(); }
  std::size_t unfinished_calls() const { return unfinished_; }
  // Since when the first of the latter waits; nothing when there is none.
  std::optional<SteadyTime> oldest_unfinished() const;
  bool had_whole_call() const { return had_whole_call_; }
  // What has come, or is announced, of the calls under way.
  std::size_t call_bytes() const { return call_bytes_; }

 private:
  struct Call {
    std::uint32_t stream;
    SteadyTime since;  // It waits for the client.
    bool whole = false;
    bool answered = false;  // Its answer has begun.
    std::size_t bytes = 0;
    bool unfinished() const { return !whole || answered; }
  };
  using Calls = std::deque<Call>;

  absl::Status FeedPreface(std::string_view& data);
  absl::Status Accept(const FrameHead& frame, SteadyTime now);
  absl::Status Begin(const FrameHead& frame, SteadyTime now);
  Calls::iterator Find(std::uint32_t stream);
  void MakeWhole(Call& call, SteadyTime now);
  void BeginAnswer(std::uint32_t stream, SteadyTime now);
  void End(std::uint32_t stream);

  Limits limits_;
  std::size_t preface_size_ = 0;  // Seen.
  bool settings_seen_ = false;
  FrameReader frames_;
  FrameReader answers_;
  std::uint32_t last_stream_ = 0;
  Calls calls_;  // In the order of their beginning, so by stream.
  std::size_t unfinished_ = 0;
  std::size_t call_bytes_ = 0;
  bool had_whole_call_ = false;
  TokenBucket resets_;
  TokenBucket others_;
};

}  // namespace devicetrust::rpc
