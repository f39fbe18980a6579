#include "libs/directory/sid.h"

#include <fmt/format.h>

#include <charconv>
#include <cstddef>
#include <cstdint>

namespace devicetrust::directory {
namespace {

constexpr std::size_t kHeaderBytes = 8;  // Revision, count, 48-bit authority.
constexpr std::size_t kSubAuthoritiesMax = 15;

// Takes "-N" off the front of `text`.
absl::StatusOr<std::uint64_t> TakeNumber(std::string_view& text, std::uint64_t max) {
  const absl::Status bad =
      absl::InvalidArgumentError("a SID looks like S-1-5-21-1-2-3-500, numbers without zeros");
  if (text.empty() || text.front() != '-') return bad;
  text.remove_prefix(1);
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  const auto length = static_cast<std::size_t>(stop - text.data());
  if (error != std::errc() || value > max) return bad;
  if (length > 1 && text.front() == '0') return bad;
  text.remove_prefix(length);
  return value;
}

}  // namespace

absl::StatusOr<std::string> SidToText(std::span<const std::uint8_t> binary) {
  if (binary.size() < kHeaderBytes || binary[0] != 1) {
    return absl::InvalidArgumentError("not a SID of revision 1");
  }
  const std::size_t count = binary[1];
  if (count == 0 || count > kSubAuthoritiesMax || binary.size() != kHeaderBytes + 4 * count) {
    return absl::InvalidArgumentError("SID length and sub-authority count disagree");
  }
  std::uint64_t authority = 0;
  for (std::size_t i = 2; i < kHeaderBytes; ++i) authority = authority << 8 | binary[i];
  std::string text = fmt::format("S-1-{}", authority);
  for (std::size_t i = kHeaderBytes; i < binary.size(); i += 4) {
    std::uint32_t part = 0;
    for (std::size_t byte = 4; byte > 0; --byte) part = part << 8 | binary[i + byte - 1];
    text += fmt::format("-{}", part);
  }
  return text;
}

absl::StatusOr<Bytes> SidFromText(std::string_view text) {
  if (!text.starts_with("S-1-")) return absl::InvalidArgumentError("a SID begins with S-1-");
  text.remove_prefix(3);
  DT_ASSIGN_OR_RETURN(const std::uint64_t authority, TakeNumber(text, 0xffff'ffff'ffffULL));
  Bytes binary = {1, 0};
  for (int shift = 40; shift >= 0; shift -= 8) {
    binary.push_back(static_cast<std::uint8_t>(authority >> shift));
  }
  while (!text.empty()) {
    if (binary[1] == kSubAuthoritiesMax) return absl::InvalidArgumentError("SID is too long");
    DT_ASSIGN_OR_RETURN(std::uint64_t part, TakeNumber(text, 0xffff'ffffULL));
    for (int i = 0; i < 4; ++i, part >>= 8) binary.push_back(static_cast<std::uint8_t>(part));
    ++binary[1];
  }
  if (binary[1] == 0) return absl::InvalidArgumentError("SID has no sub-authority");
  return binary;
}

}  // namespace devicetrust::directory
