// Frames of an agent's HTTP/2 connection: however the octets are cut into pieces, the filter says
// the same, and knows no more calls than it may, nor bytes of those that are over.
#include <algorithm>

#include "libs/rpc/frame_filter.h"
#include "tests/fuzz/input.h"

using namespace devicetrust;

namespace {

constexpr rpc::FrameFilter::Limits kLimits{.calls_max = 8, .unfinished_calls_max = 4};

struct Outcome {
  absl::StatusCode code = absl::StatusCode::kOk;
  std::size_t calls = 0;
  std::size_t unfinished = 0;
  std::size_t bytes = 0;

  bool operator==(const Outcome&) const = default;
};

Outcome Pass(std::string_view text, std::size_t piece) {
  rpc::FrameFilter filter(kLimits);
  Outcome outcome;
  while (!text.empty() && outcome.code == absl::StatusCode::kOk) {
    outcome.code = filter.Feed(text.substr(0, piece), rpc::SteadyTime()).code();
    text.remove_prefix(std::min(piece, text.size()));
  }
  DT_CHECK(filter.calls() <= kLimits.calls_max && filter.unfinished_calls() <= filter.calls());
  DT_CHECK(filter.oldest_unfinished().has_value() == (filter.unfinished_calls() > 0));
  outcome.calls = filter.calls();
  outcome.unfinished = filter.unfinished_calls();
  outcome.bytes = filter.call_bytes();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::size_t piece = 1 + input.Choice() % 16;
  const std::string_view text = input.Text();
  DT_CHECK(Pass(text, text.size() + 1) == Pass(text, piece));
  rpc::FrameFilter filter(kLimits);
  DT_FUZZ_USE(filter.Feed(text.substr(0, text.size() / 2), rpc::SteadyTime()));
  filter.FeedAnswer(text.substr(text.size() / 2), rpc::SteadyTime());
  DT_CHECK(filter.oldest_unfinished().has_value() == (filter.unfinished_calls() > 0));
  DT_CHECK(filter.calls() > 0 || filter.call_bytes() == 0);
  return 0;
}
