#include "policy-engine/apps/png.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace devicetrust::policy {
namespace {

constexpr std::array<std::uint8_t, 8> kSignature = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
constexpr std::size_t kHeadBytes = 8;  // Of a chunk: length, type.
constexpr std::size_t kCrcBytes = 4;
constexpr std::size_t kIhdrBytes = 13;

constexpr std::array<std::uint32_t, 256> MakeCrcTable() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) {
      value = (value & 1) != 0 ? 0xedb88320u ^ (value >> 1) : value >> 1;
    }
    table[i] = value;
  }
  return table;
}

// W3C PNG, section 5.5.
std::uint32_t Crc(std::span<const std::uint8_t> data) {
  static constexpr auto kTable = MakeCrcTable();
  std::uint32_t crc = 0xffffffffu;
  for (const std::uint8_t octet : data) crc = kTable[(crc ^ octet) & 0xff] ^ (crc >> 8);
  return ~crc;
}

std::uint32_t Number(std::span<const std::uint8_t> four) {
  return std::uint32_t{four[0]} << 24 | std::uint32_t{four[1]} << 16 | std::uint32_t{four[2]} << 8 |
         four[3];
}

absl::Status NoPng(std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("not a PNG image that can be taken: {}", why));
}

absl::Status CheckHeader(std::span<const std::uint8_t> ihdr) {
  if (ihdr.size() != kIhdrBytes) return NoPng("its header is damaged");
  const std::uint32_t width = Number(ihdr);
  const std::uint32_t height = Number(ihdr.subspan(4));
  if (width == 0 || height == 0 || width > kLogoPixelsMax || height > kLogoPixelsMax) {
    return NoPng(fmt::format("it has {} x {} pixels, and at most {} x {} are taken", width, height,
                             kLogoPixelsMax, kLogoPixelsMax));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Bytes> CleanPng(std::span<const std::uint8_t> image) {
  if (image.size() > kLogoBytesMax) {
    return NoPng(
        fmt::format("it has {} bytes, and at most {} are taken", image.size(), kLogoBytesMax));
  }
  if (image.size() < kSignature.size() ||
      !std::equal(kSignature.begin(), kSignature.end(), image.begin())) {
    return NoPng("it does not begin as one");
  }
  Bytes clean(kSignature.begin(), kSignature.end());
  bool has_header = false;
  bool has_data = false;
  std::span<const std::uint8_t> rest = image.subspan(kSignature.size());
  while (rest.size() >= kHeadBytes + kCrcBytes) {
    const std::size_t length = Number(rest);
    if (length > rest.size() - kHeadBytes - kCrcBytes) break;
    const std::span<const std::uint8_t> typed = rest.subspan(4, 4 + length);
    const std::string_view type(reinterpret_cast<const char*>(typed.data()), 4);
    const std::size_t whole = kHeadBytes + length + kCrcBytes;
    if (Crc(typed) != Number(rest.subspan(kHeadBytes + length))) return NoPng("it is damaged");
    if ((type == "IHDR") == has_header) return NoPng("its header is not first, or is there twice");
    if (type == "IHDR") DT_RETURN_IF_ERROR(CheckHeader(typed.subspan(4)));
    has_header = true;
    has_data = has_data || type == "IDAT";
    if (type == "IHDR" || type == "PLTE" || type == "tRNS" || type == "IDAT" || type == "IEND") {
      clean.insert(clean.end(), rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(whole));
    }
    if (type == "IEND") return has_data ? absl::StatusOr<Bytes>(clean) : NoPng("it has no pixels");
    rest = rest.subspan(whole);
  }
  return NoPng("it is cut short");
}

}  // namespace devicetrust::policy
