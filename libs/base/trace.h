// Which request a thread works for: W3C Trace Context (https://www.w3.org/TR/trace-context/).
//
// An id is made at the edge, by an agent for an enrollment and by the gateway for a browser's
// request. It goes along with every call from service to service as the header `traceparent`,
// and into every line that is logged meanwhile as `trace_id`. Spans are not recorded and nothing
// is sampled: an id is for finding what belongs together.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace devicetrust {

inline constexpr char kTraceHeader[] = "traceparent";

using TraceId = std::array<std::uint8_t, 16>;  // All zero: none.

// Random; not secret. Thread-safe.
TraceId NewTraceId();

// "00-<trace id>-<id of this call, random>-00". Empty for no id.
std::string FormatTraceParent(const TraceId& id);
// The id in it. Nothing for anything that the standard calls invalid.
std::optional<TraceId> ParseTraceParent(std::string_view header);

// Of what this thread does now; all zero when it works for no request.
const TraceId& CurrentTraceId();
// The same as 32 lower-case hex digits; empty for none.
std::string CurrentTrace();

// This thread works for `id` while the scope lives, then for what it did before.
class TraceScope {
 public:
  explicit TraceScope(const TraceId& id);
  ~TraceScope();
  TraceScope(const TraceScope&) = delete;
  TraceScope& operator=(const TraceScope&) = delete;

 private:
  const TraceId before_;
};

// The same without an end, for a thread that comes to the next request by itself.
void SetCurrentTraceId(const TraceId& id);

}  // namespace devicetrust
