#include "libs/base/trace.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "libs/base/ascii.h"
#include "libs/base/check.h"
#include "libs/base/encoding.h"

namespace devicetrust {
namespace {

constinit thread_local TraceId current_trace{};

bool IsNone(const TraceId& id) { return id == TraceId(); }

// A random stream for each thread (SplitMix64): an id of a call needs no system call.
std::uint64_t NextRandom() {
  static thread_local std::uint64_t state = [] {
    std::uint64_t seed = 0;
    DT_CHECK(getentropy(&seed, sizeof(seed)) == 0);
    return seed;
  }();
  state += 0x9e3779b97f4a7c15U;
  std::uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
  mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
  return mixed ^ (mixed >> 31U);
}

bool IsLowerHex(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return IsHexDigit(c) && !IsUpper(c); });
}

bool IsZero(std::string_view hex) { return hex.find_first_not_of('0') == std::string_view::npos; }

}  // namespace

TraceId NewTraceId() {
  TraceId id{};
  const std::array<std::uint64_t, 2> halves{NextRandom(), NextRandom() | 1U};
  std::memcpy(id.data(), halves.data(), id.size());
  return id;
}

std::string FormatTraceParent(const TraceId& id) {
  if (IsNone(id)) return "";
  std::array<std::uint8_t, 8> call{};
  const std::uint64_t random = NextRandom() | 1U;
  std::memcpy(call.data(), &random, call.size());
  return "00-" + HexEncode(id) + "-" + HexEncode(call) + "-00";
}

std::optional<TraceId> ParseTraceParent(std::string_view header) {
  constexpr std::size_t kSize = 2 + 1 + 32 + 1 + 16 + 1 + 2;
  if (header.size() < kSize) return std::nullopt;
  const std::string_view version = header.substr(0, 2);
  const std::string_view trace = header.substr(3, 32);
  const std::string_view call = header.substr(36, 16);
  // A later version may have more behind another dash.
  const bool whole = header.size() == kSize || (version != "00" && header[kSize] == '-');
  const bool dashes = header[2] == '-' && header[35] == '-' && header[52] == '-';
  if (!whole || !dashes || version == "ff" || !IsLowerHex(version) || !IsLowerHex(trace) ||
      !IsLowerHex(call) || !IsLowerHex(header.substr(53, 2)) || IsZero(trace) || IsZero(call)) {
    return std::nullopt;
  }
  const absl::StatusOr<Bytes> bytes = HexDecode(trace);
  if (!bytes.ok()) return std::nullopt;
  TraceId id{};
  std::copy(bytes->begin(), bytes->end(), id.begin());
  return id;
}

const TraceId& CurrentTraceId() { return current_trace; }

std::string CurrentTrace() { return IsNone(current_trace) ? "" : HexEncode(current_trace); }

TraceScope::TraceScope(const TraceId& id) : before_(current_trace) { current_trace = id; }
TraceScope::~TraceScope() { current_trace = before_; }

void SetCurrentTraceId(const TraceId& id) { current_trace = id; }

}  // namespace devicetrust
